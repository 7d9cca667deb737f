"""backbone-bench: exact costs, honest measurements and checked claims of CNN backbones and any torch model.

The public names are loaded on first use, so that the command line does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from backbone_bench.base.program import __version__ as __version__

if TYPE_CHECKING:
    from backbone_bench.api import check, count, frame, load, predict, profile, save
    from backbone_bench.base.errors import CouldNotMeasure, UserError
    from backbone_bench.records import Missing, Record, known

__all__ = [
    "CouldNotMeasure",
    "Missing",
    "Record",
    "UserError",
    "check",
    "count",
    "frame",
    "known",
    "load",
    "predict",
    "profile",
    "save",
]

_MODULES = {
    **dict.fromkeys(("CouldNotMeasure", "UserError"), "base.errors"),
    **dict.fromkeys(("Missing", "Record", "known"), "records"),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name on first use: the command line must not wait for torch."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'api')}"), name)
