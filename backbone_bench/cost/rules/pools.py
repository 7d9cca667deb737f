"""Pools."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import each, on_meta, rule, slide, usual


@rule(F.max_pool2d, torch.max_pool2d)
def max_pool2d(
    ledger: Ledger,
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if return_indices:
        return None
    return _pool(ledger, "max_pool2d", input, (kernel_size, stride, padding, dilation), ceil_mode)


@rule(F.avg_pool2d)
def avg_pool2d(
    ledger: Ledger,
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor | None:
    return _pool(ledger, "avg_pool2d", input, (kernel_size, stride, padding, 1), ceil_mode)


def _pool(
    ledger: Ledger, op: str, input: Tensor, window: Sequence[int | Sequence[int] | None], ceil_mode: bool
) -> Tensor | None:
    kernel, stride, padding, dilation = window
    if input.dim() != 4 or not usual(input) or kernel is None or padding is None or dilation is None:
        return None
    kernels, strides, paddings, dilations = (each(value, 2) for value in (kernel, stride or kernel, padding, dilation))
    if any(2 * p > k for p, k in zip(paddings, kernels, strict=True)):
        return None
    steps = zip(input.shape[2:], kernels, strides, paddings, dilations, strict=True)
    places = [_pooled(*step, ceil_mode=ceil_mode) for step in steps]
    if min(places) < 1:
        return None
    out = on_meta(input, (*input.shape[:2], *places))
    ledger.book(op, (input,), out)
    return out


def _pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil_mode: bool) -> int:
    if not ceil_mode:
        return slide(size, kernel, stride, padding, dilation)
    places = -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    # The last window must start inside the map or its left padding.
    return places - 1 if (places - 1) * stride >= size + padding else places


@rule(F.adaptive_avg_pool2d)
def adaptive_avg_pool2d(ledger: Ledger, input: Tensor, output_size: int | Sequence[int | None]) -> Tensor | None:
    if input.dim() != 4 or not usual(input):
        return None
    wanted = (output_size, output_size) if isinstance(output_size, int) else output_size
    places = [size if asked is None else asked for size, asked in zip(input.shape[2:], wanted, strict=True)]
    if min(places) < 1:
        return None
    out = on_meta(input, (*input.shape[:2], *places))
    ledger.book("adaptive_avg_pool2d", (input,), out)
    return out
