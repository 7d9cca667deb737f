"""Property tests: laws of counting that hold for every network, on random networks."""

from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from backbone_bench.cost import count, rules
from backbone_bench.cost.digest import shapes_sha256
from backbone_bench.cost.swap import Survey
from backbone_bench.records import ModelCost

SETTINGS = settings(max_examples=40, deadline=None)


class Joined(nn.Module):
    """Parallel branches of all or the second half of the channels, joined by concatenation or addition."""

    def __init__(self, branches: list[nn.Module], join: str) -> None:
        super().__init__()
        self.branches, self.join = nn.ModuleList(branches), join

    def forward(self, x: Tensor) -> Tensor:
        kept, x = x.chunk(2, dim=1) if self.join == "part" else (None, x)
        made = [branch(x) for branch in self.branches]
        if self.join == "add":
            total = made[0]
            for part in made[1:]:
                total = total + part
            return total
        return torch.cat(made if kept is None else [kept, *made], dim=1)


ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.LeakyReLU, nn.Hardswish, nn.Sigmoid, nn.GELU)


@st.composite
def layers(draw: st.DrawFn, ci: int, co: int) -> nn.Module:
    """A layer from `ci` to `co` channels that keeps the size of the map."""
    groups = draw(st.sampled_from([g for g in (1, 2, 4) if ci % g == 0 and co % g == 0]))
    kernel = draw(st.sampled_from([1, 3]))
    parts: list[nn.Module] = [nn.Conv2d(ci, co, kernel, padding=kernel // 2, groups=groups, bias=draw(st.booleans()))]
    if draw(st.booleans()):
        parts.append(nn.BatchNorm2d(co))
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(ACTIVATIONS))())
    if draw(st.booleans()):
        parts.append(nn.AvgPool2d(3, 1, 1))
    return nn.Sequential(*parts)


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    """A few blocks, pools between them, and a classifier."""
    channels, parts = 3, list[nn.Module]()
    for _ in range(draw(st.integers(1, 3))):
        co = draw(st.sampled_from([4, 6, 8]))
        parts.append(draw(layers(channels, co)))
        join = draw(st.sampled_from(["add", "cat", "part"]))
        branches = [draw(layers(co // 2 if join == "part" else co, 4)) for _ in range(draw(st.integers(1, 3)))]
        parts.append(Joined(branches, join))
        channels = 4 * (1 if join == "add" else len(branches)) + (co // 2 if join == "part" else 0)
        if draw(st.booleans()):
            parts.append(nn.MaxPool2d(3, 2, 1, ceil_mode=draw(st.booleans())))
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5)).eval()


def counted(network: nn.Module, batch: int = 1, size: int = 9) -> ModelCost:
    return count(network, [torch.empty(batch, 3, size, size, device="meta")], batch=batch)


@SETTINGS
@given(networks(), st.integers(1, 4), st.booleans())
def test_the_fast_layer_writes_what_the_recorder_writes(network: nn.Module, batch: int, training: bool) -> None:
    network.train(training)
    fast = counted(network, batch + training)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "RULES", {})
        assert counted(network, batch + training) == fast


def activations(cost: ModelCost, weights: int) -> int:
    return cost.traffic_elems - weights


@SETTINGS
@given(networks(), st.integers(2, 5))
def test_a_batch_multiplies_arithmetic_and_activations_not_weights_parameters_or_operations(
    network: nn.Module, batch: int
) -> None:
    one, many = counted(network), counted(network, batch)
    read = sum(tensor.numel() for tensor in [*network.parameters(), *network.buffers()] if tensor.dim())
    assert many.flops == batch * one.flops
    assert many.traffic_elems - read == batch * (one.traffic_elems - read)
    assert many.peak_activation_bytes == batch * one.peak_activation_bytes  # type: ignore[operator]  # it is known
    assert (many.params, many.ops) == (one.params, one.ops)
    assert (many.access_elems, many.conv_access_elems, many.cio_elems) == (
        one.access_elems, one.conv_access_elems, one.cio_elems,
    )  # fmt: skip


@SETTINGS
@given(networks())
def test_totals_are_those_of_the_rows_and_convolutions_are_a_part_of_them(network: nn.Module) -> None:
    cost = counted(network)
    assert sum(row.calls for row in cost.by_op) == cost.ops
    linear = sum(layer.in_features * layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear))
    assert cost.flops - cost.conv_flops == linear
    assert cost.cio_elems <= cost.traffic_elems
    assert cost.uncounted == ()


channels = st.integers(1, 8)


@given(channels, channels, st.sampled_from([1, 3, 5]), st.sampled_from([2, 4]), st.integers(5, 12))
def test_grouping_divides_arithmetic_but_not_activations(ci: int, co: int, k: int, groups: int, size: int) -> None:
    ci, co = groups * ci, groups * co

    def cost(g: int) -> ModelCost:
        return count(nn.Conv2d(ci, co, k, groups=g, bias=False), [torch.empty(1, ci, size, size, device="meta")])

    full, grouped = cost(1), cost(groups)
    assert full.flops == groups * grouped.flops
    assert full.access_elems - grouped.access_elems == full.params - grouped.params
    assert full.cio_elems == grouped.cio_elems
    assert full.peak_activation_bytes == grouped.peak_activation_bytes


@given(channels, channels, st.sampled_from([1, 3, 5]), st.integers(5, 12))
def test_access_has_a_lower_bound_that_only_equal_widths_reach(ci: int, co: int, k: int, size: int) -> None:
    """ShuffleNet V2, Eq. 2, and VoVNet, Eq. 2: access >= 2 sqrt(hw B / k²) + B / hw; squared, so that it is exact."""
    cost = count(nn.Conv2d(ci, co, k, padding=k // 2), [torch.empty(1, ci, size, size, device="meta")])
    positions, arithmetic = size**2, cost.flops
    assert arithmetic % positions == 0
    moved = cost.access_elems - arithmetic // positions
    assert moved**2 * k**2 >= 4 * positions * arithmetic
    assert (moved**2 * k**2 == 4 * positions * arithmetic) == (ci == co)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_a_digest_tells_shapes_and_names_apart_and_nothing_else(shape: list[int]) -> None:
    def digest(**tables: Any) -> str:
        module = nn.Module()
        for name, size in tables.items():
            module.register_parameter(name, nn.Parameter(torch.rand(size)))
        return shapes_sha256(Survey(module).modules)

    assert digest(a=shape, b=[2]) == digest(b=[2], a=shape)
    assert digest(a=shape) != digest(b=shape)
    assert digest(a=shape) != digest(a=[prod(shape)])
    assert digest(a=shape) != digest(a=shape, b=shape)
