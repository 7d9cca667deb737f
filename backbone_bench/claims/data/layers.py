"""Cost of convolutions in closed form, for layers that a claim describes in words.

A layer is data and its widths may be formulas. A stack of layers has the same costs as a network: multiply-adds,
parameters, and memory access by VoVNet's Eq. 1, `h·w·(ci + co) + k²·ci·co/groups`. Every size is a number, or an
array over a sweep: the same code computes both.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import ConfigDict, Field, PlainValidator
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data.arithmetic import Expression, FloatOrArray

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
MOST_TERMS = 10_000  # repetitions of one layer by `each`
MOST_WORK = 100_000_000  # repetitions times points of a sweep: some seconds

Formula = Annotated[Expression, PlainValidator(Expression)]
LayerCount = Annotated[int, Field(gt=0, lt=10_000)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Layer:
    """One convolution of a stack, repeated `times` times; a linear layer has `side` 1."""

    ci: Formula
    co: Formula
    kernel: Formula | tuple[LayerCount, LayerCount] = Expression("1")  # side of a square kernel; or height and width
    side: Formula = Expression("1")  # side of the square output
    stride: LayerCount = 1
    groups: Formula = Expression("1")
    times: Formula = Expression("1")
    each: Mapping[str, Formula] | None = None  # {i = "m"}: the layer once for every integer i with 0 ≤ i < m
    bias: bool = False


class Cost(NamedTuple):
    """Cost of a layer or a stack; each field is a number, or an array over a sweep."""

    flops: FloatOrArray
    params: FloatOrArray
    access: FloatOrArray
    least_access: FloatOrArray  # lower bound for this number of multiply-adds, reached at ci = co
    cio: FloatOrArray
    convolutions: FloatOrArray
    filters: FloatOrArray  # output channels


_NOTHING = Cost(*[0.0] * len(Cost._fields))


def convolution(
    area: FloatOrArray, ci: FloatOrArray, co: FloatOrArray, positions: FloatOrArray, groups: FloatOrArray = 1.0
) -> Cost:
    """Cost of one convolution of kernel area k², without a bias, at stride 1.

    The lower bound of memory access is VoVNet's, Section 3.1 (ShuffleNetV2's G1 at k = 1):
    `2·sqrt(h·w·B/k²) + B/(h·w)` for B multiply-adds. It holds for ungrouped convolutions.
    """
    weights = area * ci * co / groups
    activations = positions * (ci + co)
    return Cost(
        flops=positions * weights,
        params=weights,
        access=activations + weights,
        least_access=2 * positions * (ci * co / groups) ** 0.5 + weights,
        cio=activations,
        convolutions=1.0,
        filters=co,
    )


def cost(stack: Sequence[Layer], names: Mapping[str, FloatOrArray]) -> Cost:
    """Cost of a stack for these values of the names in its formulas. Raises UserError."""
    total = _NOTHING
    try:
        for layer in stack:
            for inner, weight in _each(layer, names):
                total = _add(total, _layer(layer, inner), weight)
    except ArithmeticError as error:
        raise UserError(f"The cost of a layer cannot be computed: {error}.") from None
    return total


def _each(layer: Layer, names: Mapping[str, FloatOrArray]) -> Iterator[tuple[Mapping[str, FloatOrArray], FloatOrArray]]:
    """The names of each repetition, and its weight: 0 at the points of a sweep with fewer repetitions, else 1."""
    if layer.each is None:
        yield names, 1.0
        return
    for index, bound in layer.each.items():
        count = bound.value(names)
        most = float(count.max() if hasattr(count, "max") else count)
        if not 0 <= most <= MOST_TERMS:
            raise UserError(f"A layer is repeated {most:g} times: {MOST_TERMS} at most.")
        points = math.prod(getattr(value, "size", 1) for value in names.values())
        if most * points > MOST_WORK:
            raise UserError(f"A layer is repeated {most:g} times at {points} points: together {MOST_WORK:g} at most.")
        for i in range(round(most)):
            yield {**names, index: float(i)}, (i < count) * 1.0


def _layer(layer: Layer, names: Mapping[str, FloatOrArray]) -> Cost:
    ci, co, side, groups, times = (
        _size(what, getattr(layer, what), names) for what in ("ci", "co", "side", "groups", "times")
    )
    one = convolution(_area(layer.kernel, names), ci, co, side * side, groups)
    one = one._replace(
        params=one.params + (co if layer.bias else 0.0),
        cio=side * side * (ci * layer.stride**2 + co),
    )
    return Cost(*(times * value for value in one))


def _size(what: str, formula: Expression, names: Mapping[str, FloatOrArray]) -> FloatOrArray:
    value = formula.value(names)
    least = float(value.min() if hasattr(value, "min") else value)
    if not least > 0:
        raise UserError(f"A layer's {what} must be above 0; {str(formula)!r} is {least:g}.")
    return value


def _area(kernel: Expression | tuple[int, int], names: Mapping[str, FloatOrArray]) -> FloatOrArray:
    if isinstance(kernel, tuple):
        return float(kernel[0] * kernel[1])
    side = _size("kernel", kernel, names)
    return side * side


def _add(left: Cost, right: Cost, weight: FloatOrArray) -> Cost:
    return Cost(*(a + weight * b for a, b in zip(left, right, strict=True)))


def named(total: Cost) -> dict[str, Any]:
    """The costs by the names that a formula may use."""
    return total._asdict()
