"""Run the two sides of a comparison, base and head: in this process, in fresh ones, or in another checkout.

A side that fails raises Unpaired, which costs its own workload only.
"""

import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from shutil import which

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import ProgressCallback, of_whole, within
from backbone_bench.gate import stored
from backbone_bench.gate.checkout import Checkout
from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.session import Take, Unpaired
from backbone_bench.gate.verdicts import GateVerdict
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.run import runner
from backbone_bench.run.live import SideFailed
from backbone_bench.run.messages import Failed
from backbone_bench.run.process import ENTRY, Worker
from backbone_bench.run.runner import RunJob
from backbone_bench.versus.rounds import FreshRounds, LiveRounds, RoundPlace, TakeRound

Begin = Callable[[str], ProgressCallback]  # gets the name of a workload that starts; returns its progress callback
Jobs = Mapping[str, Job]
FailedSide = Callable[[SideFailed], Unpaired]  # what the failure of one side of a round means


def counts_only(jobs: Jobs) -> bool:
    """Whether the jobs only count and measure nothing, so that one round is enough."""
    return not any(job.latency or job.energy != "off" for job in jobs.values())


def named(jobs: Iterable[Job]) -> Jobs:
    """The jobs by name; jobs of the same name get a number."""
    found: dict[str, Job] = {}
    for job in jobs:
        name, number = str(job), 1
        while name in found:
            number += 1
            name = f"{job} #{number}"
        found[name] = job
    return found


def counted(jobs: Jobs) -> stored.FetchRecords:
    """A function that counts a workload in this process and measures nothing."""

    def count(name: str, _count: int) -> Sequence[Record]:
        from backbone_bench import profiler  # loads torch

        try:
            return [profiler.count(jobs[name])]
        except UserError as error:
            raise Unpaired(GateVerdict.INVALID, str(error), exit_code=error.exit_code) from None

    return count


def fresh(jobs: Jobs, run: RunJob, begin: Begin) -> stored.FetchRecords:
    """A function that runs a workload of the head `count` times, each in a fresh process; a failure is `invalid`."""

    def take(name: str, count: int) -> Sequence[Record]:
        on_progress = begin(name)
        found = []
        for number in range(count):
            outcome = run(jobs[name], within(on_progress, f"process {number + 1}", number, count))
            if outcome.failure is not None:
                raise _invalid(outcome.failure)
            assert outcome.record is not None  # a job that has not failed has a record
            found.append(outcome.record)
        return found

    return take


def in_turn(jobs: Jobs, take: TakeRound, failed: FailedSide, begin: Begin) -> Take:
    """A function that takes rounds of base and head, in this order; a side that fails raises Unpaired."""

    def rounds(name: str, count: int) -> Sequence[BaseHead]:
        on_progress, found, comparison = begin(name), [], str(uuid.uuid4())
        for number in range(count):
            place = RoundPlace(comparison, number + 1)
            try:
                base, head = take([jobs[name]] * 2, place, of_whole(on_progress, number, count))
            except SideFailed as failure:
                raise failed(failure) from None
            found.append(BaseHead(base, head))
        return found

    return rounds


def failed_here(error: SideFailed) -> Unpaired:
    """Both sides are the same code: a failure is `invalid`, with its exit code."""
    return _invalid(error.failure)


def failed_beside(base: str) -> FailedSide:
    """What the base does not have (exit code 2) is `new`; any other failure, of either side, is `invalid`."""

    def meaning(error: SideFailed) -> Unpaired:
        if error.place != 0:
            return _invalid(error.failure)
        lacks = error.failure.exit_code == UserError.exit_code
        return Unpaired(GateVerdict.NEW if lacks else GateVerdict.INVALID, f"at {base}: {error.failure.message}")

    return meaning


def _invalid(failure: Failed) -> Unpaired:
    return Unpaired(GateVerdict.INVALID, failure.message, exit_code=failure.exit_code)


def itself(timeout_s: float | None, say: Callable[[str], None]) -> TakeRound:
    """Take rounds of a job against itself."""
    return LiveRounds(FreshRounds([runner.isolated(timeout_s)]), say, timeout_s)


def with_revision(at: Checkout, python: Path | None, timeout_s: float | None, say: Callable[[str], None]) -> TakeRound:
    """Take rounds of the base in its checkout, with the interpreter `python` if one is given, and of the head."""
    return _beside(worker(at, python), None, timeout_s, say)


def between(base: Checkout, head: Checkout, timeout_s: float | None, say: Callable[[str], None]) -> TakeRound:
    """Take rounds of two checkouts."""
    return _beside(worker(base), worker(head), timeout_s, say)


def _beside(base: Worker, head: Worker | None, timeout_s: float | None, say: Callable[[str], None]) -> TakeRound:
    fresh = FreshRounds((runner.isolated(timeout_s, base), runner.isolated(timeout_s, head)))
    return LiveRounds(fresh, say, timeout_s, (base, head))


def worker(at: Checkout, python: Path | None = None) -> Worker:
    """How to start a process in a checkout, in the folder of it that this process runs in."""
    folder = at.place(Path.cwd())
    if python is None:
        return Worker.of(at.import_path(sys.path), folder)
    return Worker((str(python), "-c", ENTRY), folder)


def interpreter(python: Path) -> Path:
    """Absolute path of the program that a path or a name means in this folder. Raises UserError.

    The worker runs in another folder, where a relative path would mean another file.
    """
    found = which(python)
    if found is None:
        raise UserError(
            f"--base-python {python}: there is no such program. Name the Python interpreter of an environment."
        )
    return Path(found).absolute()  # not resolved: in a virtual environment the interpreter is a link to another folder
