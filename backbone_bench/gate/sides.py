"""The sides of a gate's comparisons, and how each is run: in this process, in fresh ones, in another checkout.

A side that fails raises Unpaired: it costs its own workload only.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from shutil import which

from pydantic import ValidationError

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import ProgressCallback, within
from backbone_bench.gate import stored
from backbone_bench.gate.checkout import Checkout
from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.session import Take, Unpaired
from backbone_bench.gate.verdicts import GateVerdict
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.run import runner
from backbone_bench.run.runner import JobResult, RunJob, Worker
from backbone_bench.versus.rounds import rounds

Begin = Callable[[str], ProgressCallback]  # a workload is begun; what is returned hears how it goes
Jobs = Mapping[str, Job]


def counts_only(jobs: Jobs) -> bool:
    """Whether nothing is measured, so that one round tells all."""
    return not any(job.latency or job.energy != "off" for job in jobs.values())


def named(jobs: Iterable[Job]) -> Jobs:
    """The jobs by a name each; those that are told apart by nothing in it get a number."""
    found: dict[str, Job] = {}
    for job in jobs:
        name, number = str(job), 1
        while name in found:
            number += 1
            name = f"{job} #{number}"
        found[name] = job
    return found


def counted(jobs: Jobs) -> stored.FetchRecords:
    """Counts alone, all in this process."""

    def count(name: str, _count: int) -> Sequence[Record]:
        from backbone_bench import profiler  # loads torch

        try:
            return [profiler.count(jobs[name])]
        except UserError as error:
            raise Unpaired(GateVerdict.INVALID, str(error), exit_code=error.exit_code) from None

    return count


def fresh(jobs: Jobs, run: RunJob, begin: Begin) -> stored.FetchRecords:
    """Records of now, each from a process of its own."""
    run = head_side(run)

    def take(name: str, count: int) -> Sequence[Record]:
        told = begin(name)
        found = []
        for number in range(count):
            outcome = run(jobs[name], within(told, f"process {number + 1}", number, count))
            assert outcome.record is not None  # what has not failed has a record
            found.append(outcome.record)
        return found

    return take


def in_turn(jobs: Jobs, runs: tuple[RunJob, RunJob], begin: Begin) -> Take:
    """Rounds of both sides, in alternating order."""
    return lambda name, count: [
        BaseHead(one.a, one.b) for one in rounds(jobs[name], jobs[name], count, begin(name), runs)
    ]


def head_side(run: RunJob) -> RunJob:
    """The working tree's side: what fails is invalid, and its exit code is the gate's."""

    def attempt(job: Job, on_progress: ProgressCallback) -> JobResult:
        outcome = run(job, on_progress)
        if outcome.failure is not None:
            raise Unpaired(GateVerdict.INVALID, outcome.failure.message, exit_code=outcome.failure.exit_code)
        return outcome

    return attempt


def of_revision(at: Checkout, python: Path | None = None, timeout_s: float | None = None) -> RunJob:
    """The revision's side, in its own checkout, under its own interpreter where one is given."""
    return base_side(str(at), runner.isolated(timeout_s, _worker(at, python)))


def base_side(name: str, run: RunJob) -> RunJob:
    """The older side: what it does not have is new, and another way to fail is invalid."""

    def attempt(job: Job, on_progress: ProgressCallback) -> JobResult:
        try:
            outcome = run(job, on_progress)
        except ValidationError:
            reason = f"the backbone-bench of {name} speaks another protocol: one gate cannot run both"
            raise Unpaired(GateVerdict.INVALID, reason) from None
        if outcome.failure is not None:
            lacks = outcome.failure.exit_code == UserError.exit_code
            raise Unpaired(GateVerdict.NEW if lacks else GateVerdict.INVALID, f"at {name}: {outcome.failure.message}")
        return outcome

    return attempt


def _worker(at: Checkout, python: Path | None) -> Worker:
    folder = at.place(Path.cwd())
    if python is None:
        return Worker.of(at.import_path(sys.path), folder)
    return Worker((str(python), "-c", runner.ENTRY), folder)


def interpreter(python: Path) -> Path:
    """The program that a path or a bare name means here: the worker runs in another folder. Raises UserError."""
    found = which(python)
    if found is None:
        raise UserError(f"--base-python {python}: there is no such program. Name the interpreter of an environment.")
    return Path(found).absolute()  # not resolved: an environment's interpreter is a link out of it
