"""Cost of the products that have a kernel of their own: grouped, low-precision, packed and fused ones.

Each function has the arguments of the aten operation in `args`. Torch's own
counter leaves most of these out. What still has no formula here is booked as
not counted: Fourier transforms, decompositions and solvers (`linalg`), pairwise
distances and `bilinear`, whose arithmetic depends on the algorithm.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from backbone_bench.cost import formulas
from backbone_bench.cost.formulas import Arithmetic
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.storage import values

ProductCost = Callable[[Ledger, Any, Any], Arithmetic]


def _rows_times_columns(left: int) -> ProductCost:
    """Each element of the result sums over the last dimension of the argument at the position `left`."""
    return lambda ledger, args, out: formulas.product(args[left].shape, out.shape)


def _packed_linear(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    """A linear layer whose weight is stored in another form, of which only the result tells the shape."""
    return formulas.linear(args[0].shape, (out.shape[-1], args[0].shape[-1]), ledger.images)


def _packed_convolution(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    weight = args[1].unpack()[0].shape
    if len(weight) > args[0].dim():  # a one-dimensional kernel is stored with a height of 1
        weight = (*weight[:2], *weight[3:])
    return formulas.convolution(args[0].shape, weight, out.shape, ledger.images, transposed=args[1].transpose())


def _reduced(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    """`addbmm`: the sum of the products of a batch of matrices."""
    return Arithmetic(args[1].numel() * out.shape[-1])


def _grouped(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    """Groups of rows, of columns or of the dimension summed over; the offsets are taken to cover the whole tensor."""
    left, right = args[:2]
    if left.dim() == 3 and right.dim() == 2:  # each group has some of the columns
        return formulas.product(left.shape, out.shape)
    return Arithmetic(left.numel() * right.shape[-1])


# Semi-structured sparsity: of four values two are stored, and only these are multiplied.


def _half_stored(packed: int, dense: int) -> ProductCost:
    def cost(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
        stored, whole = args[packed], args[dense]
        return as_layer(ledger, stored, whole, out, stored.numel() * whole.numel() // (2 * stored.shape[-1]))

    return cost


def _half_stored_rows(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    """cuSPARSELt's form does not tell its shape; an argument tells the number of rows."""
    dense, packed, rows = args[0], args[1], args[3]
    return as_layer(ledger, packed, dense, out, dense.numel() * rows // 2)


def _half_stored_linear(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    input, packed = args[:2]
    return as_layer(ledger, packed, input, out, input.numel() // input.shape[-1] * packed.numel())


def as_layer(ledger: Ledger, left: Tensor, right: Tensor, out: Tensor, flops: int) -> Arithmetic:
    """The cost of a product by what its tensors store: a linear layer if exactly one factor is a parameter."""
    if ledger.is_weight(left) == ledger.is_weight(right):
        return Arithmetic(flops)
    weight, activations = (left, right) if ledger.is_weight(left) else (right, left)
    maps = sum(formulas.per_image(values(tensor).numel(), ledger.images) for tensor in (activations, out))
    return Arithmetic(flops, maps + values(weight).numel())


def _fused_attention(ledger: Ledger, args: Any, out: Any) -> Arithmetic:
    """Self-attention with its projections, as the fast path of `nn.MultiheadAttention` runs it."""
    return _attention_block(ledger, args[0], [args[5], args[7]])


def _fused_encoder_layer(ledger: Ledger, args: Any, out: Any) -> Arithmetic:
    """Self-attention and the two layers after it, as the fast path of `nn.TransformerEncoderLayer` runs them."""
    return _attention_block(ledger, args[0], [args[3], args[5], args[14], args[16]])


def _attention_block(ledger: Ledger, input: Tensor, weights: list[Tensor]) -> Arithmetic:
    width = weights[0].shape[1]
    sequences = [part.shape for part in input.unbind()]
    tokens = input.numel() // width
    costs = [formulas.linear((tokens, weight.shape[1]), weight.shape, ledger.images) for weight in weights]
    costs += [formulas.attention(shape, shape, shape) for shape in sequences]
    return Arithmetic(sum(cost.flops for cost in costs), sum(cost.access_elems for cost in costs))


def _affine_grid(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    """Each point of the grid, in homogeneous coordinates, times the matrix of its image."""
    return Arithmetic(out.numel() * (out.shape[-1] + 1))


def _time_first_convolution(ledger: Ledger, args: Any, out: Tensor) -> Arithmetic:
    """`conv_tbc`: x is (time, batch, ci), the weight (k, ci, co)."""
    (steps, images, ci), (k, _, co) = args[0].shape, args[1].shape
    x, result = (images, ci, steps), (images, co, out.shape[0])
    return formulas.convolution(x, (co, ci, k), result, ledger.images)


_QUANTIZED = {f"quantized::conv{n}d{then}": "convolution" for n in (1, 2, 3) for then in ("", "_relu", "_dynamic")} | {
    f"quantized::conv_transpose{n}d{then}": "transposed_convolution" for n in (1, 2, 3) for then in ("", "_dynamic")
}

COSTS: dict[str, ProductCost] = {
    **dict.fromkeys(("_int_mm", "_scaled_mm", "_scaled_mm_v2"), _rows_times_columns(0)),
    "_addmm_activation": _rows_times_columns(1),
    "addbmm": _reduced,
    **dict.fromkeys(("_grouped_mm", "_scaled_grouped_mm", "_scaled_grouped_mm_v2"), _grouped),
    **dict.fromkeys(
        (
            "_weight_int8pack_mm", "_weight_int4pack_mm", "_weight_int4pack_mm_for_cpu",
            "_weight_int4pack_mm_with_scales_and_zeros", "_dyn_quant_matmul_4bit", "quantized::linear",
            "quantized::linear_relu", "quantized::linear_leaky_relu", "quantized::linear_tanh",
            "quantized::linear_dynamic", "quantized::linear_relu_dynamic", "quantized::linear_dynamic_fp16",
            "quantized::linear_relu_dynamic_fp16",
        ),
        _packed_linear,
    ),
    **dict.fromkeys(_QUANTIZED, _packed_convolution),
    "_sparse_semi_structured_mm": _half_stored(0, 2),
    "_sparse_semi_structured_addmm": _half_stored(1, 3),
    "_sparse_semi_structured_linear": _half_stored_linear,
    "semi_structured::cutlass_mm": _half_stored(1, 0),
    "semi_structured::cusparselt_mm": _half_stored_rows,
    "_native_multi_head_attention": _fused_attention,
    "_transformer_encoder_layer_fwd": _fused_encoder_layer,
    "affine_grid_generator": _affine_grid,
    "conv_tbc": _time_first_convolution,
}  # fmt: skip

# The names under which convolutions are booked.
NAMES = {**{op: f"quantized_{name}" for op, name in _QUANTIZED.items()}, "conv_tbc": "convolution"}
