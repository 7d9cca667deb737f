"""Many comparisons, one after the other: each is kept record by record, and one that fails costs itself only."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.base.signals import Interrupted, deferred
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.run.runner import RunJob
from backbone_bench.versus.rounds import compare_paired
from backbone_bench.versus.rule import ComparisonQuestion


class ComparisonJob(NamedTuple):
    """Two sides and what is asked of them."""

    title: str
    sides: tuple[Job, Job]
    question: ComparisonQuestion


class SeriesEnd(NamedTuple):
    """How many comparisons are over, those of them that failed, and what kept the others from being made."""

    over: int
    failures: tuple[str, ...]
    by: Interrupted | UserError | None = None

    @property
    def exit_code(self) -> int:
        if self.by is not None:
            return self.by.exit_code
        return CouldNotMeasure.exit_code if self.failures else 0


def run_all(
    contests: Sequence[ComparisonJob],
    run: RunJob,
    begin: Callable[[int, ComparisonJob], ProgressCallback],
    keep: Callable[[Record], None],
) -> SeriesEnd:
    """Hold them in order; `begin` hears of each, `keep` gets every record at once.

    A UserError of `keep` (a full disk) ends it all as a signal does.
    """
    over, failures = 0, []
    kept = deferred()(keep)
    try:
        for number, one in enumerate(contests, start=1):
            try:
                compare_paired(one.sides, one.question, begin(number, one), run, kept)
            except CouldNotMeasure as failure:
                failures.append(f"{one.title}: {failure}")
            over = number
    except (Interrupted, UserError) as ended:
        return SeriesEnd(over, tuple(failures), ended)
    return SeriesEnd(over, tuple(failures))
