"""One job in a fresh process, so that what befalls it costs its own row only.

The parent never loads torch: it waits, and takes no cycles from what is
measured. A row that ends badly keeps what was known of it when it ended.
"""

import contextlib
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
    """A row that is over: its record, as far as there is one, and what went wrong, if anything did."""

    job: Job
    record: Record | None
    failure: Failed | None = None


RunJob = Callable[[Job, ProgressCallback], JobResult]

ENTRY = "from backbone_bench.run.worker import main; main()"  # the same in every version: a gate runs two of them
_START = f"import json, sys; sys.path[:] = json.loads(sys.argv.pop()); {ENTRY}"


class Worker(NamedTuple):
    """The process that a job is handed to."""

    command: tuple[str, ...]
    folder: Path | None = None  # where it runs; None: here

    @classmethod
    def of(cls, path: Sequence[str] = sys.path, folder: Path | None = None) -> "Worker":
        """This interpreter, importing from the places that this process does, whatever lies in its folder."""
        return cls((sys.executable, "-P", "-c", _START, json.dumps(list(path))), folder)


def isolated(timeout_s: float | None = None, worker: Worker | None = None) -> RunJob:
    """Each job in a fresh process that may take so long."""
    return lambda job, told: run_isolated(job, told, timeout_s, worker)


def run_isolated(
    job: Job, on_progress: ProgressCallback, timeout_s: float | None = None, worker: Worker | None = None
) -> JobResult:
    """Run one job in a fresh process and wait for it; `timeout_s` is the most it may take."""
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
            return _failed(job, kept, Failed(_cut_off(error, timeout_s), 3))
        return _failed(job, kept, Failed(_exit_reason(process.wait()), 3))


def run_in_process(job: Job, on_progress: ProgressCallback) -> JobResult:
    """Run one job here: a crash of the model is a crash of this process; its prints still go to stderr."""
    from backbone_bench.run import worker  # its work loads torch

    kept: list[Record] = []
    with contextlib.redirect_stdout(sys.stderr):
        try:
            end: Done | Failed = worker.profile(job, on_progress, kept.append)
        except Exception as error:  # the model is not ours: it may raise anything
            end = worker.unexpected(error)
    if isinstance(end, Failed):
        return _failed(job, kept[-1] if kept else None, end)
    return JobResult(job, end.record)


def resolve(jobs: Sequence[Job], worker: Worker | None = None) -> Sequence[ResolvedJob | None]:
    """What each job would run, and where; None where that cannot be said, as running it will show."""
    found: list[ResolvedJob | None] = []
    with _child(ResolveJobs(tuple(jobs)), worker or Worker.of()) as process, suppress(ValidationError):
        for line in _lines(process, None):
            message = MESSAGE.validate_json(line)
            found.append(message if isinstance(message, ResolvedJob) else None)
    # A model may have written into our pipe, or taken the process down.
    return [*found, *[None] * (len(jobs) - len(found))]


def _failed(job: Job, kept: Record | None, failure: Failed) -> JobResult:
    """What was known before the failure stays; what was still to come says why it did not.

    A job that nobody could run (exit code 2) has no record.
    """
    if kept is None or (failure.exit_code == UserError.exit_code and kept.cost == PENDING):
        return JobResult(job, None, failure)
    lost = Missing("failed", failure.message)
    record = replace(
        kept,
        cost=lost if kept.cost == PENDING else kept.cost,
        latency=lost if kept.latency == PENDING else kept.latency,
        memory=lost if kept.memory == PENDING else kept.memory,
        energy=lost if kept.energy == PENDING else kept.energy,
        watch=lost if kept.watch == PENDING else kept.watch,
    )
    return JobResult(job, record, failure)


@contextmanager
def _child(question: WorkerRequest, worker: Worker) -> Iterator[subprocess.Popen[bytes]]:
    """The process with its job; whatever of it and its own children is left in the end is killed."""
    with ExitStack() as end:
        with deferred():
            process = _start(worker)
            end.callback(_kill, process)
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died before it could read; how, its end will tell
            _ask(process.stdin, question)
        yield process


def _start(worker: Worker) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            worker.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=worker.folder,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
    except OSError as error:  # no more processes or files are allowed, say
        raise CouldNotMeasure(f"Cannot start a process: {error.strerror}.") from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with deferred(), suppress(BrokenPipeError), process, suppress(ProcessLookupError):  # closes the pipes and waits
        os.killpg(process.pid, signal.SIGKILL)


def _ask(stdin: IO[bytes], question: WorkerRequest) -> None:
    """Hand the question over; stdin stays open, since its end tells the child that the parent is gone."""
    stdin.write(REQUEST.dump_json(question) + b"\n")
    stdin.flush()


_LOOK_S = 1.0  # how often a child that says nothing is asked whether it is still there


def _lines(process: subprocess.Popen[bytes], timeout_s: float | None) -> Iterator[bytes]:
    """What the child writes, line by line, until it ends; raise TimeoutError when its time is over.

    The pipe's own end is not enough: a process that the child has left behind may hold it open.
    """
    assert process.stdout is not None
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    rest = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while True:
            left_s = _LOOK_S if deadline_s is None else deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            if waiting.select(min(_LOOK_S, left_s)):
                if not (chunk := os.read(process.stdout.fileno(), 1 << 16)):
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
            elif process.poll() is not None:
                return


def _cut_off(error: Exception, timeout_s: float | None) -> str:
    """Why a process is listened to no longer: its time is over, or its model has written into our pipe."""
    if isinstance(error, TimeoutError):
        return f"ran past the timeout of {timeout_s:g} s"
    return "wrote where its answers go: leave file descriptors of others alone"


def _exit_reason(code: int) -> str:
    """Why a process ended without a word."""
    if code == -signal.SIGKILL:
        return "was killed (signal 9): out of memory, most likely"
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), "of no name")
        return f"ended by signal {-code} ({name})"
    return f"ended early with exit code {code}"
