"""One row of a run, in a process of its own.

A question comes in as a line on stdin; what happens goes out as lines of JSON on the
pipe that stdout was. The model's own prints go to stderr, and it has nothing to
read. When stdin ends, the parent is gone, and so is this process.
"""

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import IO, TypeVar

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
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
    WorkerMessage,
    WorkerRequest,
)

T = TypeVar("T")


def main() -> None:
    """Run the job that is read; end at once then: threads that a model left behind do not hold it up."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    me = os.getpid()

    def send(message: WorkerMessage) -> None:
        if os.getpid() != me:
            os._exit(1)  # a process that the model forked has come back through our code
        answers.write(MESSAGE.dump_json(message) + b"\n")
        answers.flush()

    def hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        send(unexpected(error))

    sys.excepthook = hook
    question = _question(asked)
    threading.Thread(target=_end_with_parent, args=(asked,), daemon=True).start()
    warnings.simplefilter("ignore")  # those of dependencies are not for the user's terminal
    match question:
        case Profile(job=job, argv=argv):
            sys.argv[:] = argv
            send(profile(job, _sparing(send), lambda record: send(Kept(record))))
        case ResolveJobs(jobs=jobs):
            for job in jobs:
                send(resolve(job))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _question(asked: IO[bytes]) -> WorkerRequest:
    words = asked.readline()
    if not words:
        os._exit(1)  # the parent was gone before it could ask
    return REQUEST.validate_json(words)


def unexpected(error: BaseException) -> Failed:
    """A bug, ours or the model's, keeps its traceback, and the row says what it was."""
    sys.__excepthook__(type(error), error, error.__traceback__)
    return Failed(f"failed: {traceback.format_exception_only(error)[-1].splitlines()[0]}", 3)


def _sparing(send: Callable[[WorkerMessage], None]) -> ProgressCallback:
    """Progress in steps of 5 %: whoever draws it takes cycles from what is measured."""
    said = ("", -1)

    def tell(name: str, share: float) -> None:
        nonlocal said
        step = (name, int(20 * share))
        if step != said:
            send(Phase(name, share))
        said = step

    return tell


def profile(job: Job, on_progress: ProgressCallback, keep: Callable[[Record], None]) -> Done | Failed:
    """The record of a job, made in this process; an error that is the user's to mend becomes a message."""
    from backbone_bench import profiler  # loads torch

    return _in_words(job, lambda: Done(profiler.profile(job, on_progress, keep)))


def resolve(job: Job) -> ResolvedJob | Failed:
    """What a job would run, and where."""
    from backbone_bench import profiler  # loads torch

    return _in_words(job, lambda: ResolvedJob(*profiler.resolve(job)))


def _in_words(job: Job, work: Callable[[], T]) -> T | Failed:
    try:
        return work()
    except UserError as error:
        return Failed(str(error), error.exit_code)
    except SystemExit as error:  # only the model can have asked for it
        return Failed(f"{job.model} called sys.exit({error.code!r})", 3)
    except MemoryError:
        return Failed("ran out of memory", 3)


def _end_with_parent(asked: IO[bytes]) -> None:
    while asked.read(1):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with whatever the model has started
    os._exit(1)
