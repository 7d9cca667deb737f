"""`bench claims --measure`: the pairs that claims speak of, run in turn on this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli.app import complain
from backbone_bench.cli.job_options import resolved
from backbone_bench.cli.versus import briefly

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.claims.data.subjects import Network
    from backbone_bench.claims.judges.plan import PairRequest, PlannedComparison
    from backbone_bench.jobs.job import Job
    from backbone_bench.records import Record
    from backbone_bench.report.tables.answer import Answer
    from backbone_bench.versus.rule import By
    from backbone_bench.versus.series import ComparisonJob, SeriesEnd

MeasureOption = Annotated[
    bool, typer.Option("--measure", help="MeasureOption the pairs that the claims speak of, in turn, on --device.")
]
PairRoundsOption = Annotated[
    int, typer.Option(help="With --measure: at most so many rounds a pair; a third may be enough.", min=4)
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", help="With --measure: a .jsonl that takes every record at once.", metavar="FILE"),
]
NoEnergyClaimsOption = Annotated[
    bool, typer.Option("--no-energy", help="With --measure: leave out what is claimed of energy.")
]
MeasureDryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="With --measure: say what would run, and how long.")
]


def contests(
    wanted: "Sequence[PlannedComparison]", words: Mapping[str, object], rounds: int
) -> "tuple[list[ComparisonJob], float | None]":
    """The comparisons as jobs, under the settings in force, and how long one row may take."""
    from backbone_bench.versus.rule import ComparisonQuestion, DecisionRule
    from backbone_bench.versus.series import ComparisonJob

    template, timeout_s = _template(words)
    asked = [
        ComparisonJob(
            f"{one} ({', '.join(one.claims)})",
            (_job(template, one.asked, one.asked.of), _job(template, one.asked, one.asked.to)),
            ComparisonQuestion(_by(one.asked, template), DecisionRule(rounds, bound=one.asked.bound)),
        )
        for one in wanted
    ]
    return asked, timeout_s


def _template(words: Mapping[str, object]) -> "tuple[Job, float | None]":
    """The one row whose model the networks of the claims take in turn."""
    settings = resolved(dict(words)).settings
    job, *more = settings.jobs(["claims"], {})
    if more:
        raise UserError(f"Claims are measured in one setting, not in {len(more) + 1}: give one value an option.")
    if job.device == "auto":
        from backbone_bench.measure.devices.available import resolve  # loads torch

        job = replace(job, device=resolve("auto").name)
    return briefly(replace(job, inputs=(), cross_check=False)), settings.timeout


def _job(template: "Job", asked: "PairRequest", network: "Network") -> "Job":
    return replace(
        template,
        model=network.model,
        arguments=network.arguments or {},
        input_size=network.size,
        latency=asked.quantity == "time",
        energy="required" if asked.quantity == "energy" else "off",
    )


def _by(asked: "PairRequest", template: "Job") -> "By":
    if asked.quantity == "energy":
        return "energy"
    return "wall" if template.on_host else "device"


def forecast(asked: "Sequence[ComparisonJob]") -> "Answer":
    """What would run, and how long it would take: to the first look on a quiet machine, and all rounds at most."""
    from backbone_bench.report.views.forecast import Forecast
    from backbone_bench.report.views.forecast import forecast as drawn
    from backbone_bench.run import estimate

    rows = []
    for number, one in enumerate(asked, start=1):
        rule, spans = one.question.rule, [estimate.estimate(job) for job in one.sides]
        least, most = sum(span.least_s for span in spans), sum(span.most_s for span in spans)
        rows.append(Forecast(number, one.title, rule.interims[0] * least, rule.rounds * most))
    return drawn(rows)


def measured(
    asked: "Sequence[ComparisonJob]", keep: Path | None, timeout_s: float | None, *, quiet: bool
) -> "tuple[list[Record], SeriesEnd]":
    """Hold the comparisons; every record of theirs, and how it ended."""
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.records import store
    from backbone_bench.records.condensed import condensed
    from backbone_bench.run import runner
    from backbone_bench.versus.series import run_all

    records: list[Record] = []

    def take(record: "Record") -> None:
        small = condensed(record)
        records.append(small)
        if keep is not None:
            store.append(keep, small)

    with shown(quiet=quiet) as progress:
        run = runner.isolated(timeout_s)
        ended = run_all(asked, run, lambda number, one: progress.row(one.title, number, len(asked)), take)
    for failure in ended.failures:
        complain(failure)
    if ended.by is not None:
        kept = f"; their records are in {keep}" if keep else ""
        complain(f"{str(ended.by).rstrip('.')}: {ended.over} of {len(asked)} comparisons are over{kept}.")
    return records, ended


def check_keep(keep: Path | None) -> None:
    from backbone_bench.records import store

    if keep is not None:
        if keep.suffix != ".jsonl":
            raise UserError(f"--keep {keep}: it grows record by record, and is called something.jsonl.")
        store.check_writable(keep)
