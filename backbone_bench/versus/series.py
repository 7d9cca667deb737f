"""Run many comparisons one after another; every record is kept at once, and a failure costs its comparison only."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.base.signals import Interrupted, deferred
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.versus.compare import compare_paired
from backbone_bench.versus.rounds import TakeRound
from backbone_bench.versus.rule import By, ComparisonQuestion


class ComparisonJob(NamedTuple):
    """A comparison to run: its title, both jobs and the question."""

    title: str
    sides: tuple[Job, Job]
    question: ComparisonQuestion


class SeriesEnd(NamedTuple):
    """How a series ended: comparisons that are over, failures, and the signal or error that ended it early."""

    over: int
    failures: tuple[str, ...]  # a sentence for each comparison that failed
    by: Interrupted | UserError | None = None

    @property
    def exit_code(self) -> int:
        if self.by is not None:
            return self.by.exit_code
        return CouldNotMeasure.exit_code if self.failures else 0


def run_all(
    comparisons: Sequence[ComparisonJob],
    rounds_of: Callable[[By], TakeRound],
    begin: Callable[[int, ComparisonJob], ProgressCallback],
    keep: Callable[[Record], None],
) -> SeriesEnd:
    """Run the comparisons in order; `begin` returns the progress callback of each, `keep` gets every record at once.

    A UserError of `keep` (a full disk) ends the series as a signal does.
    """
    over, failures = 0, []
    kept = deferred()(keep)
    try:
        for number, job in enumerate(comparisons, start=1):
            try:
                compare_paired(job.sides, job.question, begin(number, job), rounds_of(job.question.by), kept)
            except CouldNotMeasure as failure:
                failures.append(f"{job.title}: {failure}")
            over = number
    except (Interrupted, UserError) as ended:
        return SeriesEnd(over, tuple(failures), ended)
    return SeriesEnd(over, tuple(failures))
