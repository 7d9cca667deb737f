"""Work in a child process that the program waits for: C code can end its process with success before its work is done.

Nothing within a process can prevent `_exit(0)` of C or notice it. So the child tells its exit code when its work is
done, and one that ends with success and has told none has failed. The program splits before it loads anything large,
because a fork takes as long as there is memory in use.
"""

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from backbone_bench.base import exits, signals


class _Program:
    """What this process is: the program's own, which may split, or the child, which tells its exit code."""

    may_split = False
    pipe: int | None = None


@contextmanager
def splittable() -> Iterator[None]:
    """Allow `split` within the block, which is the whole program: a test or a notebook must not go on twice."""
    _Program.may_split = sys.platform == "linux"  # elsewhere system libraries may not survive a fork
    try:
        yield
    finally:
        _Program.may_split = False


def split(what: str) -> None:
    """Go on in a child process; this one waits, and raises SystemExit with the child's exit code.

    Does nothing in a process that is not the program's own, or is the child already. Raises CouldNotMeasure, which
    names `what` the child works on, if the child ended by a signal or before its work was done.
    """
    if not _Program.may_split:
        return
    _Program.may_split = False
    sys.stdout.flush()  # else both would write what is buffered
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        raise SystemExit(_exit_code(_wait(child), reading, what))
    os.close(reading)
    _Program.pipe = writing
    exits.refuse()  # it belongs to one process
    _end_with_the_reader(writing)


def tell(code: int) -> None:
    """Tell the exit code to the process that waits, if there is one: the work of this process is done."""
    if _Program.pipe is not None:
        with suppress(OSError):  # of stdout: Python fails to write it once more at exit, and says so
            sys.stdout.flush()
            os.write(_Program.pipe, b"%d" % code)


def _wait(child: int) -> int:
    """Wait for the child and pass signals on to it; return its exit code, or the negative number of a signal."""
    numbers = [number for number in signals.SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _: os.kill(child, number)) for number in numbers}
    _, status = os.waitpid(child, 0)
    for number, handler in before.items():
        signal.signal(number, handler)
    return os.waitstatus_to_exitcode(status)


def _exit_code(code: int, pipe: int, what: str) -> int:
    """The exit code for this process, from that of the child and what it has told."""
    os.set_blocking(pipe, False)  # a process that the model left behind may hold the other end open
    try:
        told = os.read(pipe, 8)
    except BlockingIOError:
        told = b""
    if told and code <= 0:  # a signal after the work, such as a second one of Ctrl-C, changes nothing
        return int(told)
    if code <= 0:
        from backbone_bench.base.errors import CouldNotMeasure  # signals are not handled before this file is loaded

        raise CouldNotMeasure(f"{what}: the process {exits.reason(code)}, before its work was done.")
    return code


def _end_with_the_reader(pipe: int) -> None:
    """Let the system end this process as soon as nobody reads the pipe: the process that waits was killed."""
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)  # SIGIO, which ends it
