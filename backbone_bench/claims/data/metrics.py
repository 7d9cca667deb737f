"""Metrics of claims: the quantities that a claim can name, computed from a count or from layers in closed form.

A quantity without a field in the record is derived. For example, the weights of an operation are the elements that it
moves at every batch size.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from backbone_bench.claims.data.layers import Cost, convolution
from backbone_bench.claims.data.verdicts import NoEvidence
from backbone_bench.records import ModelCost, OpCost
from backbone_bench.records.quantities import CLAIMED, Quantity

Rows = Callable[[OpCost], bool]


class ConvolutionShape(NamedTuple):
    """Shape of one convolution of a network."""

    area: int  # k²
    ci: int
    co: int
    positions: int  # h·w of its output
    groups: int
    positions_in: int  # h·w of its input

    @property
    def flops(self) -> int:
        return self.positions * self.area * self.ci * self.co // self.groups

    @property
    def suits_winograd(self) -> bool:
        """Whether it is a 3x3 convolution of stride 1, for which Winograd's algorithm needs 4 of 9 products."""
        return self.area == 9 and self.positions == self.positions_in


class Counted(Protocol):
    """A counted network: its costs at a batch size, a total at batch 1, and the shapes of its convolutions."""

    def cost(self, batch: int = 1) -> ModelCost: ...

    def total(self, key: str) -> int: ...

    def convolutions(self) -> Sequence[ConvolutionShape]: ...


class Metric(NamedTuple):
    """A metric: its title, its definition, and how it is computed for a network and for a stack of layers."""

    title: str
    formula: str
    of_network: Callable[[Counted], float]
    of_stack: Callable[[Cost], float] | None = None


def is_convolution(row: OpCost) -> bool:
    return row.is_convolution


def is_linear(row: OpCost) -> bool:
    """Whether the row is a linear layer: besides convolutions the only operations with memory access by Eq. 1."""
    return not is_convolution(row) and row.access_elems > 0


def is_norm(row: OpCost) -> bool:
    return "batch_norm" in row.op


def is_pool(row: OpCost) -> bool:
    return "pool" in row.op


def is_global_pool(row: OpCost) -> bool:
    """Whether the row averages whole maps: the squeeze of a squeeze-and-excitation block, and the last pool."""
    return row.op in ("mean", "adaptive_avg_pool2d")


def is_product(row: OpCost) -> bool:
    """Whether the row multiplies two activations, as attention does: arithmetic that is no layer's."""
    return row.access_elems == 0 and row.flops != 0


def is_position_bias(row: OpCost) -> bool:
    """Whether the row belongs to the network that makes Swin V2's relative position bias from coordinates."""
    return "cpb_mlp" in row.module.split(".")


def weights(network: Counted, kind: Rows) -> int:
    """Weights that operations of a kind read: twice the traffic at batch 1 minus the traffic at batch 2."""
    one, two = (sum(row.traffic_elems for row in network.cost(batch).by_op if kind(row)) for batch in (1, 2))
    return 2 * one - two


def traffic(network: Counted, kind: Rows) -> int:
    """Elements that operations of a kind read and write at batch 1."""
    return sum(row.traffic_elems for row in network.cost().by_op if kind(row))


def _norm_params(network: Counted) -> int:
    # In evaluation a batch norm reads scale, shift, mean and variance; the first two are parameters.
    return weights(network, is_norm) // 2


def _norm_flops(network: Counted) -> int:
    # fvcore and timm count two FLOPs per output element of a batch norm: one for its read, one for its write.
    return traffic(network, is_norm) - weights(network, is_norm)


def _flops(network: Counted, kind: Rows) -> int:
    return network.cost().flops_of("forward", kind)


def _own_size(network: Counted, access: int) -> int:
    """`access` with every convolution's input counted at the input's own size; a bias counts as a weight."""
    layers = [row for row in network.cost().by_op if is_convolution(row)]
    rest = access - sum(row.access_elems for row in layers)
    return rest + sum(row.cio_elems for row in layers) + weights(network, is_convolution)


def _over_bound(network: Counted) -> float:
    """Memory access over its lower bound, for ungrouped convolutions: the bound does not hold for grouped ones."""
    shapes = [shape for shape in network.convolutions() if shape.groups == 1]
    costs = [convolution(shape.area, shape.ci, shape.co, shape.positions) for shape in shapes]
    return _over(sum(cost.access for cost in costs), sum(cost.least_access for cost in costs))


def _over(above: float, below: float) -> float:
    if not below:
        raise NoEvidence("this metric needs a network with convolutions")
    return above / below


def _winograd_flops(network: Counted) -> float:
    """Products that Winograd's F(2x2, 3x3) leaves of the FLOPs (RepVGG, Section 2.4)."""
    saved = sum(shape.flops for shape in network.convolutions() if shape.suits_winograd) * 5 / 9
    return network.total("flops") - saved


def _filters(network: Counted) -> int:
    return sum(shape.co for shape in network.convolutions())


# Metrics that do not depend on the input size.
SIZELESS = (
    "params", "params_without_norm", "params_without_linear", "params_folded", "params_with_statistics",
    "convolutions", "filters", "ops",
)  # fmt: skip
# Doubled if a claim counts two FLOPs per multiply-add.
FLOPS = (
    *(name for name, one in CLAIMED.items() if one.multiply_adds),
    "flops_with_norm", "flops_with_squeezes", "flops_without_products", "flops_without_position_bias", "product_flops",
    "winograd_flops",
)  # fmt: skip

# The counted quantities of a stack of layers, in closed form.
_OF_STACK: Mapping[str, Callable[[Cost], float]] = {
    "params": lambda stack: stack.params,
    "flops": lambda stack: stack.flops,
    "conv_flops": lambda stack: stack.flops,
    "access": lambda stack: stack.access,
    "conv_access": lambda stack: stack.access,
    "cio": lambda stack: stack.cio,
}


def _counted(name: str, quantity: Quantity) -> Metric:
    """The metric of a counted quantity, with its title and meaning."""
    key = quantity.key
    return Metric(quantity.title, quantity.meaning, lambda network: network.total(key), _OF_STACK.get(name))


METRICS: Mapping[str, Metric] = {
    **{name: _counted(name, quantity) for name, quantity in CLAIMED.items()},
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
    "params_folded": Metric(
        "parameters with batch norm folded",
        "parameters, each batch norm folded into a bias of its convolution",
        lambda n: n.cost().params - _norm_params(n) // 2,
    ),
    "params_with_statistics": Metric(
        "parameters and running statistics",
        "parameters, and the running mean and variance of batch norms",
        lambda n: n.cost().params + _norm_params(n),
    ),
    "activations": Metric(
        "outputs of convolutions",
        "Σ elements written by convolutions",
        lambda n: sum(row.out_elems or 0 for row in n.cost().by_op if is_convolution(row)),
    ),
    "product_flops": Metric(
        "FLOPs of products",
        "multiply-adds of products of two activations",
        lambda n: _flops(n, is_product),
    ),
    "flops_without_products": Metric(
        "FLOPs of layers",
        "multiply-adds of convolutions and linear layers",
        lambda n: _flops(n, lambda row: not is_product(row)),
    ),
    "flops_without_position_bias": Metric(
        "FLOPs without position bias",
        "multiply-adds less those of the network that makes the relative position bias",
        lambda n: _flops(n, lambda row: not is_position_bias(row)),
    ),
    "winograd_flops": Metric(
        "Winograd products",
        "multiply-adds, of 3x3 convolutions of stride 1 four ninths",
        _winograd_flops,
    ),
    "flops_with_squeezes": Metric(
        "FLOPs with squeezes",
        "multiply-adds, and one for each element that a global pool reads or writes",
        lambda n: n.cost().flops + traffic(n, is_global_pool),
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
