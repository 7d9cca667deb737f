"""Run many jobs one after another and keep each finished row, whatever happens to the next.

A signal ends a sweep between two rows or within one, but never while a
finished row is written: there it is deferred.
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
    """Results of the finished rows, and the signal or error that ended the sweep early, if any."""

    results: tuple[JobResult, ...]
    ended: Interrupted | UserError | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(result.record for result in self.results if result.record is not None)

    @property
    def exit_code(self) -> int:
        """Exit code of the signal or error that ended the sweep, else the most serious of its rows (2 before 3)."""
        if self.ended is not None:
            return self.ended.exit_code
        return min((result.failure.exit_code for result in self.results if result.failure), default=0)


def sweep(
    jobs: Sequence[Job], run: RunJob, begin: Callable[[int, Job], ProgressCallback], keep: Callable[[JobResult], None]
) -> Sweep:
    """Run the jobs in order; `begin` returns the progress callback of a row, `keep` gets each finished row.

    A UserError of `keep` (a full disk) ends the sweep as a signal does.
    """
    results: list[JobResult] = []
    try:
        for number, job in enumerate(jobs, start=1):
            result = run(job, begin(number, job))
            with deferred():
                results.append(result)
                keep(result)
    except (Interrupted, UserError) as ended:
        return Sweep(tuple(results), ended)
    return Sweep(tuple(results))


def shard(jobs: Sequence[T], number: int, of: int) -> Sequence[T]:
    """Shard `number` of `of`: every `of`-th job. The shards 1/n to n/n together have every job once."""
    return jobs[number - 1 :: of]


def parse_shard(text: str) -> tuple[int, int]:
    """The two numbers of a shard such as `2/5`; raise UserError if it is not one."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard {visible(text)}: write it as 1/4 to 4/4, for the first to the last of four parts.")
    return int(match[1]), int(match[2])
