"""Exact counts, honest measurements and checked claims for CNN backbones and any torch model."""

from importlib import import_module
from typing import TYPE_CHECKING

from backbone_bench.base.program import __version__ as __version__

if TYPE_CHECKING:
    from backbone_bench.api import check, count, load, profile, save
    from backbone_bench.base.errors import CouldNotMeasure, UserError
    from backbone_bench.records import Missing, Record, known

__all__ = ["CouldNotMeasure", "Missing", "Record", "UserError", "check", "count", "known", "load", "profile", "save"]

_HOME = {
    **dict.fromkeys(("CouldNotMeasure", "UserError"), "base.errors"),
    **dict.fromkeys(("Missing", "Record", "known"), "records"),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load what is asked for: the command line must not wait for it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME.get(name, 'api')}"), name)
