"""Shape rules: the operations of a convolutional network, without running any.

A rule gives the result of an operation on the meta device from shapes alone
and books the operation. Running the real meta kernel would do the same fifteen
times slower, and the first one makes torch load 800 more modules. A rule
answers None for whatever is unusual (mixed types, another memory layout, a
result without elements, an argument it does not know): then the real kernel
runs, under the recorder, and gives the result or torch's own error.
"""

from collections.abc import Callable, Sequence
from types import MethodWrapperType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backbone_bench.cost import formulas
from backbone_bench.cost.ledger import Ledger

Rule = Callable[..., Tensor | None]
RULES: dict[Any, Rule] = {}


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Enter a rule for these functions of torch; each function has at most one."""

    def enter(shape_rule: Rule) -> Rule:
        for function in functions:
            if function in RULES:
                raise ValueError(f"two rules for {function}")
            RULES[function] = shape_rule
        return shape_rule

    return enter


def _meta(like: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device="meta")


def _usual(*tensors: Tensor | None) -> bool:
    """All on meta, of one floating type, with elements, and laid out plainly (a channels-last map is not)."""
    dtype = None
    for tensor in tensors:
        if tensor is None:
            continue
        if not tensor.is_meta or (dtype is not None and tensor.dtype is not dtype):
            return False
        dtype = tensor.dtype
        if not (tensor.is_contiguous() or (tensor.dim() > 3 and tensor.stride(1) != 1)) or tensor.numel() == 0:
            return False
    return dtype is not None and dtype.is_floating_point


def _contiguous(*tensors: Tensor | None) -> bool:
    return _usual(*tensors) and all(tensor is None or tensor.is_contiguous() for tensor in tensors)


def _each(value: int | Sequence[int], n: int) -> Sequence[int]:
    """A size given once for every dimension, or one by one."""
    return (value,) * n if isinstance(value, int) else value if len(value) == n else tuple(value) * n


def _slide(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """How many places a window has along one dimension."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


# Layers.


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
    if isinstance(padding, str) or input.dim() != n + 2 or not _usual(input, weight, bias):
        return None
    x, w = input.shape, weight.shape
    if x[1] != w[1] * groups or w[0] % groups or (bias is not None and bias.shape != w[:1]):
        return None
    steps = zip(x[2:], w[2:], _each(stride, n), _each(padding, n), _each(dilation, n), strict=True)
    places = [_slide(*step) for step in steps]
    if min(places) < 1:
        return None
    out = _meta(input, (x[0], w[0], *places))
    reads = (input, weight) if bias is None else (input, weight, bias)
    ledger.book("convolution", reads, out, formulas.convolution(x, w, out.shape, ledger.images))
    return out


@rule(F.linear)
def linear(ledger: Ledger, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    if weight.dim() != 2 or not input.dim() or input.shape[-1] != weight.shape[1]:
        return None
    if not _contiguous(input, weight, bias) or (bias is not None and bias.shape != weight.shape[:1]):
        return None
    out = _meta(input, (*input.shape[:-1], weight.shape[0]))
    reads = (input, weight) if bias is None else (input, weight, bias)
    ledger.book("linear", reads, out, formulas.linear(input.shape, weight.shape, ledger.images))
    return out


# Norms.


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
    if input.dim() < 2 or not _contiguous(input) or (training and input.numel() == input.shape[1]):
        return None
    if (running_mean is None and not training) or not _per_channel(state, input):
        return None
    out = _meta(input, input.shape)
    book_batch_norm(ledger, input, state, out, training=training)
    return out


def _per_channel(state: Sequence[Tensor | None], input: Tensor) -> bool:
    return all(t is None or (t.is_meta and t.dtype is input.dtype and t.shape == input.shape[1:2]) for t in state)


def book_batch_norm(
    ledger: Ledger, input: Tensor, state: Sequence[Tensor | None], out: Tensor, *, training: bool
) -> None:
    """In training the running statistics are written too."""
    held = [tensor for tensor in state if tensor is not None]
    updated = [tensor for tensor in state[:2] if tensor is not None and training]
    ledger.book("batch_norm", (input, *held, *updated), out)


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
    if not _contiguous(input, *affine):
        return None
    out = _meta(input, input.shape)
    ledger.book("layer_norm", (input, *affine), out)
    return out


# Pools.


@rule(F.max_pool2d, torch.max_pool2d)
def max_pool2d(
    ledger: Ledger,
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if return_indices:
        return None
    return _pool(ledger, "max_pool2d", input, (kernel_size, stride, padding, dilation), ceil_mode)


@rule(F.avg_pool2d)
def avg_pool2d(
    ledger: Ledger,
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor | None:
    return _pool(ledger, "avg_pool2d", input, (kernel_size, stride, padding, 1), ceil_mode)


def _pool(
    ledger: Ledger, op: str, input: Tensor, window: Sequence[int | Sequence[int] | None], ceil_mode: bool
) -> Tensor | None:
    kernel, stride, padding, dilation = window
    if input.dim() != 4 or not _usual(input) or kernel is None or padding is None or dilation is None:
        return None
    steps = [_each(value, 2) for value in (kernel, stride or kernel, padding, dilation)]
    if any(2 * p > k for p, k in zip(steps[2], steps[0], strict=True)):
        return None
    places = [_pooled(size, *step, ceil_mode) for size, *step in zip(input.shape[2:], *steps, strict=True)]
    if min(places) < 1:
        return None
    out = _meta(input, (*input.shape[:2], *places))
    ledger.book(op, (input,), out)
    return out


def _pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    if not ceil_mode:
        return _slide(size, kernel, stride, padding, dilation)
    places = -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    # The last window must start inside the map or its left padding.
    return places - 1 if (places - 1) * stride >= size + padding else places


@rule(F.adaptive_avg_pool2d)
def adaptive_avg_pool2d(ledger: Ledger, input: Tensor, output_size: int | Sequence[int | None]) -> Tensor | None:
    if input.dim() != 4 or not _usual(input):
        return None
    wanted = (output_size, output_size) if isinstance(output_size, int) else output_size
    places = [size if asked is None else asked for size, asked in zip(input.shape[2:], wanted, strict=True)]
    if min(places) < 1:
        return None
    out = _meta(input, (*input.shape[:2], *places))
    ledger.book("adaptive_avg_pool2d", (input,), out)
    return out


# Element by element.


def _pointwise(op: str) -> Rule:
    """A function of one tensor; further arguments are its constants."""

    def one(ledger: Ledger, input: Tensor, *constants: object, inplace: bool = False, **more: object) -> Tensor | None:
        if more or not _contiguous(input) or any(isinstance(constant, Tensor) for constant in constants):
            return None
        out = input if inplace else _meta(input, input.shape)
        ledger.book(op, (input,), out)
        return out

    return one


def _in_place(op: str) -> Rule:
    one = _pointwise(op)
    return lambda ledger, input, *constants: one(ledger, input, *constants, inplace=True)


for _name in ("relu", "relu6", "leaky_relu", "elu", "selu", "silu", "mish", "hardtanh", "hardswish", "hardsigmoid"):
    rule(getattr(F, _name))(_pointwise(_name))
for _name in ("sigmoid", "tanh", "relu"):
    rule(getattr(torch, _name), getattr(Tensor, _name))(_pointwise(_name))
    rule(getattr(torch, _name + "_"), getattr(Tensor, _name + "_"))(_in_place(_name))
rule(F.gelu)(
    lambda ledger, input, *, approximate="none": _pointwise("gelu")(ledger, input),
)


def _binary(op: str, *, in_place: bool = False) -> Rule:
    """A function of two tensors that spread to a common shape, or of a tensor and a number."""

    def two(ledger: Ledger, input: Tensor, other: Tensor | float) -> Tensor | None:
        if not isinstance(other, Tensor):
            if isinstance(other, (bool, complex)) or not isinstance(input, Tensor) or not _contiguous(input):
                return None
            out = input if in_place else _meta(input, input.shape)
            ledger.book(op, (input,), out)
            return out
        if not isinstance(input, Tensor) or not _contiguous(input, other):
            return None
        shape = input.shape if input.shape == other.shape else _spread(input.shape, other.shape)
        if shape is None or (in_place and shape != input.shape):
            return None
        out = input if in_place else _meta(input, shape)
        ledger.book(op, (input, other), out)
        return out

    return two


def _spread(left: Sequence[int], right: Sequence[int]) -> Sequence[int] | None:
    """The broadcast of two shapes of equally many dimensions; None where there is none."""
    if len(left) != len(right) or any(a != b and a != 1 and b != 1 for a, b in zip(left, right, strict=True)):
        return None
    return torch.Size(max(a, b) for a, b in zip(left, right, strict=True))


for _name in ("add", "sub", "mul", "div"):
    rule(getattr(torch, _name), getattr(Tensor, _name))(_binary(_name))
    rule(getattr(Tensor, _name + "_"))(_binary(_name, in_place=True))


# Joining, padding, averaging.


@rule(torch.cat)
def cat(ledger: Ledger, tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    first = tensors[0].shape
    if not _contiguous(*tensors) or not -len(first) <= dim < len(first):
        return None
    dim %= len(first)
    for tensor in tensors[1:]:
        shape = tensor.shape
        if len(shape) != len(first) or shape[:dim] != first[:dim] or shape[dim + 1 :] != first[dim + 1 :]:
            return None
    joined = sum(tensor.shape[dim] for tensor in tensors)
    out = _meta(tensors[0], (*first[:dim], joined, *first[dim + 1 :]))
    ledger.book("cat", tensors, out)
    return out


@rule(F.pad)
def pad(
    ledger: Ledger, input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor | None:
    if mode != "constant" or not _usual(input) or len(pad) % 2 or len(pad) > 2 * input.dim():
        return None
    shape = list(input.shape)
    for place, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        shape[-place] += before + after
    if min(pad) < 0 or not any(pad):  # what is cropped, or not padded at all, is torch's to decide
        return None
    out = _meta(input, shape)
    ledger.book("pad", (input,), out)
    return out


@rule(torch.mean, Tensor.mean)
def mean(ledger: Ledger, input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor | None:
    if dim is None or not _contiguous(input):
        return None
    n = input.dim()
    over = {d % n for d in ((dim,) if isinstance(dim, int) else dim) if -n <= d < n}
    if len(over) != (1 if isinstance(dim, int) else len(dim)) or not over:
        return None
    shape = [1 if d in over else size for d, size in enumerate(input.shape) if keepdim or d not in over]
    out = _meta(input, shape)
    ledger.book("mean", (input,), out)
    return out


# What launches no work.


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


VIEWS = frozenset(
    getattr(owner, name)
    for owner in (torch, Tensor)
    for name in (
        "as_strided", "broadcast_to", "chunk", "detach", "dim", "element_size", "expand", "expand_as", "get_device",
        "is_contiguous", "is_floating_point", "movedim", "narrow", "ndimension", "nelement", "numel", "permute",
        "select", "size", "split", "squeeze", "storage_offset", "stride", "swapaxes", "t", "transpose", "unbind",
        "unflatten", "unsqueeze", "untyped_storage", "view", "view_as",
    )
    if hasattr(owner, name)
)  # fmt: skip


def launches_nothing(function: Any) -> bool:
    """Views and questions about a tensor: they run as they are. Attributes come as getters."""
    return function in VIEWS or isinstance(function, MethodWrapperType)
