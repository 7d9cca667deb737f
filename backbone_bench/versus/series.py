"""Many comparisons, one after the other: each is kept record by record, and one that fails costs itself only."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.base.signals import Stopped, held
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.run.runner import Run, Told
from backbone_bench.versus.rounds import contest
from backbone_bench.versus.rule import Question


class Contest(NamedTuple):
    """Two sides and what is asked of them."""

    title: str
    sides: tuple[Job, Job]
    question: Question


class Ended(NamedTuple):
    """How many comparisons are over, those of them that failed, and what kept the others from being made."""

    over: int
    failures: tuple[str, ...]
    by: Stopped | UserError | None = None

    @property
    def exit_code(self) -> int:
        if self.by is not None:
            return self.by.exit_code
        return CouldNotMeasure.exit_code if self.failures else 0


def hold(
    contests: Sequence[Contest], run: Run, begin: Callable[[int, Contest], Told], keep: Callable[[Record], None]
) -> Ended:
    """Hold them in order; `begin` hears of each, `keep` gets every record at once.

    A UserError of `keep` (a full disk) ends it all as a signal does.
    """
    over, failures = 0, []
    kept = held()(keep)
    try:
        for number, one in enumerate(contests, start=1):
            try:
                contest(one.sides, one.question, begin(number, one), run, kept)
            except CouldNotMeasure as failure:
                failures.append(f"{one.title}: {failure}")
            over = number
    except (Stopped, UserError) as ended:
        return Ended(over, tuple(failures), ended)
    return Ended(over, tuple(failures))
