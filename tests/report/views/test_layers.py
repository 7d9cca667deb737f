"""Shares of a model's cost add up to 100 %, by module and by kind of operation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.records import Missing, ModelCost
from backbone_bench.report.views.columns import ONCE
from backbone_bench.report.views.layers import COSTLIEST, CostPart, CostTotals, by_kind, by_module, costliest, layers
from tests.report.samples import NO_NVML, RESNET50, counted, op

modules = st.lists(st.sampled_from(["stem", "stages", "0", "1", "conv"]), max_size=4).map(".".join)
counts = st.integers(0, 10**12)
costs = st.lists(
    st.builds(op, modules, st.sampled_from(["convolution", "cat", "linear"]), counts | st.none(), counts, counts),
    max_size=30,
).map(lambda rows: ModelCost(1000, 4000, Missing("x", "x"), "meta", tuple(rows)))


@given(costs, st.integers(1, 5))
def test_every_operation_is_counted_in_exactly_one_module_and_one_kind(cost: ModelCost, depth: int):
    for parts in (by_module(cost, depth), by_kind(cost)):
        assert sum(part.flops for part in parts) == cost.flops
        assert sum(part.access_elems for part in parts) == cost.access_elems
        assert sum(part.traffic_elems for part in parts) == cost.traffic_elems
        assert sum(part.calls for part in parts) == cost.ops
        if cost.traffic_elems:
            assert sum(part.traffic_share for part in parts) == pytest.approx(1)
        if cost.flops:
            assert sum(part.flops_share for part in parts) == pytest.approx(1)


@given(costs)
def test_what_is_left_out_of_the_dearest_is_no_dearer(cost: ModelCost):
    everything, shown = costliest(cost, number=10**6), costliest(cost)
    assert shown == everything[:COSTLIEST]
    worth = [max(part.flops_share, part.traffic_share) for part in everything]
    assert worth == sorted(worth, reverse=True)


@given(costs, st.integers(1, 5))
def test_no_module_is_shown_deeper_than_asked(cost: ModelCost, depth: int):
    assert all(part.name.count(".") < depth for part in by_module(cost, depth))


def test_a_part_with_an_operation_of_unknown_arithmetic_is_a_lower_bound():
    cost = ModelCost(1, 4, Missing("x", "x"), "meta", (op("a", "fft", None, 0, 5), op("b", "linear", 3, 4, 5)))
    assert [(part.name, part.has_unknown) for part in by_module(cost, 1)] == [("a", True), ("b", False)]
    table, *_ = layers(counted("m", 4_000_000, cost=cost), 1)
    assert table.rows[0][2].shown == "≥ 0"


def test_a_record_without_counts_has_no_layers():
    assert layers(counted("m", 4_000_000, cost=NO_NVML), 1) == ()


def test_parts_of_nothing_have_shares_of_zero():
    assert CostPart("none", (), CostTotals(0, 0)).flops_share == 0


def test_the_other_convention_doubles_the_flops_of_every_part_and_says_so():
    for once, twice in zip(layers(RESNET50, 2), layers(RESNET50, 2, twice=True), strict=True):
        assert "FLOPs, two per multiply-add" in [column.title for column in twice.columns]
        assert ONCE not in twice.below
        for row, doubled in zip(once.rows, twice.rows, strict=True):
            assert isinstance(flops := row[2].value, int)
            assert doubled[2].value == 2 * flops
            assert [cell.value for cell in (*row[:2], *row[3:])] == [
                cell.value for cell in (*doubled[:2], *doubled[3:])
            ]
