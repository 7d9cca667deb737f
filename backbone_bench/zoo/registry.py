"""Registry of the zoo's networks: a dictionary from name to builder, filled by a decorator.

A family is one file that registers its builders, each under its own name. The
generated catalogue, which needs no torch, says which file has which name, so
that building one network imports one family.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from backbone_bench.records import Scalar
from backbone_bench.zoo import families
from backbone_bench.zoo.catalogue import Paper as Paper  # imported from here by the families

Builder = Callable[..., nn.Module]
B = TypeVar("B", bound=Builder)


class Model(NamedTuple):
    """A registered network."""

    name: str
    family: str
    paper: Paper
    input_shape: tuple[int, int, int]  # channels, height, width, as for the paper's cost figures
    build: Builder


_models: dict[str, Model] = {}


def register(family: str, paper: Paper, size: int = 224) -> Callable[[B], B]:
    """Register a builder under its own name, with square inputs of `size`; raise ValueError if the name is taken."""

    def enter(builder: B) -> B:
        name = builder.__name__
        if name in _models:
            raise ValueError(f"two models are called {name!r}")
        _models[name] = Model(name, family, paper, (3, size, size), builder)
        return builder

    return enter


def load_all() -> Mapping[str, Model]:
    """Import all families and return all models by name, in file order."""
    for module in iter_modules(families.__path__, f"{families.__name__}."):
        import_module(module.name)
    return _models


def load(name: str, module: str) -> Model:
    """Import the family file `module` and return its model `name`."""
    import_module(f"{families.__name__}.{module}")
    return _models[name]


def build(model: Model, arguments: Mapping[str, Scalar], *, on_meta: bool) -> nn.Module:
    """Build a network on the CPU, or on the meta device without initialisation."""
    if not on_meta:
        return model.build(**arguments)
    with shapes_only():
        return model.build(**arguments)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Build modules on the meta device inside this context: parameters have a shape and no values."""
    with torch.device("meta"), _NoInitialisation(_FILLS):
        yield


@contextmanager
def uninitialised() -> Iterator[None]:
    """Build modules without random initialisation inside this context.

    Parameters have memory, and a constructor can read the values it sets.
    """
    with _NoInitialisation(frozenset()):
        yield


class _NoInitialisation(TorchFunctionMode):
    """Function mode that skips weight initialisation.

    Counting needs no values, and the first normal draw on `meta` makes torch load 800 modules.
    """

    def __init__(self, fills: Set[Any]) -> None:
        super().__init__()
        self._fills = fills

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        if func in self._fills:
            return args[0]
        return func(*args, **(kwargs or {}))


_FILLS = frozenset({
    torch.Tensor.fill_, torch.Tensor.zero_, torch.Tensor.uniform_, torch.Tensor.normal_,
})  # fmt: skip
