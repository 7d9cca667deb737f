"""Run one job in a fresh worker process, so that a crash or a timeout costs its own row only.

The parent never loads torch: it waits, and takes no CPU cycles from what is
measured. A row that fails keeps what its worker had already reported.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import ValidationError

from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.base.signals import deferred
from backbone_bench.jobs.job import Job
from backbone_bench.records import PENDING, Missing, Record
from backbone_bench.run.messages import (
    MESSAGE,
    REQUEST,
    Done,
    Failed,
    Kept,
    Phase,
    Profile,
    ResolvedJob,
    ResolveJobs,
    WorkerRequest,
)


@dataclass(frozen=True, slots=True)
class JobResult:
    """Result of one job: its record, as far as there is one, and its failure, if it failed."""

    job: Job
    record: Record | None
    failure: Failed | None = None


RunJob = Callable[[Job, ProgressCallback], JobResult]

NO_WORKER = 70  # exit code of a child that has no worker to start
ENTRY = f"""import sys
try:
    from backbone_bench.run.worker import main
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit({NO_WORKER})
main()
"""  # the same in every version: a gate runs two versions
_START = f"import json, sys\nsys.path[:] = json.loads(sys.argv.pop())\n{ENTRY}"


class Worker(NamedTuple):
    """How to start a worker process."""

    command: tuple[str, ...]
    folder: Path | None = None  # its working directory; None: that of this process

    @classmethod
    def of(cls, path: Sequence[str] = sys.path, folder: Path | None = None) -> "Worker":
        """A worker that runs this interpreter with this import path; modules in its folder cannot shadow it."""
        return cls((sys.executable, "-P", "-c", _START, json.dumps(list(path))), folder)


def isolated(timeout_s: float | None = None, worker: Worker | None = None) -> RunJob:
    """A `RunJob` that runs each job in a fresh process with this timeout."""
    return lambda job, on_progress: run_isolated(job, on_progress, timeout_s, worker)


def run_isolated(
    job: Job, on_progress: ProgressCallback, timeout_s: float | None = None, worker: Worker | None = None
) -> JobResult:
    """Run one job in a fresh process and wait for it, at most `timeout_s`."""
    kept: Record | None = None
    with _child(Profile(job, tuple(sys.argv)), worker or Worker.of()) as process:
        try:
            for line in _lines(process, timeout_s):
                match MESSAGE.validate_json(line):
                    case Phase(name=name, share=share):
                        on_progress(name, share)
                    case Kept(record=kept):
                        pass
                    case Done(record=record):
                        return JobResult(job, record)
                    case Failed() as failure:
                        return _failed(job, kept, failure)
        except (TimeoutError, ValidationError) as error:
            return _failed(job, kept, Failed(_stop_reason(error, timeout_s), 3))
        return _failed(job, kept, Failed(_exit_reason(process.wait()), 3))


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
    with _child(ResolveJobs(tuple(jobs)), worker or Worker.of()) as process, suppress(ValidationError):
        for line in _lines(process, None):
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


@contextmanager
def _child(request: WorkerRequest, worker: Worker) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that has got its request; at the end its whole process group is killed."""
    with ExitStack() as end:
        with deferred():
            process = _start(worker)
            end.callback(_kill, process)
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died before it could read; its exit code will tell the reason
            _send(process.stdin, request)
        yield process


def _start(worker: Worker) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            worker.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=worker.folder,
            start_new_session=True,  # only the parent handles Ctrl-C
        )
    except OSError as error:  # for example: no more processes or open files are allowed
        raise CouldNotMeasure(f"Cannot start a process: {error.strerror}.") from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with deferred(), suppress(BrokenPipeError), process, suppress(ProcessLookupError):  # closes the pipes and waits
        os.killpg(process.pid, signal.SIGKILL)


def _send(stdin: IO[bytes], request: WorkerRequest) -> None:
    """Send the request; stdin stays open, because its end tells the child that the parent is gone."""
    stdin.write(REQUEST.dump_json(request, exclude_defaults=True) + b"\n")  # an older worker knows no newer field
    stdin.flush()


_POLL_S = 1.0  # how often a silent child is polled for whether it still runs


def _lines(process: subprocess.Popen[bytes], timeout_s: float | None) -> Iterator[bytes]:
    """Lines that the child writes, until it ends. Raises TimeoutError after `timeout_s`.

    The end of the pipe alone is not enough: a process that the child left behind may hold it open.
    """
    assert process.stdout is not None
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left_s = _POLL_S if deadline_s is None else deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            if selector.select(min(_POLL_S, left_s)):
                if not (chunk := os.read(process.stdout.fileno(), 1 << 16)):
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
            elif process.poll() is not None:
                return


def _stop_reason(error: Exception, timeout_s: float | None) -> str:
    """Why the parent stopped the process: its timeout is over, or its model wrote into our pipe."""
    if isinstance(error, TimeoutError):
        return f"ran past the timeout of {timeout_s:g} s"
    return "wrote into the pipe of the worker process: a model must not write to file descriptors that it did not open"


def _exit_reason(code: int) -> str:
    """Why a process ended without its last message."""
    if code == -signal.SIGKILL:
        return "was killed (signal 9): out of memory, most likely"
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), "no name")
        return f"ended by signal {-code} ({name})"
    if code == NO_WORKER:
        return "could not start: the backbone-bench there has no worker of this version"
    return f"ended early with exit code {code}"
