"""Counts of ShuffleNet V2's stacks against its tables and guidelines."""

import pytest
from torch import nn

from backbone_bench.cost import count
from backbone_bench.records import ModelCost
from backbone_bench.zoo import shufflenet_micro as micro


def costs(stack: micro.BlockStack) -> ModelCost:
    return count(stack, stack.example_inputs())


def test_g1_unequal_widths_cost_access_at_about_equal_flops():
    """Table 1; access by Eq. 1, hw(c1 + c2) + c1·c2 for each of 20 convolutions."""
    found = [costs(micro.unequal_widths(c1, c2)) for c1, c2 in micro.G1]
    assert [each.access_elems for each in found] == [20 * (56 * 56 * (c1 + c2) + c1 * c2) for c1, c2 in micro.G1]
    assert [each.access_elems for each in found] == sorted(each.access_elems for each in found)
    assert all(each.flops == pytest.approx(found[0].flops, rel=0.055) for each in found)


def test_g2_groups_cost_access_at_equal_flops():
    """Table 2; the paper's Eq. 2, hw·2c + c²/g."""
    found = [costs(micro.grouped(groups, channels)) for groups, channels in micro.G2]
    ratios = [each.access_elems / found[0].access_elems for each in found]
    assert ratios == pytest.approx([1, 1.398, 1.980, 2.776], abs=1e-3)
    assert all(each.flops == pytest.approx(found[0].flops, rel=0.012) for each in found)


@pytest.mark.parametrize("channels", [128, 256, 512])
def test_g3_fragments_in_series_and_in_parallel_cost_the_same_on_paper(channels):
    one, series2, series4, parallel2, parallel4 = (
        costs(micro.fragmented(channels, pieces, parallel=parallel)) for pieces, parallel in micro.G3
    )
    assert (series2.access_elems, series4.access_elems) == (parallel2.access_elems, parallel4.access_elems)
    assert one.access_elems < series2.access_elems < series4.access_elems
    assert series4.flops == parallel4.flops == one.flops
    assert series2.flops == pytest.approx(one.flops, rel=0.015)


@pytest.mark.parametrize("channels", micro.G4)
def test_g4_relus_and_shortcuts_cost_traffic_and_operations_but_no_flops(channels):
    bare, relus, shortcut, both = (
        costs(micro.elementwise(channels, relus=relus, shortcut=shortcut))
        for relus, shortcut in ((False, False), (True, False), (False, True), (True, True))
    )
    assert bare.flops == relus.flops == shortcut.flops == both.flops
    assert (bare.ops, relus.ops, shortcut.ops, both.ops) == (30, 60, 40, 70)
    # A ReLU reads and writes a map, a sum reads two and writes one; the inner maps are a quarter as wide.
    pixels = 10 * 56 * 56
    assert relus.traffic_elems - bare.traffic_elems == 2 * (1.5 * channels) * pixels
    assert shortcut.traffic_elems - bare.traffic_elems == 3 * channels * pixels
    assert both.traffic_elems - shortcut.traffic_elems == relus.traffic_elems - bare.traffic_elems


def test_a_sum_adds_its_branches():
    two = micro.Sum(nn.Identity(), nn.Identity())
    (image,) = micro.BlockStack(4).example_inputs()
    assert (two(image + 1) == 2).all()
