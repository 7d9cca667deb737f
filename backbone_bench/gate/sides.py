"""The sides of a gate's comparisons, and how each is run: in this process, in fresh ones, in another checkout.

A side that fails raises Unpaired: it costs its own workload only.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from shutil import which

from pydantic import ValidationError

from backbone_bench.base.errors import UserError
from backbone_bench.gate import stored
from backbone_bench.gate.checkout import Checkout
from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.session import Take, Unpaired
from backbone_bench.gate.verdicts import Verdict
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.run import runner
from backbone_bench.run.runner import Outcome, Run, Told, Worker
from backbone_bench.versus.rounds import rounds

Begin = Callable[[str], Told]  # a workload is begun; what is returned hears how it goes
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


def counted(jobs: Jobs) -> stored.Run:
    """Counts alone, all in this process."""

    def count(name: str, _count: int) -> Sequence[Record]:
        from backbone_bench import profiler  # loads torch

        try:
            return [profiler.count(jobs[name])]
        except UserError as error:
            raise Unpaired(Verdict.INVALID, str(error), exit_code=error.exit_code) from None

    return count


def fresh(jobs: Jobs, run: Run, begin: Begin) -> stored.Run:
    """Records of now, each from a process of its own."""
    run = here(run)

    def take(name: str, count: int) -> Sequence[Record]:
        told = begin(name)
        found = []
        for number in range(count):
            outcome = run(jobs[name], _within(told, number, count))
            assert outcome.record is not None  # what has not failed has a record
            found.append(outcome.record)
        return found

    return take


def _within(told: Told, number: int, count: int) -> Told:
    return lambda phase, share: told(f"process {number + 1}: {phase}", (number + share) / count)


def in_turn(jobs: Jobs, runs: tuple[Run, Run], begin: Begin) -> Take:
    """Rounds of both sides, in alternating order."""
    return lambda name, count: [
        BaseHead(one.a, one.b) for one in rounds(jobs[name], jobs[name], count, begin(name), runs)
    ]


def here(run: Run) -> Run:
    """The working tree's side: what fails is invalid, and its exit code is the gate's."""

    def attempt(job: Job, told: Told) -> Outcome:
        outcome = run(job, told)
        if outcome.failure is not None:
            raise Unpaired(Verdict.INVALID, outcome.failure.message, exit_code=outcome.failure.exit_code)
        return outcome

    return attempt


def of_revision(at: Checkout, python: Path | None = None, timeout_s: float | None = None) -> Run:
    """The revision's side, in its own checkout, under its own interpreter where one is given."""
    return there(str(at), runner.isolated(timeout_s, _worker(at, python)))


def there(name: str, run: Run) -> Run:
    """The older side: what it does not have is new, and another way to fail is invalid."""

    def attempt(job: Job, told: Told) -> Outcome:
        try:
            outcome = run(job, told)
        except ValidationError:
            reason = f"the backbone-bench of {name} speaks another protocol: one gate cannot run both"
            raise Unpaired(Verdict.INVALID, reason) from None
        if outcome.failure is not None:
            lacks = outcome.failure.exit_code == UserError.exit_code
            raise Unpaired(Verdict.NEW if lacks else Verdict.INVALID, f"at {name}: {outcome.failure.message}")
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
