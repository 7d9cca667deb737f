"""Torch's own counter as an oracle of the backward pass, and the causes of every difference."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.base.training import differentiable
from backbone_bench.records import Missing, ModelCost


def multiply_adds(model: nn.Module, args: Sequence[Any]) -> tuple[int, int]:
    """Multiply-adds of the forward and of the backward pass."""
    with FlopCounterMode(display=False) as counter:
        outputs = differentiable(model(*args))
        forward = counter.get_total_flops()
        torch.autograd.backward(outputs, [torch.empty_like(output) for output in outputs])
    return forward // 2, (counter.get_total_flops() - forward) // 2


def explained(model: nn.Module, cost: ModelCost) -> int:
    """What torch counts more than we do in the backward pass."""
    return sum(_differences(model, cost))


def _differences(model: nn.Module, cost: ModelCost) -> Iterator[int]:
    for row in cost.by_op:
        if row.phase != "backward" or isinstance(row.flops, Missing):
            continue
        # Torch counts the gradient of grouped weights as if there were one group. Fixed weights have no gradient.
        if row.groups is not None and any(True for _ in model.get_submodule(row.module).parameters()):
            yield (row.groups - 1) * row.flops // 2
        if row.op == "scaled_dot_product_attention_backward":  # torch keeps the scores that we make again
            yield -(row.flops // 5)
