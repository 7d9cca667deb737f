"""The user's own models: a factory in a package or a file, or an exported program.

Running a user's model is running the user's code. An error in it is told with
the frames that are the user's own; nothing is unpickled.
"""

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch import nn

import backbone_bench
from backbone_bench.errors import UserError, did_you_mean
from backbone_bench.records import Scalar

T = TypeVar("T")

_OURS = Path(backbone_bench.__file__).parent
_TORCH = Path(torch.__file__).parent


def build(reference: str, arguments: Mapping[str, Scalar]) -> nn.Module:
    """Call the factory, or the class, that `package.module:name` or `path/to/file.py:name` names."""
    place, _, name = reference.rpartition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place, reference)
    factory = getattr(module, name, None)
    if not callable(factory):
        callables = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        hint = did_you_mean(name, callables, f"It has {', '.join(callables) or 'nothing to call'}.")
        raise UserError(f"{place} has no factory {name!r}. {hint}")
    check_arguments(factory, arguments, reference)
    model = run(lambda: factory(**arguments), reference)
    if not isinstance(model, nn.Module):
        raise UserError(f"{reference} returned {type(model).__name__}, not a torch.nn.Module.")
    return model


def exported(path: str, arguments: Mapping[str, Scalar]) -> nn.Module:
    """The program that `torch.export.save` wrote to `path`, with its example inputs."""
    if arguments:
        raise UserError("An exported program takes no --arg: it is already built.")
    if not Path(path).is_file():
        raise UserError(f"There is no file {path}.")
    if not path.endswith(".pt2"):
        raise UserError(
            f"{path} is no .pt2 archive: write one with torch.export.save(torch.export.export(model, args), …)."
        )
    try:
        program = torch.export.load(path)
    except (RuntimeError, ValueError, KeyError, AssertionError, OSError) as error:
        raise UserError(f"{path} cannot be loaded as an exported program: {_first_line(error)}.") from None
    model = program.module()
    if program.example_inputs is not None:
        args, kwargs = program.example_inputs
        model.example_inputs = lambda: kwargs if kwargs and not args else tuple(args)  # type: ignore[assignment]  # a plain attribute
    return model


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
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    spec = importlib.util.spec_from_file_location(f"backbone_bench_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is no Python file.")
    loader = spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses in the file look their module up
    sys.path.insert(0, str(path.parent.resolve()))  # so that it can import its neighbours
    try:
        run(lambda: loader.exec_module(module), str(path))
    finally:
        sys.path.pop(0)
    return module


def _from_package(name: str, reference: str) -> ModuleType:
    sys.path.insert(0, "")  # the working folder, as `python -m` has it
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise UserError(f"{reference}: there is no module {error.name!r}.") from None
    finally:
        sys.path.pop(0)


def run(call: Callable[[], T], what: str) -> T:
    """Run the user's code; whatever it raises becomes a UserError that names `what` and shows the user's own frames."""
    try:
        return call()
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the code is not ours: it may raise anything
        told = "".join(traceback.format_exception_only(error)).rstrip()
        frames = "".join(traceback.format_list(_own_frames(error)))
        raise UserError(f"{what} failed: {_first_line(error)}.\n{frames}{told}") from None


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames that are neither this program's nor torch's nor the import machinery's."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith((str(_OURS), str(_TORCH), "<frozen "))]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
