"""The worker process: it handles one request of its parent, such as one row of a run.

The request is one line of JSON on stdin; messages go out as JSON Lines on the
original stdout. The model's own prints go to stderr, and its stdin is empty.
When our stdin ends, the parent is gone, and this process ends too.
"""

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import IO, TypeVar

from pydantic import ValidationError

from backbone_bench.base.errors import OutOfMemory, UserError
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.jobs.job import Job
from backbone_bench.jobs.turns import TURN_REQUEST, Burst, Needs, Ready, Sampled, TurnCaller, TurnRequest
from backbone_bench.records import Record
from backbone_bench.run.messages import (
    MESSAGE,
    REQUEST,
    UNKNOWN_REQUEST,
    Done,
    Failed,
    Kept,
    Live,
    Phase,
    Profile,
    ResolvedJob,
    ResolveJobs,
    WorkerMessage,
    WorkerRequest,
)

T = TypeVar("T")


def main() -> None:
    """Handle one request, then end at once: threads that a model left behind do not delay the end."""
    requests, messages = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    own_pid = os.getpid()

    def send(message: WorkerMessage) -> None:
        if os.getpid() != own_pid:
            os._exit(1)  # a process that the model forked has returned into our code
        messages.write(MESSAGE.dump_json(message) + b"\n")
        messages.flush()

    def send_crash(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        send(unexpected(error))

    sys.excepthook = send_crash
    request = _read_request(requests, send)
    turns: SimpleQueue[TurnRequest] = SimpleQueue()
    threading.Thread(target=_read_turns, args=(requests, turns), daemon=True).start()
    warnings.simplefilter("ignore")  # warnings of dependencies are not for the user's terminal
    _answer(request, send, turns)
    with suppress(ValueError):  # the model has closed it
        sys.stdout.flush()
    with suppress(ValueError):
        sys.stderr.flush()
    os._exit(0)


def _answer(request: WorkerRequest, send: Callable[[WorkerMessage], None], turns: "SimpleQueue[TurnRequest]") -> None:
    match request:
        case Profile(job=job, argv=argv):
            sys.argv[:] = argv
            send(profile(job, _sparing(send), lambda record: send(Kept(record))))
        case Live(argv=argv):
            sys.argv[:] = argv
            send(live(request, _Parent(send, turns), _sparing(send)))
        case ResolveJobs(jobs=jobs):
            for job in jobs:
                send(resolve(job))


def _read_request(requests: IO[bytes], send: Callable[[WorkerMessage], None]) -> WorkerRequest:
    line = requests.readline()
    if not line:
        os._exit(1)  # the parent was gone before it sent a request
    try:
        return REQUEST.validate_json(line)
    except ValidationError:
        send(Failed(UNKNOWN_REQUEST, 3))
        os._exit(0)


def unexpected(error: BaseException) -> Failed:
    """The failure of a job by a bug, ours or the model's; its traceback goes to stderr."""
    sys.__excepthook__(type(error), error, error.__traceback__)
    return Failed(f"failed: {traceback.format_exception_only(error)[-1].splitlines()[0]}", 3)


def _sparing(send: Callable[[WorkerMessage], None]) -> ProgressCallback:
    """Progress callback that sends steps of 5 % only: drawing them takes CPU cycles from what is measured."""
    last_step = ("", -1)

    def on_progress(name: str, share: float) -> None:
        nonlocal last_step
        step = (name, int(20 * share))
        if step != last_step:
            send(Phase(name, share))
        last_step = step

    return on_progress


def profile(job: Job, on_progress: ProgressCallback, keep: Callable[[Record], None]) -> Done | Failed:
    """Profile a job in this process; an error that the user can fix becomes a message. `keep` gets partial records."""
    from backbone_bench import profiler  # loads torch

    return _or_failed(job, lambda: Done(profiler.profile(job, on_progress, keep)))


def live(request: Live, caller: TurnCaller, on_progress: ProgressCallback) -> Done | Failed:
    """Profile a job in this process, its latency in the turns that the caller asks for."""
    from backbone_bench import profiler  # loads torch

    turns = profiler.Turns(caller, request.cores, request.partners)
    return _or_failed(request.task, lambda: Done(profiler.profile_in_turns(request.task, turns, on_progress)))


class _Parent:
    """The parent of this process, as the one who asks for bursts."""

    def __init__(self, send: Callable[[WorkerMessage], None], turns: "SimpleQueue[TurnRequest]") -> None:
        self._send, self._turns = send, turns

    def build(self, needs: Needs) -> None:
        self._send(needs)
        self._turns.get()

    def next_burst(self, last: Ready | Sampled) -> Burst | None:
        self._send(last)
        request = self._turns.get()
        return request if isinstance(request, Burst) else None


def resolve(job: Job) -> ResolvedJob | Failed:
    """Resolve a job to its workload and environment in this process, without running it."""
    from backbone_bench import profiler  # loads torch

    return _or_failed(job, lambda: ResolvedJob(*profiler.resolve(job)))


def _or_failed(job: Job, work: Callable[[], T]) -> T | Failed:
    try:
        return work()
    except UserError as error:
        return Failed(str(error), error.exit_code, isinstance(error, OutOfMemory))
    except SystemExit as error:  # only the model can have raised it
        return Failed(f"{job.model} called sys.exit({error.code!r})", 3)
    except MemoryError:
        return Failed("ran out of memory", 3, out_of_memory=True)


def _read_turns(requests: IO[bytes], turns: "SimpleQueue[TurnRequest]") -> None:
    """Pass on what the parent asks; when stdin ends the parent is gone: then kill this process and its children."""
    for line in requests:
        turns.put(TURN_REQUEST.validate_json(line))
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with every process that the model has started
    os._exit(1)
