"""One row of a run, in a process of its own.

A job comes in as a line on stdin; what happens goes out as lines of JSON on the
pipe that stdout was. The model's own prints go to stderr, and it has nothing to
read. When stdin ends, the parent is gone, and so is this process.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import IO

from backbone_bench.errors import UserError
from backbone_bench.messages import ASKED, MESSAGE, Asked, Done, Failed, Here, Kept, Message, Phase
from backbone_bench.records import Record


def main() -> None:
    """Run the job that is read; end at once then: threads that a model left behind do not hold it up."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    me = os.getpid()

    def send(message: Message) -> None:
        if os.getpid() != me:
            os._exit(1)  # a process that the model forked has come back through our code
        answers.write(MESSAGE.dump_json(message) + b"\n")
        answers.flush()

    question = ASKED.validate_json(asked.readline())
    sys.argv[:] = question.argv
    threading.Thread(target=_end_with_parent, args=(asked,), daemon=True).start()
    warnings.simplefilter("ignore")  # those of dependencies are not for the user's terminal
    send(answer(question, lambda name, share: send(Phase(name, share)), lambda record: send(Kept(record))))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def answer(asked: Asked, told: Callable[[str, float], None], keep: Callable[[Record], None]) -> Done | Here | Failed:
    """Do what is asked in this process; an error that is the user's to mend becomes a message."""
    from backbone_bench import profiler  # loads torch

    try:
        if asked.wanted == "environment":
            return Here(profiler.surroundings(asked.job))
        return Done(profiler.profile(asked.job, told, keep))
    except UserError as error:
        return Failed(str(error), error.exit_code)
    except SystemExit as error:  # only the model can have asked for it
        return Failed(f"{asked.job.model} called sys.exit({error.code!r})", 3)
    except MemoryError:
        return Failed("ran out of memory", 3)


def _end_with_parent(asked: IO[bytes]) -> None:
    while asked.read(1):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with whatever the model has started
    os._exit(1)
