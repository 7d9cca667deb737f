"""Stand-ins with a shape and no values, in the modules' own tables, and everything put back afterwards.

A forward pass may leave more behind than it took: a table of positions kept
for the next call, a hook, a normalised weight. On the meta device that would
be a tensor without values in the user's model, so all that the modules hold
is written down before and put back in `finally`.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

Container: TypeAlias = Any  # of one of the types below
_CONTAINERS = {dict, OrderedDict, defaultdict, list, set}
_PLAIN = {bool, int, float, str, tuple, type(None)}

# What torch keeps in every module for itself. Of these, a forward pass may change what it computes with.
_BOOKKEEPING = vars(nn.Module()).keys() - {
    "_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks",
}  # fmt: skip

# Torch's own layers keep nothing from one pass to the next but what stands in their tables; recurrent ones hold their
# weights in a list as well.
_LAYERS = {
    kind
    for kind in vars(nn).values()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and not issubclass(kind, nn.RNNBase)
}


class TensorPlace(NamedTuple):
    """Where a tensor with values stands."""

    container: Container
    key: Any
    tensor: Tensor


class Survey:
    """The modules of a model, with their dotted names, and all that they hold, one level deep."""

    def __init__(self, model: nn.Module) -> None:
        """One walk, where `named_modules` takes time in proportion to the depth for each module."""
        self.modules: list[tuple[str, nn.Module]] = []
        self.places: list[TensorPlace] = []
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._containers: list[Container] = []
        self._modes: list[tuple[dict[str, Any], bool]] = []
        seen: set[int] = set()
        pending = [("", model)]
        while pending:
            name, module = pending.pop()
            if id(module) in seen:  # it has two names: the first is its own
                continue
            seen.add(id(module))
            self.modules.append((name, module))
            self._look_into(module)
            prefix = f"{name}." if name else ""
            for child, part in reversed(module._modules.items()):
                if part is not None:  # what is compiled is called as what it was compiled from
                    pending.append((name if child == "_orig_mod" else prefix + child, part))

    def _look_into(self, module: nn.Module) -> None:
        attributes = vars(module)
        if "training" in attributes:  # what is scripted or compiled asks another module for it
            self._modes.append((attributes, attributes["training"]))
        if not _keeps_nothing(module, attributes):
            self._look_at(attributes)
            return
        for table in (attributes["_parameters"], attributes["_buffers"]):
            if table:
                self._look_through(table)

    def _look_at(self, attributes: dict[str, Any]) -> None:
        held = {name: value for name, value in attributes.items() if name not in _BOOKKEEPING}
        self._attributes.append((attributes, held))
        for name, value in held.items():
            kind = type(value)
            if kind in _CONTAINERS:
                self._containers.append(value)
                self._look_through(value)
            elif kind not in _PLAIN and isinstance(value, Tensor) and not value.is_meta:
                self.places.append(TensorPlace(attributes, name, value))

    def _look_through(self, container: Container) -> None:
        if type(container) is set:
            return
        for key, item in enumerate(container) if type(container) is list else container.items():
            if isinstance(item, Tensor) and not item.is_meta:
                self.places.append(TensorPlace(container, key, item))

    def buffers(self) -> list[Tensor]:
        """What stands in the modules' tables of buffers now."""
        return [tensor for _, module in self.modules for tensor in module._buffers.values() if tensor is not None]

    @contextmanager
    def left_as_found(self) -> Iterator[None]:
        """Put back the attributes, what stands in them, and the host's random state."""
        containers = [(container, container.copy() if container else None) for container in self._containers]
        with torch.random.fork_rng(devices=()):
            try:
                yield
            finally:
                self._put_back()
                for container, before in containers:
                    if container:
                        container.clear()
                    if before:
                        (container.extend if type(container) is list else container.update)(before)
                for container, key, tensor in self.places:
                    container[key] = tensor

    def _put_back(self) -> None:
        for attributes, held in self._attributes:
            for name in attributes.keys() - held.keys() - _BOOKKEEPING:
                del attributes[name]
            attributes.update(held)
        for attributes, training in self._modes:
            attributes["training"] = training

    def put_on_meta(self) -> list[Tensor]:
        """Swap every tensor for its stand-in, and return these; one that stands in several places has one."""
        stand_ins: dict[int, Tensor] = {}
        for container, key, tensor in self.places:
            if id(tensor) not in stand_ins:
                stand_ins[id(tensor)] = stand_in(tensor)
            container[key] = stand_ins[id(tensor)]
        return list(stand_ins.values())


def _keeps_nothing(module: nn.Module, attributes: dict[str, Any]) -> bool:
    """Whether it is a layer of torch's, or a sequence; a hook or another `forward` may keep what it likes."""
    if attributes["_forward_hooks"] or attributes["_forward_pre_hooks"] or "forward" in attributes:
        return False
    if isinstance(module, nn.Sequential):
        return type(module).forward is nn.Sequential.forward
    return type(module) in _LAYERS


def stand_in(tensor: Tensor) -> Tensor:
    """A tensor of the same shape and type on meta, laid out plainly whatever the original's memory format."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise TypeError("a sparse or quantized tensor has no stand-in")
    made = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(made, requires_grad=tensor.requires_grad)
    return made


@contextmanager
def values_kept(model: nn.Module) -> Iterator[None]:
    """Buffers that the pass changes (batch-norm statistics in training) are put back."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def real(tensor: Tensor) -> Tensor:
    """Values for a tensor that has none."""
    if not tensor.is_meta:
        return tensor.cpu()
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)).to(tensor.dtype)
    return torch.zeros(tensor.shape, dtype=tensor.dtype)
