"""Shape rules for pooling."""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import (
    SHAPES,
    IntOrSizes,
    ShapePlan,
    StaticShape,
    carry_out,
    elements,
    make,
    per_dimension,
    plain,
    rule,
    window_positions,
)


@rule(F.max_pool2d, torch.max_pool2d)
def max_pool2d(
    ledger: Ledger,
    input: Tensor,
    kernel_size: IntOrSizes,
    stride: IntOrSizes | None = None,
    padding: IntOrSizes = 0,
    dilation: IntOrSizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if return_indices or not plain(input):
        return None
    plan = _pool_plan(input.shape, kernel_size, stride, padding, dilation, ceil_mode)
    return carry_out(ledger, "max_pool2d", input, plan)


@rule(F.avg_pool2d)
def avg_pool2d(
    ledger: Ledger,
    input: Tensor,
    kernel_size: IntOrSizes,
    stride: IntOrSizes | None = None,
    padding: IntOrSizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: None = None,
) -> Tensor | None:
    if divisor_override is not None or not plain(input):
        return None
    return carry_out(ledger, "avg_pool2d", input, _pool_plan(input.shape, kernel_size, stride, padding, 1, ceil_mode))


@lru_cache(SHAPES, typed=True)
def _pool_plan(
    x: StaticShape,
    kernel: IntOrSizes,
    stride: IntOrSizes | None,
    padding: IntOrSizes,
    dilation: IntOrSizes,
    ceil_mode: bool,
) -> ShapePlan | None:
    kernels, paddings, dilations = per_dimension(kernel, 2), per_dimension(padding, 2), per_dimension(dilation, 2)
    strides = kernels if stride is None else per_dimension(stride, 2)
    if len(x) != 4 or min(*x, *kernels, *strides, *dilations) < 1 or min(paddings) < 0:
        return None
    if any(2 * p > k for p, k in zip(paddings, kernels, strict=True)):
        return None
    steps = zip(x[2:], kernels, strides, paddings, dilations, strict=True)
    positions = tuple(_window_positions_ceil(*step) if ceil_mode else window_positions(*step) for step in steps)
    if min(positions) < 1:
        return None
    out = (*x[:2], *positions)
    return ShapePlan(out, elements(x, out))


def _window_positions_ceil(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Window positions with `ceil_mode`: the last window may cross the edge but starts in the map or left padding."""
    positions = -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    return positions - 1 if (positions - 1) * stride >= size + padding else positions


@rule(F.adaptive_avg_pool2d)
def adaptive_avg_pool2d(ledger: Ledger, input: Tensor, output_size: int | Sequence[int | None]) -> Tensor | None:
    shape = input.shape
    if len(shape) != 4 or not plain(input):
        return None
    requested = (output_size, output_size) if type(output_size) is int else tuple(output_size)  # type: ignore[arg-type]  # a non-sequence raises TypeError
    height, width = (size if side is None else side for size, side in zip(shape[2:], requested, strict=True))
    if type(height) is not int or type(width) is not int or min(*shape, height, width) < 1:
        return None
    out = (*shape[:2], height, width)
    return make(ledger, "adaptive_avg_pool2d", input, out, elements(shape, out))
