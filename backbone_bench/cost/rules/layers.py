"""Shape rules for convolutions, linear layers and normalisation layers."""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost import formulas
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import (
    SHAPES,
    IntOrSizes,
    ShapePlan,
    StaticShape,
    carry_out,
    elements,
    floats,
    make,
    per_dimension,
    plain,
    rule,
    window_positions,
)


@rule(torch.conv1d, torch.conv2d, torch.conv3d)
def convolution(
    ledger: Ledger,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor | None:
    if not plain(input, weight, bias):
        return None
    shapes = input.shape, weight.shape, None if bias is None else bias.shape
    plan = _convolution_plan(*shapes, stride, padding, dilation, groups, ledger.images)
    return carry_out(ledger, "convolution", input, plan)


@lru_cache(SHAPES, typed=True)
def _convolution_plan(
    x: StaticShape,
    weight: StaticShape,
    bias: StaticShape | None,
    stride: IntOrSizes,
    padding: IntOrSizes,
    dilation: IntOrSizes,
    groups: int,
    images: int,
) -> ShapePlan | None:
    n = len(weight) - 2
    stride, padding, dilation = per_dimension(stride, n), per_dimension(padding, n), per_dimension(dilation, n)
    if (
        len(x) != len(weight)
        or bias not in (None, weight[:1])
        or min(*weight, *stride, *dilation, groups) < 1
        or min(padding) < 0
    ):
        return None
    if x[1] != weight[1] * groups or weight[0] % groups:
        return None
    positions = tuple(map(window_positions, x[2:], weight[2:], stride, padding, dilation))
    if x[0] < 1 or min(positions) < 1:
        return None
    out = (x[0], weight[0], *positions)
    elems = elements(x, weight, bias, out)
    return ShapePlan(out, elems, formulas.convolution(x, weight, out, images))


@rule(F.linear)
def linear(ledger: Ledger, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    if not floats(input, weight, bias):
        return None
    w = weight.shape
    if len(w) != 2 or (bias is not None and bias.shape != w[:1]):
        return None
    return carry_out(ledger, "linear", input, _linear_plan(input.shape, w, bias is not None, ledger.images))


@lru_cache(SHAPES)
def _linear_plan(x: StaticShape, weight: StaticShape, bias: bool, images: int) -> ShapePlan | None:
    if not x or 0 in x or 0 in weight or x[-1] != weight[1]:
        return None
    out = (*x[:-1], weight[0])
    return ShapePlan(out, elements(x, weight, weight[:1] if bias else None, out), formulas.linear(x, weight, images))


@rule(F.batch_norm)
def batch_norm(
    ledger: Ledger,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    if not plain(input) or type(momentum) is not float or eps <= 0 or (running_mean is None and not training):
        return None
    shape, elems, dtype = input.shape, input.numel(), input.dtype
    channels = shape[1]
    if not elems or (training and elems == channels) or (running_mean is None) != (running_var is None):
        return None
    updated = 2 * channels if training and running_mean is not None else 0  # the statistics are written as well as read
    total = 2 * elems + updated
    for tensor in (running_mean, running_var, weight, bias):
        if tensor is not None:
            if tensor.dtype is not dtype or not tensor.is_meta or tensor.dim() != 1 or tensor.shape[0] != channels:
                return None
            total += channels
    return make(ledger, "batch_norm", input, shape, total)


@rule(F.layer_norm)
def layer_norm(
    ledger: Ledger,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:
    shape = tuple(normalized_shape)
    if not floats(input, weight, bias) or not shape or input.shape[-len(shape) :] != shape or not input.numel():
        return None
    if input.is_contiguous() and not plain(input):  # torch keeps strides that mean nothing
        return None
    elems = 2 * input.numel()
    for tensor in (weight, bias):
        if tensor is not None:
            if tensor.shape != shape:
                return None
            elems += tensor.numel()
    return make(ledger, "layer_norm", input, input.shape, elems)


@rule(F.softmax, torch.softmax, Tensor.softmax)
def softmax(ledger: Ledger, input: Tensor, dim: int, _stacklevel: int = 3, dtype: None = None) -> Tensor | None:
    elems = input.numel()
    if (
        not elems
        or dtype is not None
        or not floats(input)
        or type(dim) is not int
        or not -input.dim() <= dim < input.dim()
    ):
        return None
    return make(ledger, "softmax", input, input.shape, 2 * elems)
