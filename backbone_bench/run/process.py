"""A worker process of ours: how to start it, talk to it in lines of JSON, end it, and say why it ended.

At the end its whole process group is killed, so that nothing that a model started is left behind.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base import exits
from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.base.signals import deferred
from backbone_bench.run.messages import REQUEST, WorkerRequest

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
    variables: tuple[tuple[str, str | None], ...] = ()  # of its environment, unlike here; None: not set there

    @classmethod
    def of(cls, path: Sequence[str] = sys.path, folder: Path | None = None) -> "Worker":
        """A worker that runs this interpreter with this import path; modules in its folder cannot shadow it."""
        return cls((sys.executable, "-P", "-c", _START, json.dumps(list(path))), folder)


class Child:
    """A worker process that runs, and its two pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def fileno(self) -> int:
        """The descriptor of its output, to wait for several processes at once."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def send(self, line: bytes) -> None:
        """Send one line. One that died before it could read is no error here: reading tells how it ended."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(line + b"\n")
            self.process.stdin.flush()

    def read(self, limit_s: float | None = None) -> bytes | None:
        """The next line that it writes, or None at its end. Raises TimeoutError after `limit_s`.

        The end of the pipe alone is not enough: a process that the child left behind may hold it open.
        """
        deadline_s = None if limit_s is None else time.monotonic() + limit_s
        while not self._lines:
            left_s = _POLL_S if deadline_s is None else deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            if self._receive(min(_POLL_S, left_s)) is False:
                return None
        return self._lines.popleft()

    def arrived(self) -> Iterator[bytes | None]:
        """Lines that it has written by now, without waiting for more; None at its end."""
        while True:
            if self._lines:
                yield self._lines.popleft()
            elif not (some := self._receive(0.0)):
                if some is False:
                    yield None
                return

    def lines(self, limit_s: float | None) -> Iterator[bytes]:
        """Lines that it writes, until it ends. Raises TimeoutError after `limit_s`."""
        deadline_s = None if limit_s is None else time.monotonic() + limit_s
        while (line := self.read(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()))) is not None:
            yield line

    def _receive(self, wait_s: float) -> bool | None:
        """Wait for further bytes: True if some came, False at the end, None if neither."""
        assert self.process.stdout is not None
        has_ended = self.process.poll() is not None  # asked first: it may write its last line and end meanwhile
        if select.select([self.process.stdout], [], [], wait_s)[0]:
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._lines.extend(lines)
            return bool(chunk)
        return False if has_ended else None


_POLL_S = 1.0  # how often a silent child is polled for whether it still runs


@contextmanager
def child(request: WorkerRequest, worker: Worker) -> Iterator[Child]:
    """A worker process that has got its request; at the end its whole process group is killed.

    Its stdin stays open, because its end tells the child that the parent is gone.
    """
    with ExitStack() as end:
        with deferred():
            process = _start(worker)
            end.callback(_kill, process)
        started = Child(process)
        started.send(REQUEST.dump_json(request, exclude_defaults=True))  # an older worker knows no newer field
        yield started


def _start(worker: Worker) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            worker.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=worker.folder,
            env={name: value for name, value in {**os.environ, **dict(worker.variables)}.items() if value is not None},
            start_new_session=True,  # only the parent handles Ctrl-C
        )
    except OSError as error:  # for example: no more processes or open files are allowed
        raise CouldNotMeasure(f"Cannot start a process: {error.strerror}.") from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with deferred(), suppress(BrokenPipeError), process, suppress(ProcessLookupError):  # closes the pipes and waits
        os.killpg(process.pid, signal.SIGKILL)


def stop_reason(error: Exception, timeout_s: float | None) -> str:
    """Why the parent stopped the process: its timeout is over, or its model wrote into our pipe."""
    if isinstance(error, TimeoutError):
        return f"ran past the timeout of {timeout_s:g} s"
    return "wrote into the pipe of the worker process: a model must not write to file descriptors that it did not open"


def exit_reason(code: int) -> str:
    """Why a process ended without its last message."""
    if code == NO_WORKER:
        return "could not start: the backbone-bench there has no worker of this version"
    return exits.reason(code)
