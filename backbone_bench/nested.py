"""Tensors within what models take and return: nested tuples, lists, dictionaries and dataclasses."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Every tensor, in order."""
    if isinstance(value, Tensor):
        yield value
    for item in _parts(value):
        yield from tensors_of(item)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, (tuple, list)):
        return value
    if isinstance(value, Mapping):
        return value.values()
    if is_dataclass(value) and not isinstance(value, type):
        return (getattr(value, part.name) for part in fields(value))
    return ()


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same value with every tensor changed; a dataclass is left as it is."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        items = [map_tensors(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {key: map_tensors(item, change) for key, item in value.items()}
    return value
