"""Shape rules for activations and elementwise arithmetic."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import (
    SHAPES,
    ShapeRule,
    StaticShape,
    floats,
    kept_strides,
    make,
    make_strided,
    plain,
    rule,
)


def _in_place(ledger: Ledger, op: str, input: Tensor, elems: int) -> Tensor:
    ledger.book_in_place(op, elems, input)
    return input


def _activation(op: str) -> ShapeRule:
    """Rule for an activation of one tensor; its constants, if any, are keywords.

    Torch checks constants: those that are not numbers in ascending order are left to it.
    """

    def activate(ledger: Ledger, input: Tensor, *, inplace: bool = False, **constants: Any) -> Tensor | None:
        elems = 2 * input.numel()
        if not elems:
            return None
        if constants:
            values = list(constants.values())
            if any(type(value) not in (int, float) for value in values) or values != sorted(values):
                return None
        if plain(input):
            return _in_place(ledger, op, input, elems) if inplace else make(ledger, op, input, input.shape, elems)
        strides = kept_strides(input.shape, input.stride()) if floats(input) else None
        if strides is None:
            return None
        return _in_place(ledger, op, input, elems) if inplace else make_strided(ledger, op, input, strides, elems)

    return activate


def _updating(activate: ShapeRule) -> ShapeRule:
    """The in-place form of an activation."""
    return lambda ledger, input: activate(ledger, input, inplace=True)


for _name in ("relu", "relu6", "leaky_relu", "elu", "selu", "silu", "mish", "hardtanh", "hardswish", "hardsigmoid"):
    rule(getattr(F, _name))(_activation(_name))
for _name in ("sigmoid", "tanh", "relu"):
    _rule = _activation(_name)
    rule(getattr(torch, _name), getattr(Tensor, _name))(lambda ledger, input, activate=_rule: activate(ledger, input))
    rule(getattr(torch, _name + "_"), getattr(Tensor, _name + "_"))(_updating(_rule))


@rule(F.gelu)
def gelu(ledger: Ledger, input: Tensor, *, approximate: str = "none") -> Tensor | None:
    return _gelu(ledger, input) if approximate in ("none", "tanh") else None


_gelu: Callable[[Ledger, Tensor], Tensor | None] = _activation("gelu")


def _arithmetic(op: str, *, in_place: bool = False) -> ShapeRule:
    """Rule for an operation of two tensors that broadcast, or of a tensor and a number."""

    def combine(ledger: Ledger, input: Tensor, other: Tensor | float) -> Tensor | None:
        own = input.shape
        if isinstance(other, Tensor):
            shape = own if own == other.shape else _broadcast(own, other.shape)
            pair: tuple[Tensor, ...] = (input, other)
        else:
            shape, pair = own if type(other) in (int, float) else None, (input,)
        if shape is None or 0 in shape or (in_place and shape != own):
            return None
        elems = sum(tensor.numel() for tensor in pair) + shape.numel()
        in_order = plain(*pair)
        strides = None if in_order else _first_strides(shape, pair)
        if not in_order and strides is None:
            return None
        if in_place:
            return _in_place(ledger, op, input, elems)
        if strides is None:
            return make(ledger, op, input, shape, elems)
        return make_strided(ledger, op, input, strides, elems)

    return combine


def _first_strides(shape: torch.Size, pair: tuple[Tensor, ...]) -> StaticShape | None:
    """Strides of a result whose first tensor has its shape, and leaves no choice of the memory order; else None."""
    first = pair[0]
    return kept_strides(shape, first.stride()) if shape == first.shape and floats(*pair) else None


@lru_cache(SHAPES)
def _broadcast(left: StaticShape, right: StaticShape) -> torch.Size | None:
    """Shape of an operation of two tensors of these shapes; None if they do not broadcast."""
    n = max(len(left), len(right))
    pairs = list(zip((1,) * (n - len(left)) + tuple(left), (1,) * (n - len(right)) + tuple(right), strict=True))
    if any(a != b and a != 1 and b != 1 for a, b in pairs):
        return None
    return torch.Size(max(a, b) for a, b in pairs) if 0 not in left and 0 not in right else None


for _name in ("add", "sub", "mul", "div"):
    rule(getattr(torch, _name), getattr(Tensor, _name))(_arithmetic(_name))
    rule(getattr(Tensor, _name + "_"))(_arithmetic(_name, in_place=True))
