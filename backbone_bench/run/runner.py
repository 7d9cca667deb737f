"""Run one job in a fresh worker process, so that a crash or a timeout costs its own row only.

The parent never loads torch: it waits, and takes no CPU cycles from what is
measured. A row that fails keeps what its worker had already reported.
"""

import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from pydantic import ValidationError

from backbone_bench.base.errors import UserError
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.jobs.job import Job
from backbone_bench.records import PENDING, Missing, Record
from backbone_bench.run.messages import (
    MESSAGE,
    Done,
    Failed,
    Kept,
    Phase,
    Profile,
    ResolvedJob,
    ResolveJobs,
)
from backbone_bench.run.process import Child, Worker, child, exit_reason, stop_reason


@dataclass(frozen=True, slots=True)
class JobResult:
    """Result of one job: its record, as far as there is one, and its failure, if it failed."""

    job: Job
    record: Record | None
    failure: Failed | None = None


RunJob = Callable[[Job, ProgressCallback], JobResult]


class RunningJob:
    """A job in its worker process: what the process has reported, and the result as soon as there is one."""

    def __init__(self, job: Job, process: Child, on_progress: ProgressCallback, timeout_s: float | None) -> None:
        self.job, self.process = job, process
        self._on_progress, self._timeout_s = on_progress, timeout_s
        self._deadline_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        self._kept: Record | None = None
        self.has_closed = False  # it has closed its pipe, and goes on

    def wait(self) -> JobResult:
        """Wait for the result."""
        try:
            for line in self.process.lines(self._timeout_s):
                if (result := self._reported(line)) is not None:
                    return result
        except (TimeoutError, ValidationError) as error:
            return self._stopped(error)
        return self._ended()

    def poll(self) -> JobResult | None:
        """The result if there is one by now."""
        try:
            for line in self.process.arrived():
                if line is not None:
                    result = self._reported(line)
                elif self.process.process.poll() is None:
                    self.has_closed = True
                    break
                else:
                    result = self._ended()
                if result is not None:
                    return result
        except ValidationError as error:
            return self._stopped(error)
        return self._stopped(TimeoutError()) if time.monotonic() >= self._deadline_s else None

    def _reported(self, line: bytes) -> JobResult | None:
        match MESSAGE.validate_json(line):
            case Phase(name=name, share=share):
                self._on_progress(name, share)
            case Kept(record=record):
                self._kept = record
            case Done(record=record):
                return JobResult(self.job, record)
            case Failed() as failure:
                return _failed(self.job, self._kept, failure)
        return None

    def _stopped(self, error: Exception) -> JobResult:
        return _failed(self.job, self._kept, Failed(stop_reason(error, self._timeout_s), 3))

    def _ended(self) -> JobResult:
        left_s = None if self._timeout_s is None else max(0.0, self._deadline_s - time.monotonic())
        try:
            code = self.process.process.wait(left_s)
        except subprocess.TimeoutExpired:  # it has closed the pipe, and goes on
            return self._stopped(TimeoutError())
        return _failed(self.job, self._kept, Failed(exit_reason(code), 3))


def isolated(timeout_s: float | None = None, worker: Worker | None = None) -> RunJob:
    """A `RunJob` that runs each job in a fresh process with this timeout."""
    return lambda job, on_progress: run_isolated(job, on_progress, timeout_s, worker)


def run_isolated(
    job: Job,
    on_progress: ProgressCallback,
    timeout_s: float | None = None,
    worker: Worker | None = None,
    argv: Sequence[str] | None = None,
) -> JobResult:
    """Run one job in a fresh process and wait for it, at most `timeout_s`.

    `argv`: the command line that the record names; None: that of this process.
    """
    with started(job, on_progress, timeout_s, worker, argv) as running:
        return running.wait()


@contextmanager
def started(
    job: Job,
    on_progress: ProgressCallback,
    timeout_s: float | None = None,
    worker: Worker | None = None,
    argv: Sequence[str] | None = None,
) -> Iterator[RunningJob]:
    """A job that runs in a fresh process, which is killed at the end."""
    request = Profile(job, tuple(sys.argv if argv is None else argv))
    with child(request, worker or Worker.of()) as process:
        yield RunningJob(job, process, on_progress, timeout_s)


def run_in_process(job: Job, on_progress: ProgressCallback) -> JobResult:
    """Run one job in this process: a crash of the model crashes this process. Its prints still go to stderr."""
    from backbone_bench.run import worker  # loads torch when it runs a job

    kept: list[Record] = []
    with prints_to_stderr():
        try:
            last: Done | Failed = worker.profile(job, on_progress, kept.append)
        except Exception as error:  # the model is not ours: it may raise anything
            last = worker.unexpected(error)
    if isinstance(last, Failed):
        return _failed(job, kept[-1] if kept else None, last)
    return JobResult(job, last.record)


def resolve(jobs: Sequence[Job], worker: Worker | None = None) -> Sequence[ResolvedJob | None]:
    """Resolve jobs in a worker process; None for a job that cannot be resolved: running it will show the reason."""
    found: list[ResolvedJob | None] = []
    with child(ResolveJobs(tuple(jobs)), worker or Worker.of()) as process, suppress(ValidationError):
        for line in process.lines(None):
            message = MESSAGE.validate_json(line)
            found.append(message if isinstance(message, ResolvedJob) else None)
    # A model may have written into our pipe, or ended the process.
    return [*found, *[None] * (len(jobs) - len(found))]


def _failed(job: Job, kept: Record | None, failure: Failed) -> JobResult:
    """Result of a failed job: measured parts of the record stay; pending parts become Missing with the reason.

    A job that could not start (exit code 2) has no record.
    """
    if kept is None or (failure.exit_code == UserError.exit_code and kept.cost == PENDING):
        return JobResult(job, None, failure)
    missing = Missing("failed", failure.message)
    record = replace(
        kept,
        cost=missing if kept.cost == PENDING else kept.cost,
        latency=missing if kept.latency == PENDING else kept.latency,
        memory=missing if kept.memory == PENDING else kept.memory,
        energy=missing if kept.energy == PENDING else kept.energy,
        watch=missing if kept.watch == PENDING else kept.watch,
    )
    return JobResult(job, record, failure)
