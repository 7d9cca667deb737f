"""Shape rules for concatenation, padding, means and copies, and for calls that may launch no kernel."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.ledger import Ledger, storage_of
from backbone_bench.cost.rules.table import IntOrSizes, floats, make, per_dimension, plain, rule


@rule(torch.cat)
def cat(ledger: Ledger, tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    first = tensors[0].shape
    n = len(first)
    if type(dim) is not int or not -n <= dim < n or not plain(*tensors):
        return None
    dim %= n
    before, after = first[:dim], first[dim + 1 :]
    joined = 0
    for tensor in tensors:
        shape = tensor.shape
        if len(shape) != n or shape[:dim] != before or shape[dim + 1 :] != after:
            return None
        joined += shape[dim]
    out = torch.Size((*before, joined, *after))
    elems = out.numel()
    return make(ledger, "cat", tensors[0], out, 2 * elems) if elems else None


@rule(F.pad)
def pad(
    ledger: Ledger, input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor | None:
    if mode != "constant" or not plain(input) or len(pad) % 2 or len(pad) > 2 * input.dim():
        return None
    if min(pad) < 0 or not any(pad):  # cropping, or no padding at all: torch decides whether it copies
        return None
    shape = list(input.shape)
    for from_end, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        shape[-from_end] += before + after
    out = torch.Size(shape)
    return make(ledger, "pad", input, out, input.numel() + out.numel()) if input.numel() else None


@rule(torch.mean, Tensor.mean)
def mean(ledger: Ledger, input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor | None:
    if dim is None or not plain(input) or not input.numel():
        return None
    n = input.dim()
    dims = (dim,) if type(dim) is int else tuple(dim)  # type: ignore[arg-type]  # a non-sequence raises TypeError
    over = {d % n for d in dims if -n <= d < n}
    if len(over) != len(dims) or not over:
        return None
    out = torch.Size(1 if d in over else size for d, size in enumerate(input.shape) if keepdim or d not in over)
    return make(ledger, "mean", input, out, input.numel() + out.numel())


@rule(torch.roll, Tensor.roll)
def roll(ledger: Ledger, input: Tensor, shifts: IntOrSizes, dims: IntOrSizes) -> Tensor | None:
    n = input.dim()
    over = per_dimension(dims, 1 if type(dims) is int else len(dims))  # type: ignore[arg-type]  # others raise TypeError
    by = per_dimension(shifts, 1 if type(shifts) is int else len(over))
    if len(by) != len(over) or not over or not all(-n <= dim < n for dim in over):
        return None
    if not floats(input) or not input.numel():
        return None
    return make(ledger, "roll", input, input.shape, 2 * input.numel())


@rule(Tensor.contiguous)
def contiguous(ledger: Ledger, input: Tensor) -> Tensor | None:
    if not input.is_meta:
        return None
    if input.is_contiguous():
        return input
    return make(ledger, "contiguous", input, input.shape, 2 * input.numel())


@rule(F.dropout)
def dropout(
    ledger: Ledger, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor | None:
    return input if not training and 0 <= p <= 1 else None


@rule(torch.flatten, Tensor.flatten)
def flatten(ledger: Ledger, input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor | None:
    return _reshaped(ledger, "flatten", input, input.flatten(start_dim, end_dim))


@rule(torch.reshape, Tensor.reshape)
def reshape(ledger: Ledger, input: Tensor, *shape: Any, **named: Any) -> Tensor | None:
    return _reshaped(ledger, "reshape", input, input.reshape(*shape, **named))


def _reshaped(ledger: Ledger, op: str, input: Tensor, out: Tensor) -> Tensor | None:
    """The result of torch's own call, which is a view if possible; book it if it is a copy."""
    if not input.is_meta or type(out) is not Tensor:
        return None
    if storage_of(out) != storage_of(input):
        ledger.book_new(op, 2 * out.numel(), out)
    return out


@rule(Tensor.__getitem__)
def index(ledger: Ledger, input: Tensor, key: Any) -> Tensor | None:
    keys = key if isinstance(key, tuple) else (key,)
    if all(part is None or part is Ellipsis or type(part) in (int, slice) for part in keys):
        return input[key]
    return None
