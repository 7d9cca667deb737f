"""Run the two sides of a comparison, base and head: in this process, in fresh ones, or in another checkout.

A side that fails raises Unpaired, which costs its own workload only.
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

Begin = Callable[[str], ProgressCallback]  # gets the name of a workload that starts; returns its progress callback
Jobs = Mapping[str, Job]


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
    """A function that runs a workload of the head `count` times, each in a fresh process."""
    run = head_side(run)

    def take(name: str, count: int) -> Sequence[Record]:
        on_progress = begin(name)
        found = []
        for number in range(count):
            outcome = run(jobs[name], within(on_progress, f"process {number + 1}", number, count))
            assert outcome.record is not None  # a job that has not failed has a record
            found.append(outcome.record)
        return found

    return take


def in_turn(jobs: Jobs, runs: tuple[RunJob, RunJob], begin: Begin) -> Take:
    """A function that takes rounds of base and head (in this order in `runs`), in alternating order."""
    return lambda name, count: [
        BaseHead(one.a, one.b) for one in rounds(jobs[name], jobs[name], count, begin(name), runs)
    ]


def head_side(run: RunJob) -> RunJob:
    """Run the head: a failure raises Unpaired with the verdict `invalid` and the exit code of the failure."""

    def attempt(job: Job, on_progress: ProgressCallback) -> JobResult:
        outcome = run(job, on_progress)
        if outcome.failure is not None:
            raise Unpaired(GateVerdict.INVALID, outcome.failure.message, exit_code=outcome.failure.exit_code)
        return outcome

    return attempt


def of_revision(at: Checkout, python: Path | None = None, timeout_s: float | None = None) -> RunJob:
    """Run the base in its checkout, with the interpreter `python` if one is given."""
    return base_side(str(at), runner.isolated(timeout_s, _worker(at, python)))


def base_side(name: str, run: RunJob) -> RunJob:
    """Run the base: what it does not have (exit code 2) is `new`; any other failure is `invalid`."""

    def attempt(job: Job, on_progress: ProgressCallback) -> JobResult:
        try:
            outcome = run(job, on_progress)
        except ValidationError:
            reason = (
                f"backbone-bench at {name} uses another message format, so one gate cannot run both: "
                f"use --baseline FILE in place of --base-ref"
            )
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
    """Absolute path of the program that a path or a name means in this folder. Raises UserError.

    The worker runs in another folder, where a relative path would mean another file.
    """
    found = which(python)
    if found is None:
        raise UserError(
            f"--base-python {python}: there is no such program. Name the Python interpreter of an environment."
        )
    return Path(found).absolute()  # not resolved: in a virtual environment the interpreter is a link to another folder
