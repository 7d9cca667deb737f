"""Shape rules for activations and elementwise arithmetic."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import ShapeRule, make, plain, rule


def _in_place(ledger: Ledger, op: str, input: Tensor, elems: int) -> Tensor:
    ledger.book_in_place(op, elems, input)
    return input


def _activation(op: str) -> ShapeRule:
    """Rule for an activation of one tensor; its constants, if any, are keywords.

    Torch checks constants: those that are not numbers in ascending order are left to it.
    """

    def activate(ledger: Ledger, input: Tensor, *, inplace: bool = False, **constants: Any) -> Tensor | None:
        elems = input.numel()
        if not elems or not plain(input):
            return None
        if constants:
            values = list(constants.values())
            if any(type(value) not in (int, float) for value in values) or values != sorted(values):
                return None
        if inplace:
            return _in_place(ledger, op, input, 2 * elems)
        return make(ledger, op, input, input.shape, 2 * elems)

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
        shape = _result_shape(input, other)
        if shape is None:
            return None
        read = input.numel() + (other.numel() if isinstance(other, Tensor) else 0)
        elems = read + shape.numel()
        if in_place:
            return _in_place(ledger, op, input, elems) if shape == input.shape else None
        return make(ledger, op, input, shape, elems)

    return combine


def _result_shape(input: Tensor, other: Tensor | float) -> torch.Size | None:
    """Broadcast shape of two tensors with as many dimensions, or of a tensor and a number; else None."""
    shape = input.shape
    if 0 in shape:
        return None
    if not isinstance(other, Tensor):
        return shape if type(other) in (int, float) and plain(input) else None
    if not plain(input, other):
        return None
    return shape if shape == other.shape else _broadcast(shape, other.shape)


def _broadcast(left: torch.Size, right: torch.Size) -> torch.Size | None:
    if len(left) != len(right) or any(a != b and a != 1 and b != 1 for a, b in zip(left, right, strict=True)):
        return None
    return torch.Size(max(a, b) for a, b in zip(left, right, strict=True)) if 0 not in right else None


for _name in ("add", "sub", "mul", "div"):
    rule(getattr(torch, _name), getattr(Tensor, _name))(_arithmetic(_name))
    rule(getattr(Tensor, _name + "_"))(_arithmetic(_name, in_place=True))
