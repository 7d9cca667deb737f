"""Imports of the user's code from its own folder, also if another folder in the same process has equal names.

Python keeps one module for each name: the second file that imports `blocks` would get the `blocks` of the first.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_INSTALLED = {"site-packages", "dist-packages"}
_NEVER = {"__main__", __name__.partition(".")[0]}  # the program that runs, and this one
# By folder: the modules that code in it has imported from it.
_own: dict[str, dict[str, ModuleType]] = {}


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Put the folder on `sys.path`, so that the user's code imports neighbouring files as a script does.

    Modules of other folders that have the name of a neighbour make room for it. Those of the caller, which this
    program did not import, come back on exit. Entries that the code itself adds to `sys.path` stay there.
    """
    location = folder.resolve()
    hidden = _make_room(location)
    before = {id(module) for module in sys.modules.values()}
    sys.path.insert(0, str(location))
    try:
        yield
    finally:
        if str(location) in sys.path:
            sys.path.remove(str(location))
        found = {name: module for name, module in [*sys.modules.items()] if _is_from(module, location)}
        imported = {name: module for name, module in found.items() if id(module) not in before}
        _own.setdefault(str(location), {}).update(imported)
        sys.modules.update(hidden)


def _make_room(location: Path) -> dict[str, ModuleType]:
    """Take modules of other folders out that have the name of a neighbour. Returns those of the caller."""
    importlib.invalidate_caches()  # the folder may have changed since it was last searched
    ours = {id(module) for modules in _own.values() for module in modules.values()}
    offered = _offered_by(location)
    moved = {
        name: module
        for name, module in [*sys.modules.items()]
        if name.partition(".")[0] in offered and _may_move(module) and not _is_from(module, location)
    }
    for name in moved:  # only now: the path of a package without a file is looked up in its parent
        del sys.modules[name]
    for name, module in _own.get(str(location), {}).items():
        sys.modules.setdefault(name, module)
    return {name: module for name, module in moved.items() if id(module) not in ours}


def _offered_by(location: Path) -> set[str]:
    """Names that can be imported from the folder."""
    if not location.is_dir():
        return set()
    return {path.stem for path in location.iterdir() if path.is_dir() or path.suffix == ".py"} - _NEVER


def _is_from(module: ModuleType, location: Path) -> bool:
    file = _file(module)
    return file is not None and location in file.parents and not _INSTALLED & {*file.relative_to(location).parts}


def _may_move(module: ModuleType) -> bool:
    """Whether a module is neither Python's own nor installed."""
    file, name = _file(module), module.__name__.partition(".")[0]
    return file is not None and not _INSTALLED & {*file.parts} and name not in sys.stdlib_module_names


def _file(module: ModuleType) -> Path | None:
    """The file of a module, or the folder of a package without one; None for a built-in module."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return Path(file)
    places = list(getattr(module, "__path__", ()))
    return Path(places[0]) if places and isinstance(places[0], str) else None
