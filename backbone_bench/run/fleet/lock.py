"""Locks of a sweep: one driver at a time, and one collector. The kernel gives a lock back, however its holder ends."""

import fcntl
import json
import os
import platform
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


@contextmanager
def driving(output: Path) -> Iterator[None]:
    """Be the only driver of a sweep. Raises UserError if there is one."""
    with _opened(output, "driver") as file:
        if not _taken(file, wait=False):
            raise UserError(f"{output} is being measured already: `bench fleet status {output}` shows it.")
        file.write(json.dumps(Driver(os.getpid(), platform.node())))
        file.flush()
        yield


def driver(output: Path) -> Driver | None:
    """The driver that runs now, if any."""
    with _opened(output, "driver") as file:
        if _taken(file, wait=False):
            return None
        file.seek(0)
        return Driver(*json.loads(file.read()))


@contextmanager
def collecting(output: Path) -> Iterator[None]:
    """Wait for any other collector of a sweep, and be the only one."""
    with _opened(output, "collector") as file:
        _taken(file, wait=True)
        yield


@contextmanager
def _opened(output: Path, name: str) -> Iterator[IO[str]]:
    path = plan.folder(output) / f"{name}.lock"
    try:
        path.parent.mkdir(exist_ok=True)
        file = open(path, "r+" if path.exists() else "w+", encoding="utf-8")  # noqa: SIM115  # closed below
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None
    with file:
        yield file


def _taken(file: IO[str], *, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
