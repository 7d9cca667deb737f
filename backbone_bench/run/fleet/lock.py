"""Locks of a sweep: one driver at a time, and one collector. The kernel gives a lock back, however its holder ends."""

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.run.fleet import plan


class Driver(NamedTuple):
    """The process that drives a sweep."""

    pid: int
    host: str
    began_s: float  # since the epoch


@contextmanager
def driving(output: Path) -> Iterator[None]:
    """Be the only driver of a sweep. Raises UserError if there is one."""
    with _opened(output, "driver") as file:
        until_s = time.monotonic() + _PROBED_S
        while not _taken(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if time.monotonic() > until_s:
                raise UserError(f"{output} is being measured already: `bench fleet status {output}` shows it.")
            time.sleep(0.02)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(Driver(os.getpid(), platform.node(), time.time())))
        file.flush()
        yield


def driver(output: Path) -> Driver | None:
    """The driver that runs now, if any."""
    with _opened(output, "driver") as file:
        if _taken(file, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return None
        file.seek(0)
        try:
            return Driver(*json.loads(file.read()))
        except (ValueError, TypeError):  # it has not written it yet
            return Driver(0, "another machine or process", time.time())


@contextmanager
def collecting(output: Path) -> Iterator[None]:
    """Wait for any other collector of a sweep, and be the only one."""
    with _opened(output, "collector") as file:
        _taken(file, fcntl.LOCK_EX)
        yield


_PROBED_S = 1.0  # somebody who asks for the driver holds the lock for an instant


@contextmanager
def _opened(output: Path, name: str) -> Iterator[IO[str]]:
    path = plan.folder(output) / f"{name}.lock"
    try:
        plan.make(path.parent)
        file = open(path, "r+" if path.exists() else "w+", encoding="utf-8")  # noqa: SIM115  # closed below
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None
    with file:
        yield file


def _taken(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UserError(f"Cannot lock {file.name}: {error.strerror}. Put the output on a disk that can.") from None
    return True
