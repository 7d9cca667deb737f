"""The figures that a claim can be about, and how each is read off a count or off layers in closed form.

What a model's record has no field for is derived: the elements that an
operation moves whatever the batch are the weights that it reads.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol

from backbone_bench.claims.data.layers import Cost, convolution
from backbone_bench.claims.data.verdicts import NoEvidence
from backbone_bench.records import ModelCost, OpCost
from backbone_bench.records.quantities import QUANTITIES

Rows = Callable[[OpCost], bool]


class ConvolutionShape(NamedTuple):
    """The shape of one convolution of a network."""

    area: int  # k²
    ci: int
    co: int
    positions: int  # h·w of its output
    groups: int


class Counted(Protocol):
    """One network, counted."""

    def cost(self, batch: int = 1) -> ModelCost: ...

    def convolutions(self) -> Sequence[ConvolutionShape]: ...


class Metric(NamedTuple):
    """How a figure is found."""

    title: str
    formula: str
    of_network: Callable[[Counted], float]
    of_stack: Callable[[Cost], float] | None = None


def _counted(key: str, formula: str, of_stack: Callable[[Cost], float] | None = None) -> Metric:
    """A figure that a count has a field for, under the title that it has everywhere."""
    read = attrgetter(key)
    return Metric(QUANTITIES[key].title, formula, lambda network: read(network.cost()), of_stack)


def is_convolution(row: OpCost) -> bool:
    return row.op.endswith("convolution")


def is_linear(row: OpCost) -> bool:
    return not is_convolution(row) and row.access_elems > 0


def is_norm(row: OpCost) -> bool:
    return "batch_norm" in row.op


def is_pool(row: OpCost) -> bool:
    return "pool" in row.op


def weights(network: Counted, kind: Rows) -> int:
    """Elements that operations of a kind read whatever the batch: twice the traffic of one image less that of two."""
    pairs = zip(network.cost(1).by_op, network.cost(2).by_op, strict=True)
    return sum(2 * one.traffic_elems - two.traffic_elems for one, two in pairs if kind(one))


def traffic(network: Counted, kind: Rows) -> int:
    return sum(row.traffic_elems for row in network.cost().by_op if kind(row))


def _norm_params(network: Counted) -> int:
    # In evaluation a batch norm reads scale, shift, mean and variance; the first two are parameters.
    return weights(network, is_norm) // 2


def _norm_flops(network: Counted) -> int:
    # fvcore and timm count two for each element that a batch norm writes: what it reads and writes, weights apart.
    return traffic(network, is_norm) - weights(network, is_norm)


def _own_size(network: Counted, access: int) -> int:
    """`access` with the convolutions' inputs at their own size; a bias, where there is one, counts as a weight."""
    layers = [row for row in network.cost().by_op if is_convolution(row)]
    rest = access - sum(row.access_elems for row in layers)
    return rest + sum(row.cio_elems for row in layers) + weights(network, is_convolution)


def _over_bound(network: Counted) -> float:
    """Access over its least value; of ungrouped convolutions, for a grouped one the bound is not meant."""
    shapes = [shape for shape in network.convolutions() if shape.groups == 1]
    costs = [convolution(shape.area, shape.ci, shape.co, shape.positions) for shape in shapes]
    return _over(sum(cost.access for cost in costs), sum(cost.least_access for cost in costs))


def _over(above: float, below: float) -> float:
    if not below:
        raise NoEvidence("a network without convolutions has no figure of one")
    return above / below


def _filters(network: Counted) -> int:
    return sum(shape.co for shape in network.convolutions())


ACCESS = "Σ h·w·(ci+co) + k²·ci·co/g, h·w of the output, batch 1"

SIZELESS = ("params", "params_without_norm", "params_without_linear", "convolutions", "filters", "ops")
FLOPS = ("flops", "conv_flops", "flops_with_norm")  # what a convention of two per multiply-add doubles

METRICS: Mapping[str, Metric] = {
    "params": _counted("params", "learnable parameters", lambda s: s.params),
    "flops": _counted("flops", "multiply-adds", lambda s: s.flops),
    "conv_flops": _counted("conv_flops", "multiply-adds of convolutions", lambda s: s.flops),
    "access": _counted("access_elems", ACCESS, lambda s: s.access),
    "conv_access": _counted("conv_access_elems", f"{ACCESS}, convolutions", lambda s: s.access),
    "cio": _counted("cio_elems", "Σ inputs + outputs of convolutions", lambda s: s.cio),
    "traffic": _counted("traffic_elems", "elements that every operation moves"),
    "ops": _counted("ops", "operations that launch work"),
    "convolutions": Metric(
        "convolutions",
        "calls of convolutions",
        lambda n: sum(row.calls for row in n.cost().by_op if is_convolution(row)),
        lambda s: s.convolutions,
    ),
    "filters": Metric("filters", "Σ output channels of convolutions", _filters, lambda s: s.filters),
    "filters_per_layer": Metric(
        "filters per convolution",
        "mean output channels of a convolution",
        lambda n: _over(_filters(n), len(n.convolutions())),
        lambda s: s.filters / s.convolutions,
    ),
    "access_over_bound": Metric(
        "memory access over its bound",
        "Σ access / Σ (2·√(h·w·B/k²) + B/(h·w)) of ungrouped convolutions",
        _over_bound,
        lambda s: s.access / s.least_access,
    ),
    "params_without_norm": Metric(
        "parameters without batch norm",
        "parameters less those of batch norms",
        lambda n: n.cost().params - _norm_params(n),
        lambda s: s.params,
    ),
    "params_without_linear": Metric(
        "parameters without linear layers",
        "parameters less those of linear layers",
        lambda n: n.cost().params - weights(n, is_linear),
    ),
    "flops_with_norm": Metric(
        "FLOPs with batch norm",
        "multiply-adds, and two for each element of a batch norm",
        lambda n: n.cost().flops + _norm_flops(n),
    ),
    "cio_with_pools": Metric(
        "CIO with pools",
        "Σ inputs + outputs of convolutions and pools",
        lambda n: n.cost().cio_elems + traffic(n, is_pool),
    ),
    "access_own_size": Metric(
        "memory access, inputs at their own size",
        "Σ inputs + outputs + weights of convolutions and linear layers",
        lambda n: _own_size(n, n.cost().access_elems),
    ),
    "conv_access_own_size": Metric(
        "memory access of convolutions, inputs at their own size",
        "Σ inputs + outputs + weights of convolutions",
        lambda n: _own_size(n, n.cost().conv_access_elems),
    ),
}
