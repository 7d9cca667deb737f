"""What the recorder knows of torch's operations, by their canonical names."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from backbone_bench.cost import formulas
from backbone_bench.cost.ledger import Ledger

Booking = Callable[..., None]

SYNONYMS = {
    "concat": "cat", "concatenate": "cat", "constant_pad_nd": "pad", "multiply": "mul", "subtract": "sub",
    "divide": "div", "true_divide": "div", "clamp_min": "clamp", "clamp_max": "clamp",
    "max_pool2d_with_indices": "max_pool2d", "_adaptive_avg_pool2d": "adaptive_avg_pool2d",
    "native_layer_norm": "layer_norm", "native_group_norm": "group_norm", "_softmax": "softmax",
    "_log_softmax": "log_softmax",
}  # fmt: skip

# They make or rename tensors and launch no work.
SILENT = {
    "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "lift_fresh", "lift", "set", "detach",
    "_has_compatible_shallow_copy_type", "is_same_size", "record_stream", "resize", "_version", "scalar_tensor",
    "_local_scalar_dense", "item", "is_nonzero", "sym_size", "sym_stride", "sym_numel", "sym_storage_offset",
    "unsafe_split", "unsafe_chunk", "_unsafe_view", "_reshape_alias",
}  # fmt: skip

# They write a tensor without reading what it held, or make one from nothing.
WRITE_ONLY = {
    "zeros", "ones", "full", "arange", "linspace", "eye", "rand", "randn", "randint", "randperm", "zeros_like",
    "ones_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones", "new_full", "zero", "fill", "copy",
    "uniform", "normal", "bernoulli", "tril_indices", "triu_indices",
}  # fmt: skip

# Of their first argument they read only what they return.
GATHERS = {"embedding", "index_select", "gather", "index", "take", "take_along_dim"}

# Neither convolutions nor matrix products, though torch does not tag them as pointwise or as reductions.
MOVES = WRITE_ONLY | GATHERS | {
    "relu6", "softmax", "log_softmax", "layer_norm", "group_norm", "instance_norm", "rms_norm", "native_batch_norm",
    "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cat", "stack", "pad", "clone", "copy",
    "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "max_pool3d_with_indices", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
    "replication_pad2d", "replication_pad3d", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
    "upsample_bilinear2d", "upsample_bicubic2d", "upsample_linear1d", "upsample_trilinear3d",
    "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "pixel_shuffle",
    "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "roll", "flip", "repeat", "repeat_interleave",
    "tile", "sort", "topk", "argsort", "cumsum", "cumprod", "cummax", "cummin", "unique", "nonzero", "masked_fill",
    "masked_select", "masked_scatter", "where", "index_put", "index_add", "index_copy", "index_fill", "scatter",
    "scatter_add", "scatter_reduce", "select_scatter", "slice_scatter", "tril", "triu", "one_hot", "bincount",
    "native_dropout", "argmax", "argmin", "max", "min", "median", "mode", "var_mean", "std_mean", "norm",
    "linalg_vector_norm", "im2col", "col2im", "grid_sampler_2d", "grid_sampler_3d", "glu", "to", "_to_copy",
    "lift_fresh_copy", "alias_copy", "searchsorted", "bucketize", "histc", "isin", "meshgrid", "_assert_async",
    "celu", "rrelu_with_noise", "_prelu_kernel", "hardshrink", "softshrink", "_weight_norm_interface", "equal",
    "_shape_as_tensor", "diag_embed", "block_diag", "unfold_copy", "view_copy", "as_strided_copy",
}  # fmt: skip


# How the operations with arithmetic are booked, by their canonical name; the arguments are those of aten.


def _convolution(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Any = None, *_: Any, **__: Any
) -> None:
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images)
    ledger.book("convolution", _present(input, weight, bias), out, cost)


def _transposed(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Any = None, *_: Any, **__: Any
) -> None:
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images, transposed=True)
    ledger.book("transposed_convolution", _present(input, weight, bias), out, cost)


def _aten_convolution(ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Any, *rest: Any) -> None:
    book = _transposed if rest[3] else _convolution
    book(ledger, out, input, weight, bias)


def _linear(ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Any = None) -> None:
    ledger.book("linear", _present(input, weight, bias), out, formulas.linear(input.shape, weight.shape, ledger.images))


def _product(op: str) -> Booking:
    def book(ledger: Ledger, out: Tensor, left: Tensor, right: Tensor, **_: Any) -> None:
        ledger.book_product(op, left, right, (left, right), out)

    return book


def _product_and_sum(op: str) -> Booking:
    def book(ledger: Ledger, out: Tensor, bias: Tensor, left: Tensor, right: Tensor, **_: Any) -> None:
        ledger.book_product(op, left, right, (bias, left, right), out)

    return book


def _attention(
    ledger: Ledger, out: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Any = None, *_: Any, **kwargs: Any
) -> None:
    mask = kwargs.get("attn_mask", mask)
    cost = formulas.attention(query.shape, key.shape, value.shape)
    ledger.book("scaled_dot_product_attention", _present(query, key, value, mask), out, cost)


def _batch_norm(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, *_: Any
) -> None:
    ledger.book_batch_norm(input, (mean, var, weight, bias), out, training=training)


def _present(*tensors: Any) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]


BOOKINGS: dict[str, Booking] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    "convolution": _aten_convolution,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "scaled_dot_product_attention": _attention,
    **{op: _product(op) for op in ("matmul", "mm", "bmm", "mv", "dot", "vdot")},
    **{op: _product_and_sum(op) for op in ("addmm", "baddbmm", "addmv")},
}
