"""Many jobs, one after the other: what is finished is kept, whatever comes.

A signal ends a sweep between rows or within one; never while a finished row is
being written.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from backbone_bench.base.errors import UserError, visible
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.base.signals import Interrupted, deferred
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.run.runner import JobResult, RunJob

T = TypeVar("T")


class Sweep(NamedTuple):
    """The rows that are over, and what kept the others from being run, if anything did."""

    outcomes: tuple[JobResult, ...]
    ended: Interrupted | UserError | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(outcome.record for outcome in self.outcomes if outcome.record is not None)

    @property
    def exit_code(self) -> int:
        """That of what ended it, else the gravest of the rows' (2 before 3)."""
        if self.ended is not None:
            return self.ended.exit_code
        return min((outcome.failure.exit_code for outcome in self.outcomes if outcome.failure), default=0)


def sweep(
    jobs: Sequence[Job], run: RunJob, begin: Callable[[int, Job], ProgressCallback], keep: Callable[[JobResult], None]
) -> Sweep:
    """Run the jobs in order; `begin` hears of each row and hears its phases, `keep` gets each that is over.

    A UserError of `keep` (a full disk) ends the sweep as a signal does.
    """
    outcomes: list[JobResult] = []
    try:
        for number, job in enumerate(jobs, start=1):
            outcome = run(job, begin(number, job))
            with deferred():
                outcomes.append(outcome)
                keep(outcome)
    except (Interrupted, UserError) as ended:
        return Sweep(tuple(outcomes), ended)
    return Sweep(tuple(outcomes))


def shard(jobs: Sequence[T], number: int, of: int) -> Sequence[T]:
    """Every so-many-th job: the shards 1/n to n/n together are all jobs, each once."""
    return jobs[number - 1 :: of]


def parse_shard(text: str) -> tuple[int, int]:
    """`2/5` as numbers; raise UserError where it is no such part."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard {visible(text)}: write it as 1/4 to 4/4, for the first to the last of four parts.")
    return int(match[1]), int(match[2])
