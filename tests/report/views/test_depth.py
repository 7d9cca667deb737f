"""The reduction depth of an old record is that of the same network, or none."""

from dataclasses import replace
from pathlib import Path

import pytest

from backbone_bench.records import Missing, OpCost, Record, store
from backbone_bench.report.views.columns import named
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.depth import reduction_depth, remark
from tests.report.samples import RESNET50

# `bench run` of these networks on the first GPU, before the depth was counted.
RECORDS = Path(__file__).parents[3] / "results" / "records" / "h200"
OLD = store.read([RECORDS / "batch32.jsonl"], pytest.fail)


def test_the_depth_of_resnet50_is_the_sum_over_its_convolutions():
    """ci·k·k by hand: the stem, per block 1x1, 3x3, 1x1 (64-64-256 and so on), and the four shortcuts."""
    blocks = ((3, 64, 256, 64), (4, 128, 512, 256), (6, 256, 1024, 512), (3, 512, 2048, 1024))
    depth = 3 * 49
    for number, width, wide, into in blocks:
        depth += into + (number - 1) * wide + number * (9 * width + width) + into
    assert depth == 52_883
    old = next(record for record in OLD if record.workload.model == "resnet50")
    assert not isinstance(old.cost, Missing)
    assert isinstance(old.cost.reduction_depth, Missing)
    assert reduction_depth(old) == depth
    assert remark([RESNET50, old])
    assert not remark([RESNET50])


def _without_depth(row: OpCost) -> OpCost:
    return replace(row, groups=None, out_elems=None, reduction_depth=None)


def _old(record: Record) -> Record:
    assert not isinstance(record.cost, Missing)
    return replace(record, cost=replace(record.cost, by_op=tuple(map(_without_depth, record.cost.by_op))))


def test_a_network_that_only_has_the_name_of_one_in_the_zoo_has_no_depth():
    assert isinstance(reduction_depth(_old(RESNET50)), Missing)


def test_a_depth_that_was_counted_stands():
    assert reduction_depth(RESNET50) == 3 * 576  # three convolutions of 64 channels, 3x3


def test_a_table_says_that_its_depth_is_that_of_the_catalogue():
    view = View(named("model,reduction_depth"))
    (table, *_) = compare(OLD, view)
    assert remark(OLD) in table.below
    (counted,) = compare([RESNET50], view)
    assert not any("Reduction depth" in line for line in counted.below)
