"""Results of torch's own kernels, remembered by the shapes, strides and types of their arguments.

A network calls the same function with the same shapes many times. What has no
shape rule, or is declined by it, runs under the recorder the first time; later
calls with the same signature make results of the same shape, strides and dtype
and book the same again. Remembered are torch's own functions that make new
meta tensors from meta tensors, numbers and the like. All else is recorded each
time: changes in place, views, results with values.
"""

from collections.abc import Callable, Hashable, Sequence
from types import EllipsisType, FunctionType, NoneType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from backbone_bench.base.pytree import tensors_of
from backbone_bench.cost.ledger import Ledger, Note, storage_of
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules.table import META, StaticShape

MOST = 16384  # signatures; a network has some tens or hundreds

_ATOMS = {
    int, float, bool, complex, str, NoneType, EllipsisType,
    torch.dtype, torch.device, torch.memory_format, torch.layout,
}  # fmt: skip


class Result(NamedTuple):
    """One result tensor."""

    shape: StaticShape
    strides: StaticShape
    dtype: torch.dtype

    def make(self) -> Tensor:
        return torch.empty_strided(self.shape, self.strides, dtype=self.dtype, device=META)


class Remembered(NamedTuple):
    """Results of a function and what it booked; `kind` is the tuple or list that held them, None for one tensor."""

    results: tuple[Result, ...]
    kind: type | None
    note: Note


_memories: dict[Hashable, Remembered] = {}


def run(ledger: Ledger, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Result of the function, from memory if it is there, else from torch's kernel under the recorder."""

    def recorded() -> Any:
        with Recorder(ledger):
            return func(*args, **kwargs)

    if not _is_torchs(func) or next(tensors_of((args, kwargs)), None) is None:  # without a tensor: the default device
        return recorded()
    try:
        key = func, ledger.images, torch.get_default_dtype(), _signature(ledger, args), _signature(ledger, kwargs)
        memory = _memories.get(key)
    except _UnknownArgument:
        return recorded()
    if memory is not None:
        made = [result.make() for result in memory.results]
        ledger.repeat(memory.note, made)
        return made[0] if memory.kind is None else memory.kind(made)
    out, note = ledger.noted(recorded)
    results = _results(out, (args, kwargs))
    if results and len(_memories) < MOST:
        _memories[key] = Remembered(results, None if isinstance(out, Tensor) else type(out), note)
    return out


def forget() -> None:
    """Forget every result."""
    _memories.clear()


def _is_torchs(func: Callable[..., Any]) -> bool:
    return not isinstance(func, FunctionType) or func.__module__.startswith("torch.")


class _UnknownArgument(Exception):
    """An argument that may decide about the result by more than its shape or value."""


def _signature(ledger: Ledger, value: Any) -> Hashable:
    kind = type(value)
    if kind is Tensor or kind is Parameter:
        if not value.is_meta or value.layout is not torch.strided or value.is_conj() or value.is_neg():
            raise _UnknownArgument
        return value.shape, value.stride(), value.dtype, ledger.is_weight(value)  # a weight makes a product a layer
    if kind in _ATOMS:
        return kind, value  # 1, 1.0 and True are equal
    if kind is tuple or kind is list or kind is torch.Size:
        return kind, *[_signature(ledger, item) for item in value]
    if kind is dict:
        return tuple([(name, _signature(ledger, item)) for name, item in value.items()])
    if kind is slice:
        return kind, _signature(ledger, (value.start, value.stop, value.step))
    raise _UnknownArgument


def _results(out: Any, given: Any) -> tuple[Result, ...] | None:
    """The result tensors if new ones made by `Result` are like them; else None."""
    tensors = [out] if type(out) is Tensor else out
    if not isinstance(out, Tensor) and type(out) not in (tuple, list):
        return None
    if any(
        type(tensor) is not Tensor or not tensor.is_meta or tensor.layout is not torch.strided for tensor in tensors
    ):
        return None
    storages = [storage_of(tensor) for tensor in (*tensors, *tensors_of(given))]
    new = storages[: len(tensors)]
    if any(storages.count(storage) > 1 for storage in new):
        return None
    results = tuple(Result(tuple(tensor.shape), tensor.stride(), tensor.dtype) for tensor in tensors)
    alike = all(
        tensor.storage_offset() == 0 and tensor.untyped_storage().nbytes() == result.make().untyped_storage().nbytes()
        for tensor, result in zip(tensors, results, strict=True)
    )
    return results if alike else None
