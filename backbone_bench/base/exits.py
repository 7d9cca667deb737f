"""Sudden ends of the process by code of a model: they would pass for success, before or after a result is written."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_ENDS = ("_exit", *(name for name in dir(os) if name.startswith("exec")))  # what replaces a program ends it too


def refuse() -> dict[str, Any]:
    """Make `os._exit` and `os.exec…` raise SystemExit, in threads and at exit too; return the functions of `os`."""
    real = {name: getattr(os, name) for name in _ENDS}
    for name in _ENDS:
        setattr(os, name, _refused(name, real[name], os.getpid()))
    return real


@contextmanager
def refused() -> Iterator[None]:
    """Refuse sudden ends within the block. A process that the block forked ends with it."""
    own, real = os.getpid(), refuse()
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        if os.getpid() != own:
            os._exit(1)


def _refused(name: str, real: Any, own: int) -> Any:
    def refused(*arguments: Any) -> NoReturn:
        if os.getpid() != own:  # a child that the user's code forked ends like this
            real(*arguments)
        raise SystemExit(f"os.{name}({', '.join(map(repr, arguments))})")

    return refused


def reason(code: int) -> str:
    """How a process ended suddenly, by its exit code or the negative number of the signal that ended it."""
    if code == -signal.SIGKILL:
        return "was killed (signal 9): out of memory, most likely"
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), "no name")
        return f"ended by signal {-code} ({name})"
    return f"ended early with exit code {code}"
