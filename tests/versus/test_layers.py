"""Where two models differ, told from times that are written down by hand."""

from dataclasses import replace

import pytest

from backbone_bench.records import Missing
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.formats import written
from backbone_bench.versus.layers import differences, with_layers
from backbone_bench.versus.report import SideNames
from tests.report.views.test_times import TIMED, TIMES

CALLED = SideNames("slow", "fast")
FASTER = tuple(replace(row, time_s=row.time_s / 2) if row.form == "3x3" else row for row in TIMES.rows)
FAST = replace(TIMED, layer_times=replace(TIMES, rows=FASTER))


def text(a, b):
    return str(written(with_layers(Answer(list, list), a, b, CALLED), "md"))


def test_the_kind_that_differs_most_comes_first():
    first, *others = differences(TIMED, FAST)
    assert first.kind == "3x3 convolution"
    assert first.difference_s == pytest.approx(0.015)
    assert all(row.difference_s == 0 for row in others)


def test_a_kind_of_one_side_alone_differs_by_all_of_its_time():
    without = replace(TIMED, layer_times=replace(TIMES, rows=TIMES.rows[:2]))
    assert differences(TIMED, without)[0].difference_s == pytest.approx(0.030)
    assert differences(without, TIMED)[0].difference_s == pytest.approx(-0.030)


def test_times_are_those_of_one_image():
    batch = replace(TIMED, workload=replace(TIMED.workload, batch=4))
    assert differences(batch, batch)[0].a_s == pytest.approx(differences(TIMED, TIMED)[0].a_s / 4)


def test_the_sentence_is_true_from_both_sides():
    assert "slow takes 15.0 ms more than fast in 3x3 convolution; over all kinds 15.0 ms more." in text(TIMED, FAST)
    swapped = "fast takes 15.0 ms more than slow in 3x3 convolution; over all kinds 15.0 ms more."
    assert swapped in text(FAST, TIMED)


def test_the_whole_may_go_the_other_way():
    rows = tuple(replace(row, time_s=row.time_s + 0.010) if row.form != "3x3" else row for row in FASTER)
    assert "over all kinds 45.0 ms less." in text(TIMED, replace(TIMED, layer_times=replace(TIMES, rows=rows)))


def test_without_times_there_is_the_reason():
    reason = Missing("no_kernel_times", "this torch cannot time the kernels of mps")
    assert "No times by layer: this torch cannot" in text(TIMED, replace(TIMED, layer_times=reason))
