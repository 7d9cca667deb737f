"""The user's own models: a factory in a package or a file, an exported program, or an object of their program.

Running a user's model is running the user's code. An error in it is told with
the frames that are the user's own; nothing is unpickled.
"""

import copy
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

import torch
from torch import nn

from backbone_bench.base.errors import UserError, did_you_mean, first_line
from backbone_bench.base.program import PACKAGE
from backbone_bench.records import Scalar
from backbone_bench.zoo import archives, modes

T = TypeVar("T")
Example: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]  # what a model is called with

_TORCH = Path(torch.__file__).parent
_TORCHS_OWN_FRAMES = "\nException raised from "  # and then some forty lines of C++


def build(reference: str, arguments: Mapping[str, Scalar]) -> nn.Module:
    """Call the factory, or the class, that `package.module:name` or `path/to/file.py:name` names."""
    place, _, name = reference.rpartition(":")
    is_file = place.endswith(".py")
    with _importing_from(Path(place).parent if is_file else Path()):
        module = _from_file(Path(place)) if is_file else _from_package(place, reference)
        factory = _factory(module, place, name)
        check_arguments(factory, arguments, reference)
        model = run(lambda: factory(**arguments), reference)
    if not isinstance(model, nn.Module):
        raise UserError(f"{reference} returned {type(model).__name__}, not a torch.nn.Module.")
    return modes.in_its_mode(model)


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let the user's code import its neighbours, as a script does; what it adds to the path itself stays there."""
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        if place in sys.path:
            sys.path.remove(place)


def _factory(module: ModuleType, place: str, name: str) -> Callable[..., Any]:
    factory = getattr(module, name, None)
    if callable(factory):
        return factory
    known = [
        known
        for known, value in vars(module).items()
        if callable(value) and not known.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    hint = did_you_mean(name, known, f"It defines {', '.join(known) or 'nothing to call'}.")
    raise UserError(f"{place} has no factory {name!r}. {hint}")


def exported(path: str, arguments: Mapping[str, Scalar]) -> tuple[nn.Module, Example | None]:
    """The program that `torch.export.save` wrote to `path`, and the inputs it was exported with.

    An archive that holds anything pickled or compiled is refused. Torch still
    evaluates the expressions for sizes in it: it is code like any other.
    """
    if arguments:
        raise UserError("An exported program takes no --arg: it is already built.")
    if not os.path.isfile(path):
        raise UserError(f"There is no file {path}.")
    if not path.endswith(".pt2"):
        raise UserError(
            f"{path} is no .pt2 archive: write one with torch.export.save(torch.export.export(model, args), …)."
        )
    archives.refuse_code(path)
    try:
        with _nothing_unpickled():
            program = torch.export.load(path)
    except Exception as error:  # torch may raise anything over an archive that it does not understand
        raise UserError(f"{path} cannot be loaded as an exported program: {first_line(error)}.") from None
    return modes.in_its_mode(program.module()), program.example_inputs


@contextmanager
def _nothing_unpickled() -> Iterator[None]:
    """Where torch finds more than tensors it would go on to unpickle it; this it heeds in every `torch.load`."""
    switch = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(switch)
    os.environ[switch] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[switch]
        else:
            os.environ[switch] = before


def copied(model: nn.Module, name: str) -> nn.Module:
    """A copy, so that whatever is done to it leaves the caller's own as it is; of what was compiled, as written."""
    written = getattr(model, "_orig_mod", model)
    try:
        made = copy.deepcopy(written)
    except Exception as error:  # the code is not ours: it may raise anything
        raise UserError(
            f"{name} cannot be copied, and only a copy is worked on: {first_line(error)}. "
            f"Say instead where it is made, as in 'net.py:Net'."
        ) from None
    modes.keep(written, made)
    return made


def check_arguments(factory: Callable[..., Any], arguments: Mapping[str, Scalar], reference: str) -> None:
    """Raise UserError where the factory does not take these arguments."""
    try:
        signature = inspect.signature(factory)
    except ValueError:  # a builtin that has none
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise UserError(f"{reference}{signature}: {error}. Give arguments with --arg name=value.") from None


def _from_file(path: Path) -> ModuleType:
    if not os.path.isfile(path):
        raise UserError(f"There is no file {path}.")
    spec = importlib.util.spec_from_file_location(f"backbone_bench_user_{path.stem}", path)
    assert spec is not None  # it ends in .py
    assert spec.loader is not None
    loader, module = spec.loader, importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses in the file look their module up
    run(lambda: loader.exec_module(module), str(path))
    return module


def _from_package(name: str, reference: str) -> ModuleType:
    def load() -> ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the module is there, and what it wants to import is not
            raise UserError(f"{reference}: there is no module {error.name!r}.") from None

    return run(load, name)


def run(call: Callable[[], T], what: str) -> T:
    """Run the user's code; whatever it raises becomes a UserError that names `what` and shows the user's own frames."""
    try:
        return call()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # the code is not ours: it may raise anything, and even try to leave
        frames = "".join(traceback.format_list(_own_frames(error))).splitlines()
        said, details = _said(error)
        if frames or details:
            raise UserError("\n".join((f"{what} failed: {said.rstrip('.')}.", *frames, *details))) from None
        raise UserError(f"{what} failed: {first_line(error)}.") from None


def _said(error: BaseException) -> tuple[str, list[str]]:
    """What it says in a line, with its type, and what else: where the syntax is wrong, further lines, notes."""
    text = "".join(traceback.format_exception_only(error)).partition(_TORCHS_OWN_FRAMES)[0]
    lines = text.rstrip().splitlines()
    said = next(number for number, line in enumerate(lines) if not line.startswith(" "))
    return lines[said], lines[:said] + lines[said + 1 :]


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames that are neither this program's nor torch's nor the import machinery's."""
    frames = traceback.extract_tb(error.__traceback__)
    not_theirs = f"{PACKAGE}{os.sep}", f"{_TORCH}{os.sep}", "<frozen "
    return [frame for frame in frames if not frame.filename.startswith(not_theirs)]
