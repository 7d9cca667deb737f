"""The versions that must be the same on every machine of a fleet, read without loading torch."""

import platform
import runpy
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pydantic.dataclasses import dataclass

from backbone_bench.base.program import __version__, commit
from backbone_bench.records import STRICT


@dataclass(frozen=True, slots=True, config=STRICT)
class Versions:
    """This program with its commit, torch and the CUDA that it was built for, and Python."""

    bench: str
    torch: str | None  # None: not installed
    cuda: str | None  # None: torch is built without it
    python: str

    def differences(self, here: "Versions") -> tuple[str, ...]:
        """What is another version here, in words: `torch 2.12.0 instead of 2.13.0`."""
        pairs = ((field.name, getattr(self, field.name), getattr(here, field.name)) for field in fields(self))
        return tuple(f"{name} {now or 'none'} instead of {then or 'none'}" for name, then, now in pairs if now != then)


@cache
def here() -> Versions:
    """The versions of this interpreter."""
    built = _torch()
    own = f"{__version__} ({commit()})" if commit() else __version__
    return Versions(own, built.get("__version__"), built.get("cuda"), platform.python_version())


def _torch() -> dict[str, str | None]:
    """The names in torch's own `version.py`: a file of constants, which runs in no time."""
    found = find_spec("torch")
    if found is None or found.origin is None:
        return {}
    return runpy.run_path(str(Path(found.origin).with_name("version.py")))
