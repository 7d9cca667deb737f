"""The table of shape rules by torch function, and the helpers that the rules share."""

from collections.abc import Callable, Sequence
from functools import lru_cache
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
SHAPES = 4096  # cache size of plans: a network has far fewer different layers


def rule(*functions: Any) -> Callable[[ShapeRule], ShapeRule]:
    """Register the rule of these torch functions; raise ValueError if one has a rule already."""

    def enter(shape_rule: ShapeRule) -> ShapeRule:
        for function in functions:
            if function in RULES:
                raise ValueError(f"two rules for {function}")
            RULES[function] = shape_rule
        return shape_rule

    return enter


class ShapePlan(NamedTuple):
    """Result shape, traffic and cost of an operation on tensors of one type; cached by shapes."""

    shape: StaticShape
    elems: int  # read and written
    cost: Arithmetic = NONE


def carry_out(ledger: Ledger, op: str, like: Tensor, plan: ShapePlan | None) -> Tensor | None:
    """Make and book the result of a plan; None if there is no plan."""
    return None if plan is None else make(ledger, op, like, *plan)


def make(ledger: Ledger, op: str, like: Tensor, shape: Sequence[int], elems: int, cost: Arithmetic = NONE) -> Tensor:
    """Make and book a contiguous result of the dtype of `like`; `elems` elements are read and written."""
    out = torch.empty(tuple(shape), dtype=like.dtype, device=META)  # of a `torch.Size` it takes a third longer
    ledger.book_new(op, elems, out, cost)
    return out


def make_strided(ledger: Ledger, op: str, like: Tensor, strides: StaticShape, elems: int) -> Tensor:
    """Make and book a result of the shape and dtype of `like` with these strides."""
    out = torch.empty_strided(like.shape, strides, dtype=like.dtype, device=META)
    ledger.book_new(op, elems, out)
    return out


def floats(input: Tensor, *others: Tensor | None) -> bool:
    """Whether all are on meta, strided in any way, and of one floating dtype."""
    dtype = input.dtype
    if dtype not in FLOATS or not input.is_meta or input.layout is not torch.strided:
        return False
    return all(
        other is None or (other.dtype is dtype and other.is_meta and other.layout is torch.strided) for other in others
    )


@lru_cache(SHAPES)
def kept_strides(shape: StaticShape, strides: StaticShape) -> StaticShape | None:
    """Strides of an elementwise result whose first input has these: dense, in the order of the input's dimensions.

    None if that order is not unique: then torch looks at the other inputs. None too where a dimension behind the batch
    has one element, or the batch has one and the input has gaps: some kernels keep the stride of such a dimension,
    others do not.
    """
    if 0 in strides or len(set(strides)) < len(strides) or 1 in shape[1:]:
        return None
    kept = _dense(shape, sorted(range(len(shape)), key=strides.__getitem__))
    return None if shape[:1] == (1,) and kept != strides else kept


def plain(input: Tensor, *others: Tensor | None) -> bool:
    """Whether all are on meta, of one floating dtype and in usual memory order, so that results are contiguous."""
    dtype = input.dtype
    if dtype not in FLOATS or not input.is_meta or not _in_order(input.shape, input.stride()):
        return False
    for tensor in others:
        if tensor is None:
            continue
        if tensor.dtype is not dtype or not tensor.is_meta or not _in_order(tensor.shape, tensor.stride()):
            return False
    return True


@lru_cache(SHAPES)
def _in_order(shape: StaticShape, strides: StaticShape) -> bool:
    """Whether a tensor is contiguous, or a slice of a contiguous batch of maps: not channels-last, not transposed.

    The stride of a dimension of one element, which some kernels keep, must be that of a contiguous tensor as well.
    """
    contiguous = _dense(shape, range(len(shape))[::-1])
    if strides == contiguous:
        return True
    differ = any(size > 1 and own != other for size, own, other in zip(shape, strides, contiguous, strict=True))
    if len(shape) != 4 or not differ:
        return False
    image, channel, row, column = strides
    return image > channel > row >= column > 0


def _dense(shape: StaticShape, order: Sequence[int]) -> StaticShape:
    """Strides of a tensor without gaps whose dimensions lie in this order, the innermost first."""
    strides, step = [0] * len(shape), 1
    for dim in order:
        strides[dim] = step
        step *= max(shape[dim], 1)
    return tuple(strides)


def per_dimension(value: IntOrSizes, n: int) -> tuple[int, ...]:
    """`n` sizes from one integer or from a sequence of `n`; raise TypeError for anything else: torch decides."""
    if type(value) is int:
        return (value,) * n
    sizes = tuple(value)  # type: ignore[arg-type]  # a non-sequence raises TypeError
    if len(sizes) != n or any(type(size) is not int for size in sizes):
        raise TypeError(f"not {n} sizes: {value}")
    return sizes


def window_positions(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Number of window positions along one dimension."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def elements(*shapes: Sequence[int] | None) -> int:
    """Total elements of tensors of these shapes."""
    return sum(prod(shape) for shape in shapes if shape is not None)


VIEWS = frozenset(
    getattr(owner, name)
    for owner in (torch, Tensor)
    for name in (
        "as_strided", "broadcast_to", "chunk", "detach", "dim", "element_size", "expand", "expand_as", "get_device",
        "is_contiguous", "is_floating_point", "movedim", "narrow", "ndimension", "nelement", "numel", "permute",
        "select", "size", "split", "squeeze", "storage_offset", "stride", "swapaxes", "t", "transpose", "unbind",
        "unflatten", "unsqueeze", "untyped_storage", "view", "view_as", "_assert",
    )
    if hasattr(owner, name)
)  # fmt: skip


def launches_nothing(function: Any) -> bool:
    """Whether a function launches no kernel: it makes a view or queries a tensor. Attributes arrive as getters."""
    return function in VIEWS or isinstance(function, MethodWrapperType)
