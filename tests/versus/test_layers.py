"""Where two models differ, told from times that are written down by hand."""

from dataclasses import replace

import pytest

from backbone_bench.records import Missing
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.formats import written
from backbone_bench.stats.ratios import Pair
from backbone_bench.versus.layers import differences, with_layers
from backbone_bench.versus.rule import Comparison, ComparisonQuestion
from tests.report.views.test_times import TIMED, TIMES

FASTER = tuple(replace(row, time_s=row.time_s / 2) if row.form == "3x3" else row for row in TIMES.rows)
FAST = replace(TIMED, layer_times=replace(TIMES, rows=FASTER))
SLOW_S, FAST_S = TIMES.total_s, TIMES.total_s - 0.015
AS_TIMED = Pair(SLOW_S, FAST_S)


def text(a, b, measured=AS_TIMED):
    found = Comparison(
        replace(a, workload=replace(a.workload, model="slow")),
        replace(b, workload=replace(b.workload, model="fast")),
        ComparisonQuestion(),
        (measured,) * 6,
    )
    return str(written(with_layers(found, Answer(list, list), a, b), "md"))


def test_the_kind_that_differs_most_comes_first():
    first, *others = differences(TIMED, FAST, AS_TIMED)
    assert first.kind == "3x3 convolution"
    assert first.difference_s == pytest.approx(0.015)
    assert all(row.difference_s == pytest.approx(0) for row in others)


def test_a_kind_of_one_side_alone_differs_by_all_of_its_time():
    without = replace(TIMED, layer_times=replace(TIMES, rows=TIMES.rows[:2]))
    assert differences(TIMED, without, Pair(SLOW_S, 0.012))[0].difference_s == pytest.approx(0.030)
    assert differences(without, TIMED, Pair(0.012, SLOW_S))[0].difference_s == pytest.approx(-0.030)


def test_what_the_rounds_measured_is_shared_out():
    rows = differences(TIMED, FAST, Pair(3.0, 2.0))
    assert sum(row.a_s for row in rows) == pytest.approx(3.0)
    assert sum(row.b_s for row in rows) == pytest.approx(2.0)


def test_the_sentence_is_true_from_both_sides():
    assert "slow takes 15.0 ms more than fast in 3x3 convolution; over all kinds 15.0 ms more." in text(TIMED, FAST)
    swapped = "fast takes 15.0 ms more than slow in 3x3 convolution; over all kinds 15.0 ms more."
    assert swapped in text(FAST, TIMED, Pair(FAST_S, SLOW_S))


def test_the_whole_may_go_the_other_way():
    rows = tuple(replace(row, time_s=row.time_s + 0.008) if row.form != "3x3" else row for row in FASTER)
    other = replace(TIMES, rows=rows)
    assert "over all kinds 33.0 ms less." in text(TIMED, replace(TIMED, layer_times=other), Pair(SLOW_S, other.total_s))


def test_without_times_there_is_the_reason():
    reason = Missing("no_kernel_times", "this torch cannot time the kernels of mps")
    assert "No times by layer: this torch cannot" in text(TIMED, replace(TIMED, layer_times=reason))
