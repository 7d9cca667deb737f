"""FLOPs, memory access and CIO of convolutions, linear layers and matrix products, from shapes alone.

A fused multiply-add is one FLOP; of complex numbers it is four (`on_numbers`).
Memory access is VoVNet's memory access cost,
Eq. 1, `h·w·(ci + co) + k²·ci·co/groups`, with the output's h·w and without
bias. It is given for one image, whatever the batch: the weights are read once,
and the positions of the batch are divided by its number of images. A linear
layer is a 1x1 convolution over its positions. CIO (convolutional input/output)
adds a convolution's input and output, each at its own size (CSPNet, HarDNet).
The reduction depth of a convolution is ci/groups·kh·kw.

The FLOPs are half of those of `torch.utils.flop_counter`, which counts two per
multiply-add; the tests compare them. The formulas are repeated here because
importing that module takes a fifth of the time of importing torch.
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

AnyShape = Sequence[int]


class Arithmetic(NamedTuple):
    """FLOPs, memory access and CIO of one operation; access and CIO are 0 if it is not a layer.

    The last three are of convolutions only: see `OpCost`.
    """

    flops: int
    access_elems: int = 0
    cio_elems: int = 0
    groups: int = 0  # 0: not a convolution
    out_elems: int = 0
    reduction_depth: int = 0


NONE = Arithmetic(0)  # not a convolution or matrix product: 0 FLOPs by definition


def per_image(count: int, images: int) -> int:
    """`count` divided by `images`, or all of it if it does not divide: then it does not scale with the batch.

    >>> per_image(6272, 8), per_image(197, 8)
    (784, 197)
    """
    return count // images if count % images == 0 else count


def on_numbers(cost: Arithmetic, left: Any, right: Any) -> Arithmetic:
    """`cost` in real multiply-adds, by the factors' types: a complex one is four of them, two if one factor is real."""
    real = (1 + left.is_complex()) * (1 + right.is_complex())
    return cost if real == 1 else cost._replace(flops=cost.flops * real)


def convolution(x: AnyShape, weight: AnyShape, out: AnyShape, images: int, *, transposed: bool = False) -> Arithmetic:
    """A convolution of `x` (N, ci, …) with `weight` (co, ci/groups, …), or (ci, co/groups, …) if `transposed`."""
    batched = len(x) == len(weight)
    n, x_map, out_map = (x[0], x[2:], out[2:]) if batched else (1, x[1:], out[1:])
    ci, co = (x[1], out[1]) if batched else (x[0], out[0])
    weights = prod(weight)
    groups = (co if transposed else ci) // (weight[1] or 1) or 1  # torch lets a convolution have no channels
    positions = per_image(n * prod(out_map), images)
    return Arithmetic(
        flops=n * prod(x_map if transposed else out_map) * weights,
        access_elems=positions * (ci + co) + weights,
        cio_elems=per_image(n * prod(x_map), images) * ci + positions * co,
        groups=groups,
        out_elems=n * co * prod(out_map),
        reduction_depth=ci // groups * prod(weight[2:]),
    )


def linear(x: AnyShape, weight: AnyShape, images: int) -> Arithmetic:
    """A linear layer: `x` (…, ci) times the transpose of `weight` (co, ci) or (ci,)."""
    ci, co = x[-1], prod(weight[:-1])
    positions = prod(x[:-1])
    return Arithmetic(positions * ci * co, per_image(positions, images) * (ci + co) + ci * co)


def recurrent(x: AnyShape, weights: Iterable[AnyShape], images: int) -> Arithmetic:
    """Recurrent layers: each weight matrix is applied once at every position (step and sequence) of `x`."""
    layers = [linear((*x[:-1], weight[1]), weight, images) for weight in weights if len(weight) == 2]
    return Arithmetic(sum(layer.flops for layer in layers), sum(layer.access_elems for layer in layers))


def product(left: AnyShape, out: AnyShape) -> Arithmetic:
    """A matrix product of two activations: not a layer, so it has no memory access."""
    return Arithmetic(prod(out) * left[-1])


def layer_product(left: AnyShape, right: AnyShape, out: AnyShape, images: int, *, weight_on_left: bool) -> Arithmetic:
    """A matrix product with a parameter on one side: a linear layer written as a product."""
    weights, activations = (left, right) if weight_on_left else (right, left)
    maps = per_image(prod(activations), images) + per_image(prod(out), images)
    return Arithmetic(prod(out) * left[-1], maps + prod(weights))


def attention(query: AnyShape, key: AnyShape, out: AnyShape) -> Arithmetic:
    """Scaled dot-product attention of `query` (…, L, E), `key` (…, S, E) into `out` (…, L, V); a mask saves no FLOPs.

    The heads are those of `out`: fewer key heads than query heads (grouped-query attention) save memory, not FLOPs.
    """
    scores = prod(out[:-1]) * key[-2]
    return Arithmetic(scores * (query[-1] + out[-1]))


class AttentionGradients(NamedTuple):
    """The gradients that a backward pass of attention needs."""

    query: bool
    key: bool
    value: bool
    mask: bool


def attention_backward(query: AnyShape, key: AnyShape, out: AnyShape, needed: AttentionGradients) -> Arithmetic:
    """The gradients of fused attention: the scores again, their gradient, and one product for each other gradient."""
    scores = prod(out[:-1]) * key[-2]
    of_scores = needed.query or needed.key or needed.mask
    inner, outer = 1 + needed.query + needed.key, of_scores + needed.value
    return Arithmetic(scores * (inner * query[-1] + outer * out[-1]))
