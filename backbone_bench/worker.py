"""One row of a run, in a process of its own: `python -m backbone_bench.worker`.

A job comes in as a line on stdin; what happens goes out as lines of JSON on the
pipe that stdout was. The model's own prints go to stderr. When stdin ends, the
parent is gone, and so is this process.
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable

from backbone_bench.errors import UserError
from backbone_bench.jobs import JOB, Job
from backbone_bench.messages import MESSAGE, Done, Failed, Kept, Message, Phase


def main() -> None:
    """Run the job that is read; end at once then: threads that a model left behind do not hold it up."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    job = JOB.validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # those of dependencies are not for the user's terminal
    pipe.write(_line(_outcome(job, lambda message: pipe.write(_line(message)))))
    sys.stderr.flush()
    os._exit(0)


def _outcome(job: Job, send: Callable[[Message], object]) -> Message:
    from backbone_bench import profiler  # loads torch

    try:
        record = profiler.profile(job, told=lambda name, share: send(Phase(name, share)), keep=lambda r: send(Kept(r)))
    except UserError as error:
        return Failed(str(error), error.exit_code)
    except SystemExit as error:  # only the model can have asked for it
        return Failed(f"{job.model} called sys.exit({error.code!r})", 3)
    return Done(record)


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


def _line(message: Message) -> bytes:
    return MESSAGE.dump_json(message) + b"\n"


if __name__ == "__main__":
    main()
