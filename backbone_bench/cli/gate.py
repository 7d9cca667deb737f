"""`bench gate`: compare head with a baseline or a base revision; the exit code says whether something regressed."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from backbone_bench.base import signals
from backbone_bench.base.prints import prints_to_stderr
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
    Path | None, typer.Option("--baseline", help="Compare with the records in this file.", metavar="FILE")
]
CurrentOption = Annotated[
    Path | None,
    typer.Option("--current", help="Run nothing; compare the records in this file with the baseline.", metavar="FILE"),
]
BaseRefOption = Annotated[
    str | None,
    typer.Option(
        "--base-ref",
        help="Compare with this git revision; base and head take turns here. auto: what a CI job is about.",
        metavar="REVISION",
    ),
]
BasePythonOption = Annotated[
    Path | None,
    typer.Option(
        "--base-python",
        help="With --base-ref: Python interpreter with the packages that the revision needs.",
        metavar="PATH",
    ),
]
ExactOption = Annotated[
    bool,
    typer.Option("--exact", help="Compare counts only: takes seconds, needs no device, same result on every machine."),
]
GateRoundsOption = Annotated[
    int,
    typer.Option(
        min=1, help="Processes per side; of two revisions doubled once unless the result is clear.", metavar="N"
    ),
]
CalibrateOption = Annotated[
    bool,
    typer.Option(
        "--calibrate", help="Run the same code on both sides, to find the noise and the minimum detectable effect."
    ),
]
UpdateBaselineOption = Annotated[
    bool, typer.Option("--update-baseline", help="Write the new records to the baseline, with the --reason.")
]
ReasonOption = Annotated[
    str | None, typer.Option(help="Accept the changes for this reason.", metavar="TEXT", show_default=False)
]
PartOption = Annotated[
    bool,
    typer.Option("--part", help="This run is a part of the baseline: what it leaves out is not missing."),
]
ShardOption = Annotated[
    str | None, typer.Option("--shard", help="Run one of several parts, such as 1/4 to 4/4.", metavar="NUMBER/OF")
]
LatencyThresholdOption = Annotated[
    float,
    typer.Option("--latency-threshold", help="Allowed increase of latency, in percent.", min=0, metavar="PERCENT"),
]
EnergyThresholdOption = Annotated[
    float, typer.Option("--energy-threshold", help="Allowed increase of energy, in percent.", min=0, metavar="PERCENT")
]
FailOnOption = Annotated[
    str | None,
    typer.Option("--fail-on", help="Further verdicts that fail the gate, such as inconclusive.", metavar="VERDICT,…"),
]
ExportOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Write the head records for a tracker: github-action-benchmark or bencher. Repeatable.",
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
    part: PartOption = False,
    shard: ShardOption = None,
    latency_threshold: LatencyThresholdOption = 3.0,
    energy_threshold: EnergyThresholdOption = 5.0,
    fail_on: FailOnOption = None,
    export: ExportOption = None,
    form: GateFormatOption = None,
    to: ReportFilesOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compare with a baseline or a revision, and fail on a regression.

    Counts are compared exactly, on any machine, and every change must be accepted. Latency, energy and memory are
    compared over rounds of processes, and fail only if they are significantly worse by more than the threshold.
    """
    options = GateOptions(
        words=tuple(words or ()),
        baseline=baseline,
        current=current,
        base_ref=base_ref,
        base_python=base_python,
        exact=exact,
        calibrate=calibrate,
        update=update_baseline,
        reason=reason,
        part=part,
        shard=shard,
        quiet=quiet,
    )
    options.check()
    to_write = gate_output.destinations(to or [], export or [])
    failing = gate_output.verdicts(fail_on)
    rules = gate_sides.rules(rounds, latency_threshold / 100, energy_threshold / 100)
    try:
        with prints_to_stderr():
            compared, report = gate_sides.compare(options, rules)
    except signals.Interrupted as interrupted:
        complain(f"{interrupted}: nothing was compared.")
        raise typer.Exit(interrupted.exit_code) from None
    if update_baseline and not report.could_not_run:
        report = replace(report, acknowledged=reason or "the first baseline")
    report = replace(report, fail_on=failing)
    with signals.deferred():
        gate_output.write_report(report, form, to_write)
        gate_output.export(compared.heads, to_write)
        if base_ref is not None and reason is not None:
            gate_output.accept(report, reason)
        if baseline is not None and (update_baseline or calibrate):
            gate_output.update_baseline(baseline, compared, report, whole=not options.is_part)
    raise typer.Exit(report.exit_code)
