"""Activations, and arithmetic element by element."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import Rule, contiguous, on_meta, rule


def _pointwise(op: str) -> Rule:
    """A function of one tensor; further arguments are its constants."""

    def one(ledger: Ledger, input: Tensor, *constants: object, inplace: bool = False, **more: object) -> Tensor | None:
        if more or not contiguous(input) or any(isinstance(constant, Tensor) for constant in constants):
            return None
        out = input if inplace else on_meta(input, input.shape)
        ledger.book(op, (input,), out)
        return out

    return one


def _in_place(op: str) -> Rule:
    one = _pointwise(op)
    return lambda ledger, input, *constants: one(ledger, input, *constants, inplace=True)


for _name in ("relu", "relu6", "leaky_relu", "elu", "selu", "silu", "mish", "hardtanh", "hardswish", "hardsigmoid"):
    rule(getattr(F, _name))(_pointwise(_name))
for _name in ("sigmoid", "tanh", "relu"):
    rule(getattr(torch, _name), getattr(Tensor, _name))(_pointwise(_name))
    rule(getattr(torch, _name + "_"), getattr(Tensor, _name + "_"))(_in_place(_name))
rule(F.gelu)(
    lambda ledger, input, *, approximate="none": _pointwise("gelu")(ledger, input),
)


def _binary(op: str, *, in_place: bool = False) -> Rule:
    """A function of two tensors that spread to a common shape, or of a tensor and a number."""

    def two(ledger: Ledger, input: Tensor, other: Tensor | float) -> Tensor | None:
        if not isinstance(other, Tensor):
            if isinstance(other, (bool, complex)) or not isinstance(input, Tensor) or not contiguous(input):
                return None
            out = input if in_place else on_meta(input, input.shape)
            ledger.book(op, (input,), out)
            return out
        if not isinstance(input, Tensor) or not contiguous(input, other):
            return None
        shape = input.shape if input.shape == other.shape else _spread(input.shape, other.shape)
        if shape is None or (in_place and shape != input.shape):
            return None
        out = input if in_place else on_meta(input, shape)
        ledger.book(op, (input, other), out)
        return out

    return two


def _spread(left: Sequence[int], right: Sequence[int]) -> Sequence[int] | None:
    """The broadcast of two shapes of equally many dimensions; None where there is none."""
    if len(left) != len(right) or any(a != b and a != 1 and b != 1 for a, b in zip(left, right, strict=True)):
        return None
    return torch.Size(max(a, b) for a, b in zip(left, right, strict=True))


for _name in ("add", "sub", "mul", "div"):
    rule(getattr(torch, _name), getattr(Tensor, _name))(_binary(_name))
    rule(getattr(Tensor, _name + "_"))(_binary(_name, in_place=True))
