"""Joining, padding and averaging, and what launches no work at all."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import contiguous, on_meta, rule, usual


@rule(torch.cat)
def cat(ledger: Ledger, tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    first = tensors[0].shape
    if not contiguous(*tensors) or not -len(first) <= dim < len(first):
        return None
    dim %= len(first)
    for tensor in tensors[1:]:
        shape = tensor.shape
        if len(shape) != len(first) or shape[:dim] != first[:dim] or shape[dim + 1 :] != first[dim + 1 :]:
            return None
    joined = sum(tensor.shape[dim] for tensor in tensors)
    out = on_meta(tensors[0], (*first[:dim], joined, *first[dim + 1 :]))
    ledger.book("cat", tensors, out)
    return out


@rule(F.pad)
def pad(
    ledger: Ledger, input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor | None:
    if mode != "constant" or not usual(input) or len(pad) % 2 or len(pad) > 2 * input.dim():
        return None
    shape = list(input.shape)
    for place, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        shape[-place] += before + after
    if min(pad) < 0 or not any(pad):  # what is cropped, or not padded at all, is torch's to decide
        return None
    out = on_meta(input, shape)
    ledger.book("pad", (input,), out)
    return out


@rule(torch.mean, Tensor.mean)
def mean(ledger: Ledger, input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor | None:
    if dim is None or not contiguous(input):
        return None
    n = input.dim()
    over = {d % n for d in ((dim,) if isinstance(dim, int) else dim) if -n <= d < n}
    if len(over) != (1 if isinstance(dim, int) else len(dim)) or not over:
        return None
    shape = [1 if d in over else size for d, size in enumerate(input.shape) if keepdim or d not in over]
    out = on_meta(input, shape)
    ledger.book("mean", (input,), out)
    return out


@rule(F.dropout, F.dropout2d)
def dropout(
    ledger: Ledger, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor | None:
    return None if training else input


@rule(torch.flatten, Tensor.flatten)
def flatten(ledger: Ledger, input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor | None:
    return input.flatten(start_dim, end_dim) if input.is_contiguous() else None


@rule(Tensor.__getitem__)
def index(ledger: Ledger, input: Tensor, place: Any) -> Tensor | None:
    places = place if isinstance(place, tuple) else (place,)
    if all(p is None or p is Ellipsis or type(p) in (int, slice) for p in places):
        return input[place]
    return None
