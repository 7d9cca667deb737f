"""Arithmetic and memory access of the operations that have any, from shapes alone.

A fused multiply-add is one FLOP. `access` is the memory access cost of VoVNet,
Eq. 1, `h·w·(ci + co) + k²·ci·co/groups` with the output's h·w, bias left out,
of one image whatever the batch: the weights are read once, the positions of
one image are those of the batch divided by its images. A linear layer is a
1x1 convolution over its positions. `cio` adds the convolution's input and
output, each at its own size (CSPNet, HarDNet).

The formulas equal those of `torch.utils.flop_counter`, which counts two per
multiply-add, halved; the tests prove it. They stand here because importing
that module costs a fifth of importing torch.
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

AnyShape = Sequence[int]


class Arithmetic(NamedTuple):
    """What an operation computes, and what its layer accesses (nothing where it is no layer)."""

    flops: int
    access_elems: int = 0
    cio_elems: int = 0


NONE = Arithmetic(0)  # neither convolution nor matrix product: no arithmetic by definition


def per_image(count: int, images: int) -> int:
    """The part of one image of the batch, or all of it where it does not divide: then it does not scale with the batch.

    >>> per_image(6272, 8), per_image(197, 8)
    (784, 197)
    """
    return count // images if count % images == 0 else count


def convolution(x: AnyShape, weight: AnyShape, out: AnyShape, images: int, *, transposed: bool = False) -> Arithmetic:
    """A convolution of `x` (N, ci, …) with `weight` (co, ci/groups, …), transposed (ci, co/groups, …), into `out`."""
    batched = len(x) == len(weight)
    n, x_map, out_map = (x[0], x[2:], out[2:]) if batched else (1, x[1:], out[1:])
    ci, co = (x[1], out[1]) if batched else (x[0], out[0])
    weights = prod(weight)
    positions = per_image(n * prod(out_map), images)
    return Arithmetic(
        flops=n * prod(x_map if transposed else out_map) * weights,
        access_elems=positions * (ci + co) + weights,
        cio_elems=per_image(n * prod(x_map), images) * ci + positions * co,
    )


def linear(x: AnyShape, weight: AnyShape, images: int) -> Arithmetic:
    """A linear layer: `x` (…, ci) times the transpose of `weight` (co, ci) or (ci,)."""
    ci, co = x[-1], prod(weight[:-1])
    positions = prod(x[:-1])
    return Arithmetic(positions * ci * co, per_image(positions, images) * (ci + co) + ci * co)


def recurrent(x: AnyShape, weights: Iterable[AnyShape], images: int) -> Arithmetic:
    """Recurrent layers over the positions of `x`: each of their matrices is applied once at every position."""
    layers = [linear((*x[:-1], weight[1]), weight, images) for weight in weights if len(weight) == 2]
    return Arithmetic(sum(layer.flops for layer in layers), sum(layer.access_elems for layer in layers))


def product(left: AnyShape, out: AnyShape) -> Arithmetic:
    """A matrix product of two activations into `out`: no layer, so no access."""
    return Arithmetic(prod(out) * left[-1])


def layer_product(left: AnyShape, right: AnyShape, out: AnyShape, images: int, *, weight_on_left: bool) -> Arithmetic:
    """A matrix product in which one side is a parameter: a linear layer written as a product."""
    weights, activations = (left, right) if weight_on_left else (right, left)
    moved = per_image(prod(activations), images) + per_image(prod(out), images)
    return Arithmetic(prod(out) * left[-1], moved + prod(weights))


def attention(query: AnyShape, key: AnyShape, out: AnyShape) -> Arithmetic:
    """Dot products of `query` (…, L, E) and `key` (…, S, E), weighing values into `out` (…, L, V); a mask saves none.

    The heads are those of `out`: fewer keys than queries (grouped queries) save memory, not arithmetic.
    """
    scores = prod(out[:-1]) * key[-2]
    return Arithmetic(scores * (query[-1] + out[-1]))
