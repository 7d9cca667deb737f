"""`bench claims --measure`: measure the pairs of networks that claims compare, in paired rounds on this machine."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli.app import complain
from backbone_bench.cli.job_options import resolved
from backbone_bench.cli.versus import rounds_of, usual, with_process_budget

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.claims.data.subjects import Network
    from backbone_bench.claims.judges.plan import PairRequest, PlannedComparison
    from backbone_bench.jobs.job import Job
    from backbone_bench.records import Record
    from backbone_bench.report.tables.answer import Answer
    from backbone_bench.versus.rule import By
    from backbone_bench.versus.series import ComparisonJob, SeriesEnd

MeasureOption = Annotated[
    bool, typer.Option("--measure", help="Measure the pairs of networks that the claims compare, on --device.")
]
ComparisonBudgetOption = Annotated[
    float | None,
    typer.Option("--budget", help="With --measure: time for each line of --dry-run.", metavar="SECONDS", min=1),
]
PairRoundsOption = Annotated[
    int, typer.Option(help="With --measure: most rounds per pair; a clear result needs half of them.", min=4)
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", help="With --measure: append every record to this .jsonl file at once.", metavar="FILE"),
]
NoEnergyClaimsOption = Annotated[
    bool, typer.Option("--no-energy", help="With --measure: leave out claims about energy.")
]
MeasureDryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="With --measure: list what would run and how long it takes; run nothing.")
]


def comparison_jobs(
    planned: "Sequence[PlannedComparison]", options: Mapping[str, object], rounds: int, budget_s: float | None
) -> "tuple[list[ComparisonJob], float | None]":
    """The planned comparisons as jobs under the settings in force, and the timeout of a row in seconds."""
    from backbone_bench.versus.rule import ComparisonQuestion, DecisionRule
    from backbone_bench.versus.series import ComparisonJob

    template, timeout_s = _template(options)
    jobs = [
        ComparisonJob(
            f"{one} ({', '.join(one.claims)})",
            (_job(template, one.request, one.request.of), _job(template, one.request, one.request.to)),
            ComparisonQuestion(_by(one.request, template), DecisionRule(rounds, bound=one.request.bound), budget_s),
        )
        for one in planned
    ]
    return jobs, timeout_s


def _template(options: Mapping[str, object]) -> "tuple[Job, float | None]":
    """The job that all comparisons share except for the model, and the timeout of a row in seconds."""
    settings = resolved(dict(options)).settings
    job, *more = settings.jobs(["claims"], {})
    if more:
        raise UserError(f"Claims are measured under one setting, not {len(more) + 1}: give each option one value.")
    if job.device == "auto":
        from backbone_bench.measure.devices.available import resolve  # loads torch

        job = replace(job, device=resolve("auto").name)
    return with_process_budget(replace(job, inputs=(), cross_check=False)), settings.timeout


def _job(template: "Job", request: "PairRequest", network: "Network") -> "Job":
    return replace(
        template,
        model=network.model,
        arguments=network.arguments or {},
        input_size=network.size,
        latency=request.quantity == "time",
        energy="required" if request.quantity == "energy" else "off",
    )


def _by(request: "PairRequest", template: "Job") -> "By":
    if request.quantity == "energy":
        return "energy"
    return usual(template.device)


def forecast(jobs: "Sequence[ComparisonJob]") -> "Answer":
    """What would run and how long it takes: at least to the first interim analysis, at most all rounds."""
    from backbone_bench.report.views.forecast import Forecast
    from backbone_bench.report.views.forecast import forecast as drawn
    from backbone_bench.run import estimate
    from backbone_bench.versus.series import rotations

    rows = []
    for number, rotation in enumerate(rotations(jobs), start=1):
        members = [jobs[place] for place in rotation.members]
        rule, is_fresh = members[0].question.rule, members[0].question.by == "energy"
        least, most = estimate.fresh_round(rotation.jobs) if is_fresh else estimate.live_round(rotation.jobs)
        title, budget_s = "; ".join(one.title for one in members), members[0].question.budget_s or math.inf
        shortest_s, longest_s = (
            min(count * round_s, max(budget_s, 2 * round_s))  # two rounds are taken however long they last
            for count, round_s in ((rule.interims[0], least), (rule.rounds, most))
        )
        rows.append(Forecast(number, title, shortest_s, longest_s))
    return drawn(rows)


def run_comparisons(
    jobs: "Sequence[ComparisonJob]", keep: Path | None, timeout_s: float | None, *, quiet: bool
) -> "tuple[list[Record], SeriesEnd]":
    """Run the comparisons; return all their records and how the series ended."""
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.records import store
    from backbone_bench.records.condensed import condensed
    from backbone_bench.versus.series import run_all

    records: list[Record] = []

    def take(record: "Record") -> None:
        small = condensed(record)
        records.append(small)
        if keep is not None:
            store.append(keep, small)

    with shown(quiet=quiet) as progress:
        rounds = partial(rounds_of, timeout_s=timeout_s, say=progress.say)
        ended = run_all(jobs, rounds, lambda number, count, title: progress.row(title, number, count), take)
    for failure in ended.failures:
        complain(failure)
    if ended.by is not None:
        kept = f"; their records are in {keep}" if keep else ""
        complain(f"{str(ended.by).rstrip('.')}: {len(ended.over)} of {len(jobs)} comparisons are finished{kept}.")
    return records, ended


def check_keep(keep: Path | None) -> None:
    from backbone_bench.records import store

    if keep is not None:
        if keep.suffix != ".jsonl":
            raise UserError(f"--keep {keep}: the file grows record by record, so its name must end in .jsonl.")
        store.check_writable(keep)
