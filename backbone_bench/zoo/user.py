"""The user's own models: a factory in a package or a file, an exported program, or a module object.

Loading such a model runs the user's code. An error in it is reported with a
traceback of the user's own frames. Nothing is unpickled.
"""

import copy
import hashlib
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
from typing import Any, NoReturn, TypeAlias, TypeVar

import torch
from torch import nn

from backbone_bench.base.errors import UserError, did_you_mean, first_line
from backbone_bench.base.program import PACKAGE
from backbone_bench.base.torch_versions import no_warning_of_read_only_buffers
from backbone_bench.records import Scalar
from backbone_bench.zoo import archives, modes
from backbone_bench.zoo.neighbours import importing_from

T = TypeVar("T")
Example: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]  # args and kwargs of a model

_TORCH = Path(torch.__file__).parent
_MOST_FRAMES = 20  # the innermost ones; a recursion has thousands
_TORCHS_OWN_FRAMES = "\nException raised from "  # forty lines of C++ frames follow


def build(reference: str, arguments: Mapping[str, Scalar]) -> nn.Module:
    """Build a model with the factory function or class at `package.module:name` or `path/to/file.py:name`."""
    _know_random_sources()
    location, _, name = reference.rpartition(":")
    is_file = location.endswith(".py")
    with importing_from(Path(location).parent if is_file else Path()):
        module = _from_file(Path(location)) if is_file else _from_package(location, reference)
        factory = _factory(module, location, name)
        check_arguments(factory, arguments, reference)
        model = run(lambda: factory(**arguments), reference)
    if inspect.iscoroutine(model):
        model.close()  # else Python warns that nobody waited for it
        raise UserError(f"{reference} is an async function: name one that returns the model itself.")
    if not isinstance(model, nn.Module):
        raise UserError(f"{reference} returned {type(model).__name__}, not a torch.nn.Module.")
    return modes.with_graph_mode(model)


def _factory(module: ModuleType, location: str, name: str) -> Callable[..., Any]:
    factory = getattr(module, name, None)
    if callable(factory):
        return factory
    known = [
        key
        for key, value in vars(module).items()
        if callable(value) and not key.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    hint = did_you_mean(name, known, f"It defines {', '.join(known) or 'no function or class'}.")
    raise UserError(f"{location} has no factory {name!r}. {hint}")


def exported(path: str, arguments: Mapping[str, Scalar]) -> tuple[nn.Module, Example | None]:
    """Load a program that `torch.export.save` wrote to `path`, with the inputs it was exported with.

    An archive with pickles or compiled code is refused. Torch still evaluates
    the size expressions in it, so a program must be trusted like any code.
    Raises UserError for a file that cannot be loaded.
    """
    if arguments:
        raise UserError("An exported program takes no --arg: it is already built.")
    if not os.path.isfile(path):
        raise UserError(f"There is no file {path}.")
    if not path.endswith(".pt2"):
        raise UserError(
            f"{path} is not a .pt2 archive: write one with torch.export.save(torch.export.export(model, args), …)."
        )
    archives.refuse_code(path)
    try:
        with _no_unpickling(), no_warning_of_read_only_buffers():
            program = torch.export.load(path)
    except Exception as error:  # torch may raise anything for an archive that it cannot read
        raise UserError(f"{path} cannot be loaded as an exported program: {first_line(error)}.") from None
    return modes.with_graph_mode(program.module()), program.example_inputs


@contextmanager
def _no_unpickling() -> Iterator[None]:
    """Forbid unpickling in every `torch.load`; torch would otherwise unpickle what it cannot read as tensors."""
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
    """Deep copy of the caller's model, which stays unchanged; of a compiled model, the original is copied."""
    _know_random_sources()
    original = getattr(model, "_orig_mod", model)
    try:
        duplicate = copy.deepcopy(original)
    except Exception as error:  # user code may raise anything
        raise UserError(
            f"{name} cannot be copied, and only a copy is profiled: {first_line(error)}. "
            f"Give a reference to its factory instead, such as 'net.py:Net'."
        ) from None
    modes.copy_mode(original, duplicate)
    return duplicate


def _know_random_sources() -> None:
    """Load numpy's generators, which otherwise load at the first use: then they would draw before they have a seed."""
    importlib.import_module("numpy.random")


def check_arguments(factory: Callable[..., Any], arguments: Mapping[str, Scalar], reference: str) -> None:
    """Raise UserError if the factory does not accept these arguments."""
    try:
        signature = inspect.signature(factory)
    except ValueError:  # a builtin has no signature
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise UserError(f"{reference}{signature}: {error}. Give arguments with --arg name=value.") from None


def _from_file(path: Path) -> ModuleType:
    if not os.path.isfile(path):
        raise UserError(f"There is no file {path}.")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]  # two files may have one name
    spec = importlib.util.spec_from_file_location(f"backbone_bench_user_{path.stem}_{digest}", path)
    assert spec is not None  # because the file ends in .py
    assert spec.loader is not None
    loader, module = spec.loader, importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module by name
    run(lambda: loader.exec_module(module), str(path))
    return module


def _from_package(name: str, reference: str) -> ModuleType:
    def load() -> ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the module exists, but one that it imports does not
            raise UserError(f"{reference}: there is no module {error.name!r}.") from None

    return run(load, name)


def run(call: Callable[[], T], what: str) -> T:
    """Call the user's code; any exception becomes a UserError that names `what` and shows the user's own frames."""
    try:
        with _no_sudden_exit():
            return call()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # user code may raise anything, and even exit
        frames = "".join(traceback.format_list(_own_frames(error)[-_MOST_FRAMES:])).splitlines()
        summary, details = _error_text(error)
        if frames or details:
            raise UserError("\n".join((f"{what} failed: {summary.rstrip('.')}.", *frames, *details))) from None
        raise UserError(f"{what} failed: {first_line(error)}.") from None


@contextmanager
def _no_sudden_exit() -> Iterator[None]:
    """Make `os._exit` raise SystemExit: it would end this program, with a success code too, before anything is said."""
    exit_now = os._exit

    def refused(status: int) -> NoReturn:
        if os.getpid() != own:  # a child that the user's code forked ends like this
            exit_now(status)
        raise SystemExit(f"os._exit({status})")

    own = os.getpid()
    os._exit = refused
    try:
        yield
    finally:
        os._exit = exit_now


def _error_text(error: BaseException) -> tuple[str, list[str]]:
    """The error's line with type and message, and its other lines: position of a syntax error, notes and so on."""
    text = "".join(traceback.format_exception_only(error)).partition(_TORCHS_OWN_FRAMES)[0]
    lines = text.rstrip().splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith(" "))
    return lines[first], lines[:first] + lines[first + 1 :]


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Frames of the traceback outside this package, torch and the import machinery."""
    frames = traceback.extract_tb(error.__traceback__)
    excluded = f"{PACKAGE}{os.sep}", f"{_TORCH}{os.sep}", "<frozen "
    return [frame for frame in frames if not frame.filename.startswith(excluded)]
