"""Swap a model's tensors for meta tensors (a shape, no values) and restore the model afterwards.

A forward pass may store things in the model: a cached table of positions, a
hook, a normalised weight. In a pass on the meta device these would be tensors
without values in the user's model. So the state of all modules is saved before
the pass and restored in `finally`.
"""

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from backbone_bench.cost.storage import is_plain, is_wrapper, with_parts

Container: TypeAlias = Any  # a module's attribute dictionary, or one of the types below
_CONTAINERS = {dict, OrderedDict, defaultdict, list, set}
_PLAIN = {bool, int, float, str, tuple, type(None)}

# Torch's own attributes of every module, which need no saving. The tables and hooks that a forward pass may change are
# left out of this set.
_BOOKKEEPING = vars(nn.Module()).keys() - {
    "_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks",
}  # fmt: skip

# Torch's own layers keep state only in their tables of parameters and buffers; recurrent layers are left out because
# they keep their weights in a list as well.
LAYERS = {
    kind
    for kind in vars(nn).values()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and not issubclass(kind, nn.RNNBase)
}


class TensorPlace(NamedTuple):
    """Location of one tensor with values: `container[key] is tensor`."""

    container: Container
    key: Any
    tensor: Tensor


class Survey:
    """Saved state of a model: its modules by dotted name, and everything in their attributes, one level deep.

    Saved are the attributes, the items of plain containers among them, the
    `training` flags, and the location of every tensor that has values.
    """

    def __init__(self, model: nn.Module, *, on_meta: bool = False) -> None:
        """Walk the modules once; `named_modules` takes time proportional to the depth for each module.

        With `on_meta` the places are those of the tensors without values.
        """
        self._on_meta = on_meta
        self.modules: list[tuple[str, nn.Module]] = []
        self.places: list[TensorPlace] = []
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._containers: list[Container] = []
        self._modes: list[tuple[dict[str, Any], bool]] = []
        visited: set[int] = set()
        pending = [("", model)]
        while pending:
            name, module = pending.pop()
            if id(module) in visited:  # a module under two names keeps the first
                continue
            visited.add(id(module))
            self.modules.append((name, module))
            self._save_module(module)
            if not (children := module._modules):
                continue
            prefix = f"{name}." if name else ""
            for child, part in reversed(children.items()):
                if part is not None:  # a compiled module gets the name of its original
                    pending.append((name if child == "_orig_mod" else prefix + child, part))

    def _save_module(self, module: nn.Module) -> None:
        attributes = module.__dict__
        if "training" in attributes:  # scripted and compiled modules read it from another module
            self._modes.append((attributes, attributes["training"]))
        if not _is_stateless(module, attributes):
            self._save_attributes(attributes)
            return
        for table in (attributes["_parameters"], attributes["_buffers"]):
            if table:
                self._save_tensors(table)

    def _save_attributes(self, attributes: dict[str, Any]) -> None:
        saved = {name: value for name, value in attributes.items() if name not in _BOOKKEEPING}
        self._attributes.append((attributes, saved))
        for name, value in saved.items():
            kind = type(value)
            if kind in _CONTAINERS:
                self._containers.append(value)
                self._save_tensors(value)
            elif kind not in _PLAIN and isinstance(value, Tensor) and value.is_meta is self._on_meta:
                self.places.append(TensorPlace(attributes, name, value))

    def _save_tensors(self, container: Container) -> None:
        if type(container) is set:
            return
        for key, item in enumerate(container) if type(container) is list else container.items():
            if isinstance(item, Tensor) and item.is_meta is self._on_meta:
                self.places.append(TensorPlace(container, key, item))

    def buffers(self) -> list[Tensor]:
        """All buffers that the modules have now."""
        return [tensor for _, module in self.modules for tensor in module._buffers.values() if tensor is not None]

    @contextmanager
    def left_as_found(self) -> Iterator[None]:
        """Restore afterwards the attributes, the containers in them, and all tensors."""
        containers = [(container, container.copy() if container else None) for container in self._containers]
        try:
            yield
        finally:
            self._restore_attributes()
            for container, before in containers:
                if container:
                    container.clear()
                if before:
                    (container.extend if type(container) is list else container.update)(before)
            for container, key, tensor in self.places:
                container[key] = tensor

    def _restore_attributes(self) -> None:
        for attributes, saved in self._attributes:
            for name in attributes.keys() - saved.keys() - _BOOKKEEPING:
                del attributes[name]
            attributes.update(saved)
        for attributes, training in self._modes:
            attributes["training"] = training

    def put_on_meta(self) -> list[Tensor]:
        """Swap every tensor for a meta tensor and return these; a tensor in several places gets one meta tensor."""
        by_id: dict[int, Tensor] = {}
        for container, key, tensor in self.places:
            if id(tensor) not in by_id:
                by_id[id(tensor)] = as_meta(tensor)
            container[key] = by_id[id(tensor)]
        return list(by_id.values())


def _is_stateless(module: nn.Module, attributes: dict[str, Any]) -> bool:
    """Whether the module keeps no state outside its tables: a layer of torch, or an `nn.Sequential`.

    A hook or a replaced `forward` may keep state anywhere.
    """
    kind = type(module)
    if kind not in LAYERS and not (isinstance(module, nn.Sequential) and kind.forward is nn.Sequential.forward):
        return False
    return not (attributes["_forward_hooks"] or attributes["_forward_pre_hooks"] or "forward" in attributes)


def as_meta(tensor: Tensor) -> Tensor:
    """A meta tensor of the same shape and dtype, contiguous whatever the original's memory format."""
    if not is_plain(tensor):
        raise TypeError("a sparse, nested or quantized tensor has no meta form")
    if is_wrapper(type(tensor)):
        made = with_parts(tensor, as_meta)
    else:
        made = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(made, requires_grad=tensor.requires_grad)
    return made.requires_grad_(tensor.requires_grad and tensor.is_leaf)


def with_values(model: nn.Module) -> nn.Module:
    """Copy of a model on the CPU, in which every meta tensor has values: random ones or, for integers, zeros."""
    copied = copy.deepcopy(model)
    by_id: dict[int, Tensor] = {}
    for place in Survey(copied, on_meta=True).places:
        if id(place.tensor) not in by_id:
            by_id[id(place.tensor)] = _valued(place.tensor)
        place.container[place.key] = by_id[id(place.tensor)]
    return copied


def _valued(tensor: Tensor) -> Tensor:
    made = real(tensor)
    return nn.Parameter(made, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


@contextmanager
def buffers_restored(model: nn.Module) -> Iterator[None]:
    """Restore the values of buffers that the pass changes (batch-norm statistics in training)."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


@contextmanager
def gradients_restored(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Set the gradients of those tensors that can have one to None, and restore them afterwards."""
    before = [(tensor, tensor.grad) for tensor in tensors if tensor.is_leaf]
    try:
        for tensor, _ in before:
            tensor.grad = None
        yield
    finally:
        for tensor, gradient in before:
            tensor.grad = gradient


def real(tensor: Tensor) -> Tensor:
    """The tensor on the CPU; a meta tensor gets values, random ones or, for integers, zeros."""
    if not tensor.is_meta:
        return tensor.cpu()
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)).to(tensor.dtype)
    return torch.zeros(tensor.shape, dtype=tensor.dtype)
