"""Tensors in a pytree: the nested tuples, lists, dictionaries and dataclasses that models take and return."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from copy import copy
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

from torch import Tensor

T = TypeVar("T")


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Every tensor in a nested value, in order, however deep it is."""
    pending = [iter((value,))]
    while pending:
        item = next(pending[-1], pending)
        if item is pending:  # no item of a value is this list
            pending.pop()
        elif isinstance(item, Tensor):
            yield item
        else:
            pending.append(iter(parts(item)))


def parts(value: Any) -> Iterable[Any]:
    """The items of a tuple, list, mapping or dataclass; none of any other value."""
    if isinstance(value, (tuple, list)):
        return value
    if isinstance(value, Mapping):
        return value.values()
    if is_dataclass(value) and not isinstance(value, type):
        return (getattr(value, part.name) for part in fields(value))
    return ()


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A copy of a nested value with every tensor changed; a tensor that occurs several times is changed once."""
    return _mapped(value, cache(change))  # tensors hash by identity, not by value


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        items = [_mapped(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, MutableMapping):
        return _copied(value, ((key, _mapped(item, change)) for key, item in value.items()), type(value).__setitem__)
    if is_dataclass(value) and not isinstance(value, type):
        parts = ((part.name, _mapped(getattr(value, part.name), change)) for part in fields(value))
        return _copied(value, parts, object.__setattr__)
    return value


def _copied(value: T, items: Iterable[tuple[Any, Any]], set_item: Callable[[T, Any, Any], None]) -> T:
    """A copy of the same type, frozen or not, with these items replaced."""
    copied = copy(value)
    for key, item in list(items):
        set_item(copied, key, item)
    return copied
