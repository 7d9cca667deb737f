"""The table of shape rules, and what the rules share."""

from collections.abc import Callable, Sequence
from math import prod
from types import MethodWrapperType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.cost.ledger import Ledger

ShapeRule = Callable[..., Tensor | None]
IntOrSizes = int | Sequence[int]
StaticShape = tuple[int, ...]

RULES: dict[Any, ShapeRule] = {}

FLOATS = {torch.float32, torch.float16, torch.bfloat16, torch.float64}
META = torch.device("meta")
SHAPES = 4096  # plans that are kept: a network has far fewer different layers


def rule(*functions: Any) -> Callable[[ShapeRule], ShapeRule]:
    """Enter a rule for these functions of torch; each function has at most one."""

    def enter(shape_rule: ShapeRule) -> ShapeRule:
        for function in functions:
            if function in RULES:
                raise ValueError(f"two rules for {function}")
            RULES[function] = shape_rule
        return shape_rule

    return enter


class ShapePlan(NamedTuple):
    """What an operation on tensors of one type makes, moves and computes: worked out once for the same shapes."""

    shape: StaticShape
    elems: int  # read and written
    cost: Arithmetic = NONE


def carry_out(ledger: Ledger, op: str, like: Tensor, plan: ShapePlan | None) -> Tensor | None:
    return None if plan is None else make(ledger, op, like, *plan)


def make(ledger: Ledger, op: str, like: Tensor, shape: Sequence[int], elems: int, cost: Arithmetic = NONE) -> Tensor:
    """A result of this shape, and of the type of `like`, that took reading and writing `elems` to make."""
    out = torch.empty(shape, dtype=like.dtype, device=META)
    ledger.book_new(op, elems, out, cost)
    return out


def plain(input: Tensor, *others: Tensor | None) -> bool:
    """All on meta, of one floating type, and laid out in order: what is made of them is contiguous."""
    dtype = input.dtype
    if dtype not in FLOATS or not input.is_meta or not (input.is_contiguous() or _is_slice(input)):
        return False
    for tensor in others:
        if tensor is None:
            continue
        if tensor.dtype is not dtype or not tensor.is_meta or not (tensor.is_contiguous() or _is_slice(tensor)):
            return False
    return True


def _is_slice(tensor: Tensor) -> bool:
    """Whether it is a batch of maps that are part of larger ones, and neither channels-last nor turned."""
    if tensor.dim() != 4:
        return False
    image, channel, row, place = tensor.stride()
    return image >= channel > row >= place > 0


def each(value: IntOrSizes, n: int) -> tuple[int, ...]:
    """A size given once for every dimension, or one by one; anything else is torch's to judge."""
    if type(value) is int:
        return (value,) * n
    sizes = tuple(value)  # type: ignore[arg-type]  # what is no sequence raises here
    if len(sizes) != n or any(type(size) is not int for size in sizes):
        raise TypeError(f"not {n} sizes: {value}")
    return sizes


def slide(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """How many places a window has along one dimension."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def moved(*shapes: Sequence[int] | None) -> int:
    """The elements of tensors of these shapes."""
    return sum(prod(shape) for shape in shapes if shape is not None)


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
