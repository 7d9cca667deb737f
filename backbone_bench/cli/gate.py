"""`bench gate`: what changed since a baseline or a revision, with an exit code."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from backbone_bench.base import signals
from backbone_bench.cli import gate_output, gate_sides
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.gate_sides import GateOptions
from backbone_bench.cli.options import GateFormatOption, QuietOption

RunWordsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="What to run: options of `bench run`, such as --model resnet18 --threads 1.",
        metavar="RUN_OPTION",
        show_default=False,
    ),
]
BaselineOption = Annotated[
    Path | None, typer.Option("--baseline", help="Compare with the records of this file.", metavar="FILE")
]
CurrentOption = Annotated[
    Path | None, typer.Option("--current", help="Run nothing: compare these records with the baseline.", metavar="FILE")
]
BaseRefOption = Annotated[
    str | None,
    typer.Option(
        "--base-ref",
        help="Compare with this revision of the repository, both sides run here in turn.",
        metavar="REVISION",
    ),
]
BasePythonOption = Annotated[
    Path | None,
    typer.Option(
        "--base-python", help="With --base-ref: the interpreter whose packages the revision needs.", metavar="PATH"
    ),
]
ExactOption = Annotated[
    bool, typer.Option("--exact", help="Counts only, in one process: no device, seconds, the same on every machine.")
]
GateRoundsOption = Annotated[
    int,
    typer.Option(min=1, help="Processes a side; with --base-ref doubled once unless all is clearly well.", metavar="N"),
]
CalibrateOption = Annotated[
    bool,
    typer.Option(
        "--calibrate", help="Run one thing against itself: how noisy this machine is, and which change it can see."
    ),
]
UpdateBaselineOption = Annotated[
    bool, typer.Option("--update-baseline", help="Make what is found the baseline, and keep the --reason in it.")
]
ReasonOption = Annotated[
    str | None, typer.Option(help="Why what changed was meant to: accepts it.", metavar="TEXT", show_default=False)
]
LatencyThresholdOption = Annotated[
    float, typer.Option("--latency-threshold", help="By how much latency may grow, in %.", min=0, metavar="PERCENT")
]
EnergyThresholdOption = Annotated[
    float, typer.Option("--energy-threshold", help="By how much energy may grow, in %.", min=0, metavar="PERCENT")
]
FailOnOption = Annotated[
    str | None,
    typer.Option("--fail-on", help="Verdicts that fail too, such as inconclusive.", metavar="VERDICT,…"),
]
ExportOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Write the newer records for a tracker: github-action-benchmark or bencher. Repeatable.",
        metavar="TRACKER=FILE",
    ),
]
ReportFilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        help="Also write to a file: .md, .json, .csv, .txt, or .xml for JUnit. Repeatable.",
        metavar="FILE",
    ),
]


@app.command(context_settings={"ignore_unknown_options": True})
def gate(
    words: RunWordsArgument = None,
    baseline: BaselineOption = None,
    current: CurrentOption = None,
    base_ref: BaseRefOption = None,
    base_python: BasePythonOption = None,
    exact: ExactOption = False,
    rounds: GateRoundsOption = 5,
    calibrate: CalibrateOption = False,
    update_baseline: UpdateBaselineOption = False,
    reason: ReasonOption = None,
    latency_threshold: LatencyThresholdOption = 3.0,
    energy_threshold: EnergyThresholdOption = 5.0,
    fail_on: FailOnOption = None,
    export: ExportOption = None,
    form: GateFormatOption = None,
    to: ReportFilesOption = None,
    quiet: QuietOption = False,
) -> None:
    """Tell what changed, and fail where it is worse.

    Counts compare exactly, on any machine: whatever changes must be acknowledged. Latency, energy and memory
    compare by rounds of fresh processes, and fail only where they are certainly worse by more than is allowed.
    """
    asked = GateOptions(
        words=tuple(words or ()),
        baseline=baseline,
        current=current,
        base_ref=base_ref,
        base_python=base_python,
        exact=exact,
        calibrate=calibrate,
        update=update_baseline,
        reason=reason,
        quiet=quiet,
    )
    asked.check()
    to_write = gate_output.destinations(to or [], export or [])
    failing = gate_output.verdicts(fail_on)
    rules = gate_sides.rules(rounds, latency_threshold / 100, energy_threshold / 100)
    try:
        compared, report = gate_sides.compare(asked, rules)
    except signals.Interrupted as stopped:
        complain(f"{stopped}: nothing was compared.")
        raise typer.Exit(stopped.exit_code) from None
    if asked.accepts:
        report = replace(report, acknowledged=reason or "the first baseline")
    report = replace(report, fail_on=failing)
    with signals.deferred():
        gate_output.tell(report, form, to_write)
        gate_output.export(compared.heads, to_write)
        if baseline is not None and (update_baseline or calibrate):
            gate_output.keep(baseline, compared, report, whole=current is not None)
    raise typer.Exit(report.exit_code)
