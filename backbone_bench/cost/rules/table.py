"""The table of shape rules, and what every rule asks of its arguments."""

from collections.abc import Callable, Sequence
from types import MethodWrapperType
from typing import Any

import torch
from torch import Tensor

Rule = Callable[..., Tensor | None]
RULES: dict[Any, Rule] = {}


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Enter a rule for these functions of torch; each function has at most one."""

    def enter(shape_rule: Rule) -> Rule:
        for function in functions:
            if function in RULES:
                raise ValueError(f"two rules for {function}")
            RULES[function] = shape_rule
        return shape_rule

    return enter


def on_meta(like: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device="meta")


def usual(*tensors: Tensor | None) -> bool:
    """All on meta, of one floating type, with elements, and laid out plainly (a channels-last map is not)."""
    dtype = None
    for tensor in tensors:
        if tensor is None:
            continue
        if not tensor.is_meta or (dtype is not None and tensor.dtype is not dtype):
            return False
        dtype = tensor.dtype
        if not (tensor.is_contiguous() or (tensor.dim() > 3 and tensor.stride(1) != 1)) or tensor.numel() == 0:
            return False
    return dtype is not None and dtype.is_floating_point


def contiguous(*tensors: Tensor | None) -> bool:
    return usual(*tensors) and all(tensor is None or tensor.is_contiguous() for tensor in tensors)


def each(value: int | Sequence[int], n: int) -> Sequence[int]:
    """A size given once for every dimension, or one by one."""
    return (value,) * n if isinstance(value, int) else value if len(value) == n else tuple(value) * n


def slide(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """How many places a window has along one dimension."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


VIEWS = frozenset(
    getattr(owner, name)
    for owner in (torch, Tensor)
    for name in (
        "as_strided", "broadcast_to", "chunk", "detach", "dim", "element_size", "expand", "expand_as", "get_device",
        "is_contiguous", "is_floating_point", "movedim", "narrow", "ndimension", "nelement", "numel", "permute",
        "select", "size", "split", "squeeze", "storage_offset", "stride", "swapaxes", "t", "transpose", "unbind",
        "unflatten", "unsqueeze", "untyped_storage", "view", "view_as",
    )
    if hasattr(owner, name)
)  # fmt: skip


def launches_nothing(function: Any) -> bool:
    """Views and questions about a tensor: they run as they are. Attributes come as getters."""
    return function in VIEWS or isinstance(function, MethodWrapperType)
