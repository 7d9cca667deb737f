"""Shape rules for products of activations: matrix products and attention."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost.aten import BOOKINGS
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.rules.table import META, SHAPES, StaticShape, floats, rule


@rule(torch.matmul, Tensor.matmul, Tensor.__matmul__)
def matmul(ledger: Ledger, input: Tensor, other: Tensor) -> Tensor | None:
    return _product(ledger, "matmul", input, other, _matmul_shape(input.shape, other.shape))


@rule(torch.bmm, Tensor.bmm)
def bmm(ledger: Ledger, input: Tensor, mat2: Tensor) -> Tensor | None:
    if input.dim() != 3 or mat2.dim() != 3:
        return None
    return _product(ledger, "bmm", input, mat2, _matmul_shape(input.shape, mat2.shape))


def _product(ledger: Ledger, op: str, left: Tensor, right: Tensor, shape: StaticShape | None) -> Tensor | None:
    if shape is None or not floats(left, right):
        return None
    out = torch.empty(shape, dtype=left.dtype, device=META)
    BOOKINGS[op](ledger, out, left, right)
    return out


@lru_cache(SHAPES)
def _matmul_shape(left: StaticShape, right: StaticShape) -> StaticShape | None:
    """Shape of a product of two batches of matrices of the same number, or of a batch and one matrix."""
    if len(left) < 2 or 0 in left or 0 in right or left[-1] != right[-2]:
        return None
    if len(right) != 2 and right[:-2] != left[:-2]:  # batches that broadcast
        return None
    return (*left[:-1], right[-1])


@rule(F.scaled_dot_product_attention)
def attention(
    ledger: Ledger,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor | None:
    if dropout_p != 0 or (is_causal and attn_mask is not None) or type(scale) not in (type(None), float):
        return None
    if not floats(query, key, value):
        return None
    mask = None
    if attn_mask is not None:
        mask = attn_mask.shape
        if not attn_mask.is_meta or attn_mask.dtype not in (torch.bool, query.dtype):
            return None
    shape = _attention_shape(query.shape, key.shape, value.shape, mask)
    if shape is None:
        return None
    out = torch.empty(shape, dtype=query.dtype, device=META)
    BOOKINGS["scaled_dot_product_attention"](ledger, out, query, key, value, attn_mask)
    return out


@lru_cache(SHAPES)
def _attention_shape(
    query: StaticShape, key: StaticShape, value: StaticShape, mask: StaticShape | None
) -> StaticShape | None:
    n = len(query)
    if n < 3 or n != len(key) or n != len(value) or 0 in query or 0 in key or 0 in value:
        return None
    if query[:-2] != key[:-2] or key[:-1] != value[:-1] or query[-1] != key[-1]:
        return None
    if mask is not None:
        scores = (*query[:-1], key[-2])
        if len(mask) > n or any(m not in (1, s) for m, s in zip(reversed(mask), reversed(scores), strict=False)):
            return None
    return (*query[:-1], value[-1])
