"""Flame charts: every row is as wide as what it holds, and lies within what holds it."""

from dataclasses import replace

import pytest

from backbone_bench.report.drawing import svg
from backbone_bench.report.plots.flame import flames
from tests.report.samples import RESNET50
from tests.report.views.test_times import TIMED, TIMES


@pytest.fixture
def bars():
    (plot,) = flames([RESNET50, TIMED], "")
    return plot.panels[0]


def test_the_operations_fill_the_whole_call_without_a_gap(bars):
    last = sorted((bar for bar in bars.bars if bar.row == len(bars.rows) - 1), key=lambda bar: bar.start)
    assert [bar.start for bar in last] == pytest.approx([0.0, *(bar.end for bar in last[:-1])])
    assert last[-1].end == pytest.approx(1e3 * TIMES.total_s)


def test_a_module_is_as_wide_as_its_time_and_lies_within_the_one_that_holds_it(bars):
    stages = {bar.label: bar for bar in bars.bars if bar.row < len(bars.rows) - 1}
    assert stages["stages"].end - stages["stages"].start == pytest.approx(54.0)
    assert stages["stages"].start <= stages["stage1"].start < stages["stage2"].end <= stages["stages"].end
    assert stages["stage1"].end - stages["stage1"].start == pytest.approx(34.0)


def test_a_module_has_the_colour_of_what_takes_most_of_its_time(bars):
    stages = {bar.label: bar for bar in bars.bars if bar.row < len(bars.rows) - 1}
    assert (stages["stage1"].series, stages["stage2"].series) == ("3x3 convolution", "1x1 convolution")


def test_a_name_is_written_only_where_there_is_room():
    (plot,) = flames([TIMED], "")
    drawn = svg.file(plot)
    assert ">stages</text>" in drawn
    assert ">flatten</text>" not in drawn


def test_modules_that_are_used_in_turn_lie_together():
    rows = [TIMES.rows[0], TIMES.rows[2], replace(TIMES.rows[1], module="stem.1.norm"), TIMES.rows[4]]
    (plot,) = flames([replace(TIMED, layer_times=replace(TIMES, rows=tuple(rows)))], "")
    first = [bar.label for bar in plot.panels[0].bars if bar.row == 0]
    assert first == ["stem", "stages"]
