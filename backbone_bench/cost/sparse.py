"""FLOPs of matrix products and attention on sparse and nested tensors.

Each stored value of a sparse tensor takes part in one multiply-add for each
column (or row) of the other factor. A blocked tensor stores whole blocks, with
the zeros in them. A nested tensor is counted component by component.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from backbone_bench.base.pytree import tensors_of
from backbone_bench.cost import formulas
from backbone_bench.cost.calls import OpCall
from backbone_bench.cost.formulas import Arithmetic
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.products import COSTS, as_layer
from backbone_bench.cost.storage import is_dense, values

# Products by canonical name, and the position of their left factor; the right factor follows it.
PRODUCTS = {
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "hspmm"), 0),
    **dict.fromkeys(("addmm", "baddbmm", "addmv", "sspaddmm"), 1),
}
FUSED = ("_native_multi_head_attention", "_transformer_encoder_layer_fwd")  # their formulas take nested tensors
ATTENTION = ("scaled_dot_product_attention", "_scaled_dot_product_attention_math")
KNOWN = {*PRODUCTS, *ATTENTION, *FUSED, "linear", "sparse_sampled_addmm"}


def arithmetic(ledger: Ledger, call: OpCall) -> Arithmetic | None:
    """Cost of a product on tensors that are not all dense; None if its FLOPs are not known."""
    op, args, out = call.op, call.args, next(tensors_of(call.out))
    if op in PRODUCTS or op == "linear":
        at = PRODUCTS.get(op, 0)
        left, right = args[at : at + 2]
        flops = _linear(left, right, out) if op == "linear" else _product(left, right, out)
        return None if flops is None else formulas.on_numbers(as_layer(ledger, left, right, out, flops), left, right)
    if op == "sparse_sampled_addmm":
        return formulas.on_numbers(Arithmetic(_stored(args[0]) * args[1].shape[-1]), args[1], args[2])
    if op in FUSED:
        return COSTS[op](ledger, args, out)
    if op in ATTENTION and all(tensor.is_nested for tensor in args[:3]):
        shapes = zip(*(_components(tensor, args[0]) for tensor in (args[0], args[1], out)), strict=True)
        return Arithmetic(sum(formulas.attention(q.shape, k.shape, o.shape).flops for q, k, o in shapes))
    return None


def _product(left: Tensor, right: Tensor, out: Tensor) -> int | None:
    if left.is_nested or right.is_nested:
        pairs = zip(_components(left, out), _components(out, out), strict=True)
        return sum(formulas.product(factor.shape, result.shape).flops for factor, result in pairs)
    if is_dense(left):
        return _share(right, right.shape[-1], out)
    if is_dense(right):
        return _share(left, left.shape[-2], out)
    return _meetings(left, right) if left.dim() == right.dim() == 2 else None


def _linear(input: Tensor, weight: Tensor, out: Tensor) -> int | None:
    if input.is_nested:
        return input.numel() * weight.shape[0] if is_dense(weight) else None
    if is_dense(input):
        return _share(weight, weight.shape[0], out)
    return _share(input, input.shape[-2], out) if is_dense(weight) else _meetings(input, weight.t())


def _share(factor: Tensor, kept: int, out: Tensor) -> int:
    """Multiply-adds of a sparse factor whose dimension of the size `kept` is a dimension of the result as well."""
    return _stored(factor) * out.numel() // max(1, prod(factor.shape[:-2]) * kept)


def _meetings(left: Tensor, right: Tensor) -> int:
    """Multiply-adds of two sparse matrices: each value in column k of the left meets each in row k of the right."""
    columns, rows = left.to_sparse_coo()._indices()[1], right.to_sparse_coo()._indices()[0]
    counts = (torch.bincount(places, minlength=right.shape[0]) for places in (columns, rows))
    return int(torch.mul(*counts).sum())


def _stored(tensor: Tensor) -> int:
    return values(tensor).numel()


def _components(tensor: Tensor, like: Tensor) -> Sequence[Tensor]:
    """The components of a nested tensor; those of a dense tensor are its items, or else itself for each."""
    count = like.size(0)
    return tensor.unbind() if tensor.is_nested or tensor.dim() == like.dim() else [tensor] * count
