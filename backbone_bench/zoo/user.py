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
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

import backbone_bench
from backbone_bench.errors import UserError, did_you_mean
from backbone_bench.records import Scalar

T = TypeVar("T")
Example: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]  # what a model is called with

_OURS = Path(backbone_bench.__file__).parent
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
    return model


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
    _refuse_code(path)
    try:
        with _nothing_unpickled():
            program = torch.export.load(path)
    except Exception as error:  # torch may raise anything over an archive that it does not understand
        raise UserError(f"{path} cannot be loaded as an exported program: {_first_line(error)}.") from None
    return program.module(), program.example_inputs


@dataclass(frozen=True, slots=True)
class _Payload:
    """What the archive says of one weight or constant."""

    tensor_meta: dict[str, Any] | None  # None: it is pickled


@dataclass(frozen=True, slots=True)
class _Payloads:
    """A `*_config.json` of the archive, as far as it is read here."""

    config: dict[str, _Payload]


_PAYLOADS = TypeAdapter(_Payloads)


def _refuse_code(path: str) -> None:
    """Raise UserError for an archive whose loading would run what it holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            configs = {name: archive.read(name) for name in names if name.endswith("_config.json")}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:  # the last: it is encrypted
        raise UserError(f"{path} is no archive of torch.export.save: {_first_line(error)}.") from None
    if any("/data/aotinductor/" in name for name in names):
        raise UserError(f"{path} holds a compiled library, not a program: export the model with torch.export.save.")
    payloads = [_payloads(path, name, text) for name, text in configs.items()]
    pickled = [name for payload in payloads for name, meta in payload.config.items() if not meta.tensor_meta]
    if pickled:
        raise UserError(f"{path} holds pickled objects, and loading one runs whatever it holds: {', '.join(pickled)}.")


def _payloads(path: str, name: str, text: bytes) -> _Payloads:
    try:
        return _PAYLOADS.validate_json(text)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = ".".join((name, *map(str, wrong["loc"])))
        raise UserError(f"{path} is no archive of torch.export.save: {where}: {wrong['msg']}.") from None


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
        return copy.deepcopy(written)
    except Exception as error:  # the code is not ours: it may raise anything
        raise UserError(
            f"{name} cannot be copied, and only a copy is worked on: {_first_line(error)}. "
            f"Say instead where it is made, as in 'net.py:Net'."
        ) from None


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
        failed = f"{what} failed: {_first_line(error)}."
        told = "".join(traceback.format_exception_only(error)).partition(_TORCHS_OWN_FRAMES)[0].rstrip()
        frames = "".join(traceback.format_list(_own_frames(error)))
        more = bool(frames) or "\n" in told
        raise UserError(f"{failed}\n{frames}{told}" if more else failed) from None


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames that are neither this program's nor torch's nor the import machinery's."""
    frames = traceback.extract_tb(error.__traceback__)
    not_theirs = f"{_OURS}{os.sep}", f"{_TORCH}{os.sep}", "<frozen "
    return [frame for frame in frames if not frame.filename.startswith(not_theirs)]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
