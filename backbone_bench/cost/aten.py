"""Tables of torch's operations by canonical name: without a kernel, without FLOPs, and the bookings of the rest."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from backbone_bench.base.pytree import tensors_of
from backbone_bench.cost import formulas
from backbone_bench.cost.formulas import Arithmetic
from backbone_bench.cost.gathers import GATHERS, SCATTERS
from backbone_bench.cost.ledger import Ledger

Booking = Callable[..., None]

# Aliases of one operation, and the names that torch's dispatcher gives it, to the name that the caller writes.
SYNONYMS = {
    "concat": "cat", "concatenate": "cat", "constant_pad_nd": "pad", "multiply": "mul", "subtract": "sub",
    "divide": "div", "true_divide": "div", "clamp_min": "clamp", "clamp_max": "clamp", "_to_copy": "to",
    "max_pool2d_with_indices": "max_pool2d", "max_pool3d_with_indices": "max_pool3d",
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d", "_adaptive_avg_pool3d": "adaptive_avg_pool3d",
    "native_layer_norm": "layer_norm", "native_group_norm": "group_norm", "_softmax": "softmax",
    "_log_softmax": "log_softmax", "_prelu_kernel": "prelu", "_embedding_bag_forward_only": "_embedding_bag",
    "_index_put_impl": "index_put", "_unsafe_index": "index", "_unsafe_index_put": "index_put",
    "reflection_pad1d": "pad", "reflection_pad2d": "pad", "reflection_pad3d": "pad", "replication_pad1d": "pad",
    "replication_pad2d": "pad", "replication_pad3d": "pad", "_unique": "_unique2", "_stack": "stack",
    "unique_dim_consecutive": "unique_consecutive", "_logcumsumexp": "logcumsumexp", "_safe_softmax": "softmax",
    "_masked_softmax": "softmax", "_sparse_mm": "mm", "_sparse_addmm": "addmm", "_to_dense": "to_dense",
    "_to_sparse": "to_sparse", "_to_sparse_csr": "to_sparse_csr", "_to_sparse_csc": "to_sparse_csc",
    "_to_sparse_bsr": "to_sparse_bsr", "_to_sparse_bsc": "to_sparse_bsc", "_coalesce": "coalesce",
}  # fmt: skip

# They allocate a tensor or make a view of one, and launch no kernel.
NO_KERNEL = {
    "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "lift_fresh",
    "scalar_tensor", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "_unsafe_view",
}  # fmt: skip

# They write a tensor and do not read its old values: they fill it or create it.
WRITE_ONLY = {
    "zeros", "ones", "full", "arange", "linspace", "eye", "rand", "randn", "randint", "randperm", "tril_indices",
    "triu_indices", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "randint_like", "new_zeros",
    "new_ones", "new_full", "zero", "fill", "copy", "uniform", "normal", "exponential", "cauchy", "geometric",
    "log_normal", "random", "logspace", "hann_window", "hamming_window", "blackman_window", "bartlett_window",
    "kaiser_window", "fft_fftfreq", "fft_rfftfreq",
}  # fmt: skip

# They are neither convolutions nor matrix products, so they have 0 FLOPs, but torch does not tag them as pointwise or
# as reductions. Composite operations in this set are booked as one: they are one kernel on an accelerator.
MOVES = WRITE_ONLY | {*GATHERS, *SCATTERS} | {
    # activations
    "hardswish", "softmax", "log_softmax", "glu", "prelu", "log_sigmoid_forward", "rrelu_with_noise", "bernoulli",
    "poisson", "native_dropout",
    # norms
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
    "layer_norm", "group_norm", "instance_norm", "rms_norm", "_weight_norm_interface",
    # windows
    "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d", "max_unpool2d",
    "max_unpool3d", "fractional_max_pool2d", "fractional_max_pool3d", "im2col", "col2im", "torchvision::roi_pool",
    # sampling
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_linear1d", "upsample_bilinear2d",
    "upsample_bicubic2d", "upsample_trilinear3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
    # joining, slicing, rearranging and copying
    "cat", "stack", "block_diag", "to", "lift_fresh_copy", "pad", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
    "roll", "flip", "rot90", "repeat", "repeat_interleave", "tril", "triu", "diag_embed", "select_scatter",
    "slice_scatter", "diagonal_scatter", "as_strided_scatter", "unfold_backward",
    # sorting, searching, indexing
    "sort", "argsort", "topk", "kthvalue", "median", "mode", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp",
    "_unique2", "unique_dim", "unique_consecutive", "nonzero", "nonzero_static", "masked_scatter",
    "nanmedian", "segment_reduce", "histc", "bincount", "isin", "one_hot", "multinomial", "torchvision::nms",
    "torchvision::ps_roi_pool",
    # other layouts: sparse, nested, quantized, mkldnn
    "to_dense", "to_sparse", "to_sparse_csr", "to_sparse_csc", "to_sparse_bsr", "to_sparse_bsc", "coalesce",
    "sparse_mask", "_sparse_sum", "_sparse_softmax", "_sparse_log_softmax", "_nested_tensor_from_tensor_list",
    "to_padded_tensor", "_jagged_to_padded_dense_forward", "_padded_dense_to_jagged_forward", "quantize_per_tensor",
    "quantize_per_channel", "dequantize", "int_repr", "to_mkldnn", "fake_quantize_per_tensor_affine_cachemask",
    "fake_quantize_per_channel_affine_cachemask", "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    # losses, complex numbers and the rest
    "mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "multi_margin_loss", "multilabel_margin_loss_forward", "soft_margin_loss", "_ctc_loss", "complex", "polar",
    "floor_divide", "trace", "renorm", "addr", "dist", "linalg_cross",
}  # fmt: skip


# Backward passes without FLOPs that are not named after an operation in MOVES.
BACKWARD_MOVES = {
    "embedding_dense_backward", "_embedding_bag_backward", "_embedding_bag_per_sample_weights_backward",
    "batch_norm_backward", "_fused_rms_norm_backward", "fractional_max_pool3d_backward", "rrelu_with_noise_backward",
    "multi_margin_loss_backward", "multilabel_margin_loss_backward", "soft_margin_loss_backward",
}  # fmt: skip


# One booking per operation with FLOPs, by its canonical name. Its parameters are those of the aten operation.


def _convolution(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None, /, *_: Any, **__: Any
) -> None:
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images)
    ledger.book("convolution", _present(input, weight, bias), [out], formulas.on_numbers(cost, input, weight))


def _transposed(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None, /, *_: Any, **__: Any
) -> None:
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images, transposed=True)
    reads = _present(input, weight, bias)
    ledger.book("transposed_convolution", reads, [out], formulas.on_numbers(cost, input, weight))


def _any_convolution(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None, *more: Any
) -> None:
    transposed = more[3]  # after stride, padding and dilation
    (_transposed if transposed else _convolution)(ledger, out, input, weight, bias)


def _convolution_backward(
    ledger: Ledger,
    out: tuple[Tensor | None, ...],
    gradient: Tensor,
    input: Tensor,
    weight: Tensor,
    bias_shape: Any,
    *more: Any,
) -> None:
    transposed, needed = more[3], more[6]  # after stride, padding and dilation; after output padding and groups
    forward = formulas.convolution(input.shape, weight.shape, gradient.shape, ledger.images, transposed=transposed)
    made = _present(*out)
    cost = forward._replace(flops=forward.flops * (needed[0] + needed[1]), out_elems=sum(map(Tensor.numel, made)))
    reads = [gradient, *([weight] if needed[0] else []), *([input] if needed[1] else [])]
    name = f"{'transposed_' if transposed else ''}convolution_backward"
    ledger.book(name, reads, made, formulas.on_numbers(cost, input, weight))


def _deformable(ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, offset: Tensor, *more: Any) -> None:
    mask, bias = more[:2]
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images)
    ledger.book("deformable_convolution", [input, weight, offset, mask, bias], [out], cost)


def _linear(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None, /, **_: Any
) -> None:
    cost = formulas.linear(input.shape, weight.shape, ledger.images)
    ledger.book("linear", _present(input, weight, bias), [out], formulas.on_numbers(cost, input, weight))


def _product(op: str) -> Booking:
    def book(ledger: Ledger, out: Tensor, left: Tensor, right: Tensor, /, *_: Any, **__: Any) -> None:
        ledger.book(op, [left, right], [out], _product_cost(ledger, left, right, out))

    return book


def _product_plus_term(op: str) -> Booking:
    def book(ledger: Ledger, out: Tensor, term: Tensor, left: Tensor, right: Tensor, /, *_: Any, **__: Any) -> None:
        ledger.book(op, [term, left, right], [out], _product_cost(ledger, left, right, out))

    return book


def _product_cost(ledger: Ledger, left: Tensor, right: Tensor, out: Tensor) -> Arithmetic:
    """FLOPs of a matrix product, with memory access if exactly one side is a parameter: then it is a linear layer."""
    on_left, on_right = ledger.is_weight(left), ledger.is_weight(right)
    if on_left == on_right:
        cost = formulas.product(left.shape, out.shape)
    else:
        cost = formulas.layer_product(left.shape, right.shape, out.shape, ledger.images, weight_on_left=on_left)
    return formulas.on_numbers(cost, left, right)


def _attention(ledger: Ledger, out: Tensor, query: Tensor, key: Tensor, value: Tensor, /, *more: Any, **_: Any) -> None:
    cost = formulas.on_numbers(formulas.attention(query.shape, key.shape, out.shape), query, key)
    ledger.book("scaled_dot_product_attention", _present(query, key, value, *more[:1]), [out], cost)  # the mask, if any


def _batch_norm(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, *_: Any
) -> None:
    updated = [mean, var] if training else []  # written as well as read
    ledger.book("batch_norm", _present(input, weight, bias, mean, var, *updated), [out])


def _dropout(op: str) -> Booking:
    def book(ledger: Ledger, out: Tensor, input: Tensor, p: float, train: bool) -> None:
        if train and p > 0:
            ledger.book(op, [input], [out])

    return book


def _recurrent(op: str) -> Booking:
    """Book a recurrent layer as one operation, as accelerator libraries run it; torch's split depends on the device."""

    def book(ledger: Ledger, out: tuple[Tensor, ...], input: Tensor, /, *more: Any, **_: Any) -> None:
        weights = [argument for argument in more if isinstance(argument, (list, tuple))][-1]
        cost = formulas.recurrent(input.shape, [weight.shape for weight in weights], ledger.images)
        ledger.book(op, [input, *tensors_of(more)], list(out), formulas.on_numbers(cost, input, input))

    return book


def _present(*tensors: Tensor | None) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]


DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
ANY_LAYOUT = {"batch_norm", *DROPOUTS}  # their bookings read no shape, so the tensors may be sparse or nested
BOOKINGS: dict[str, Booking] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    "convolution": _any_convolution,
    "convolution_backward": _convolution_backward,
    "torchvision::deform_conv2d": _deformable,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "scaled_dot_product_attention": _attention,
    **{op: _product(op) for op in ("matmul", "mm", "bmm", "mv", "dot", "vdot")},
    **{op: _dropout(op) for op in DROPOUTS},
    **{op: _recurrent(op) for op in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    **{op: _product_plus_term(op) for op in ("addmm", "baddbmm", "addmv")},
}


def _flex(out: Any, query: Tensor, key: Tensor, *_: Any) -> Arithmetic:
    """Attention whose scores a function changes; the blocks that its mask leaves out are counted too."""
    return formulas.attention(query.shape, key.shape, out[0].shape)


# Operations that are functions of functions. Torch before 2.13 has no formula for them.
HIGHER_ORDER: dict[str, Callable[..., Arithmetic]] = {"flex_attention": _flex}
