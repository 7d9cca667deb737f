"""Tables of torch's operations by canonical name: without a kernel, without FLOPs, and the bookings of the rest."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from backbone_bench.base.pytree import tensors_of
from backbone_bench.cost import formulas
from backbone_bench.cost.formulas import Arithmetic
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
    "new_ones", "new_full", "zero", "fill", "copy", "uniform", "normal", "exponential", "hann_window",
}  # fmt: skip

# They read only the returned elements of their first argument.
GATHERS = {"embedding", "index_select", "gather", "index", "take"}

# They are neither convolutions nor matrix products, so they have 0 FLOPs, but torch does not tag them as pointwise or
# as reductions. Composite operations in this set are booked as one: they are one kernel on an accelerator.
MOVES = WRITE_ONLY | GATHERS | {
    # activations
    "hardswish", "softmax", "log_softmax", "glu", "prelu", "log_sigmoid_forward", "bernoulli",
    # norms
    "native_batch_norm", "_native_batch_norm_legit", "layer_norm", "group_norm", "instance_norm", "rms_norm",
    "_weight_norm_interface",
    # windows
    "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d", "max_unpool2d",
    "max_unpool3d", "fractional_max_pool2d", "im2col", "col2im", "torchvision::roi_align", "torchvision::roi_pool",
    # sampling
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_linear1d", "upsample_bilinear2d",
    "upsample_bicubic2d", "upsample_trilinear3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "grid_sampler_2d",
    "grid_sampler_3d", "affine_grid_generator",
    # joining, slicing, rearranging and copying
    "cat", "stack", "block_diag", "to", "lift_fresh_copy", "pad", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
    "roll", "flip", "rot90", "repeat", "repeat_interleave", "tril", "triu", "diag_embed", "select_scatter",
    "slice_scatter", "diagonal_scatter", "_pack_padded_sequence",
    # sorting, searching, indexing
    "sort", "argsort", "topk", "kthvalue", "median", "mode", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp",
    "_unique2", "unique_dim", "unique_consecutive", "nonzero", "masked_select", "masked_scatter", "index_put",
    "index_add", "index_copy", "index_fill", "scatter", "scatter_add", "scatter_reduce", "searchsorted", "bucketize",
    "histc", "bincount", "isin", "one_hot", "multinomial", "_embedding_bag", "torchvision::nms",
    # losses, complex numbers and the rest
    "mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "nll_loss_forward", "nll_loss2d_forward", "complex", "polar", "floor_divide", "trace", "renorm",
}  # fmt: skip


# Backward passes without FLOPs that are not named after an operation in MOVES.
BACKWARD_MOVES = {
    "embedding_dense_backward", "_embedding_bag_backward", "_embedding_bag_per_sample_weights_backward",
    "batch_norm_backward", "_fused_rms_norm_backward", "fractional_max_pool3d_backward", "rrelu_with_noise_backward",
    "reflection_pad1d_backward", "reflection_pad2d_backward", "reflection_pad3d_backward",
    "replication_pad1d_backward", "replication_pad2d_backward", "replication_pad3d_backward",
    "multi_margin_loss_backward", "multilabel_margin_loss_backward", "soft_margin_loss_backward",
}  # fmt: skip


# One booking per operation with FLOPs, by its canonical name. Its parameters are those of the aten operation.


def _convolution(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None, /, *_: Any, **__: Any
) -> None:
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images)
    ledger.book("convolution", _present(input, weight, bias), [out], cost)


def _transposed(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None, /, *_: Any, **__: Any
) -> None:
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images, transposed=True)
    ledger.book("transposed_convolution", _present(input, weight, bias), [out], cost)


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
    ledger.book(f"{'transposed_' if transposed else ''}convolution_backward", reads, made, cost)


def _deformable(ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, offset: Tensor, *more: Any) -> None:
    mask, bias = more[:2]
    cost = formulas.convolution(input.shape, weight.shape, out.shape, ledger.images)
    ledger.book("deformable_convolution", [input, weight, offset, mask, bias], [out], cost)


def _linear(
    ledger: Ledger, out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None, /, **_: Any
) -> None:
    cost = formulas.linear(input.shape, weight.shape, ledger.images)
    ledger.book("linear", _present(input, weight, bias), [out], cost)


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
        return formulas.product(left.shape, out.shape)
    return formulas.layer_product(left.shape, right.shape, out.shape, ledger.images, weight_on_left=on_left)


def _attention(ledger: Ledger, out: Tensor, query: Tensor, key: Tensor, value: Tensor, /, *more: Any, **_: Any) -> None:
    cost = formulas.attention(query.shape, key.shape, out.shape)
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
        ledger.book(op, [input, *tensors_of(more)], list(out), cost)

    return book


def _present(*tensors: Tensor | None) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]


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
    **{op: _dropout(op) for op in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")},
    **{op: _recurrent(op) for op in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    **{op: _product_plus_term(op) for op in ("addmm", "baddbmm", "addmv")},
}


def _flex(out: Any, query: Tensor, key: Tensor, *_: Any) -> Arithmetic:
    """Attention whose scores a function changes; the blocks that its mask leaves out are counted too."""
    return formulas.attention(query.shape, key.shape, out[0].shape)


# Operations that are functions of functions. Torch before 2.13 has no formula for them.
HIGHER_ORDER: dict[str, Callable[..., Arithmetic]] = {"flex_attention": _flex}
