"""Convolutions, linear layers and norms."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost import formulas
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import contiguous, each, on_meta, rule, slide, usual


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
    n = weight.dim() - 2
    if isinstance(padding, str) or input.dim() != n + 2 or not usual(input, weight, bias):
        return None
    x, w = input.shape, weight.shape
    if x[1] != w[1] * groups or w[0] % groups or (bias is not None and bias.shape != w[:1]):
        return None
    steps = zip(x[2:], w[2:], each(stride, n), each(padding, n), each(dilation, n), strict=True)
    places = [slide(*step) for step in steps]
    if min(places) < 1:
        return None
    out = on_meta(input, (x[0], w[0], *places))
    reads = (input, weight) if bias is None else (input, weight, bias)
    ledger.book("convolution", reads, out, formulas.convolution(x, w, out.shape, ledger.images))
    return out


@rule(F.linear)
def linear(ledger: Ledger, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    if weight.dim() != 2 or not input.dim() or input.shape[-1] != weight.shape[1]:
        return None
    if not contiguous(input, weight, bias) or (bias is not None and bias.shape != weight.shape[:1]):
        return None
    out = on_meta(input, (*input.shape[:-1], weight.shape[0]))
    reads = (input, weight) if bias is None else (input, weight, bias)
    ledger.book("linear", reads, out, formulas.linear(input.shape, weight.shape, ledger.images))
    return out


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
    state = (running_mean, running_var, weight, bias)
    if input.dim() < 2 or not contiguous(input) or (training and input.numel() == input.shape[1]):
        return None
    if (running_mean is None and not training) or not _per_channel(state, input):
        return None
    out = on_meta(input, input.shape)
    ledger.book_batch_norm(input, state, out, training=training)
    return out


def _per_channel(state: Sequence[Tensor | None], input: Tensor) -> bool:
    return all(t is None or (t.is_meta and t.dtype is input.dtype and t.shape == input.shape[1:2]) for t in state)


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
    affine = [tensor for tensor in (weight, bias) if tensor is not None]
    if not shape or input.shape[-len(shape) :] != shape or any(tensor.shape != shape for tensor in affine):
        return None
    if not contiguous(input, *affine):
        return None
    out = on_meta(input, input.shape)
    ledger.book("layer_norm", (input, *affine), out)
    return out
