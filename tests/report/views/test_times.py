"""Times by layer in tables: from times and costs that are written down by hand."""

from dataclasses import replace

import pytest

from backbone_bench.records import Ceilings, LayerTimes, Missing, OpTime, known
from backbone_bench.report.tables.formats import written
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.render import answer
from backbone_bench.report.views.times import joined, parts, time_sentence, time_tables
from tests.report.samples import RESNET50, gpu_record


def time(module, op, time_s, form=None):
    return OpTime(module, op, form, time_s, 1, 0, 0.0)


CEILINGS = Ceilings(1e12, 1e11)
ROWS = (
    time("stem.0.conv", "convolution", 0.010, "7x7"),
    time("stem.0.norm", "batch_norm", 0.002),
    time("stages.stage1.0.conv", "convolution", 0.030, "3x3"),
    time("stages.stage1.0", "cat", 0.004),
    time("stages.stage2.0.conv", "convolution", 0.020, "1x1"),
    time("classifier.fc", "linear", 0.003),
    OpTime("classifier", "flatten", None, 4e-6, 2, 2, 4e-6),
)
TIMES = LayerTimes("operations", 5, ROWS, 0.0, CEILINGS, spent_s=3.0)
TIMED = replace(RESNET50, layer_times=TIMES)
COST, WALL_S = known(RESNET50.cost), known(RESNET50.device_work).median_s


def cells(table, column):
    place = [one.key for one in table.columns].index(column)
    return {row[0].text: row[place].value for row in table.rows}


def test_the_parts_of_any_grouping_add_up_to_the_call():
    for table in time_tables(TIMED, TIMES, depth=1):
        assert sum(cells(table, "share").values()) == pytest.approx(1)
        assert sum(cells(table, "time_s").values()) == pytest.approx(TIMES.total_s)
        assert sum(cells(table, "flops_share").values()) == pytest.approx(1)
        assert sum(cells(table, "launches").values()) == 8


def test_what_loses_most_comes_first_and_is_what_the_ceilings_do_not_ask_for():
    by_kind = time_tables(TIMED, TIMES, 2, "kind")[0]
    lost = cells(by_kind, "lost_s")
    third = next(row for row in COST.by_op if row.module == "stages.stage1.0.conv")
    assert lost["3x3 convolution"] == pytest.approx(0.030 - max(known(third.flops) / 1e12, third.traffic_bytes / 1e11))
    assert list(lost.values()) == sorted(lost.values(), reverse=True)
    assert min(lost.values()) >= 0


def test_the_share_of_the_ceiling_is_of_the_one_that_bounds():
    flops_bound, traffic_bound = (
        parts(TIMED, replace(TIMES, ceilings=one), lambda op: "all")[0]
        for one in (Ceilings(1e9, 1e15), Ceilings(1e15, 1e9))
    )
    assert flops_bound.of_ceiling == pytest.approx(COST.flops / 1e9 / TIMES.total_s)
    assert traffic_bound.of_ceiling == pytest.approx(COST.traffic_bytes / 1e9 / TIMES.total_s)


def test_without_ceilings_the_longest_comes_first_with_the_reason():
    times = replace(TIMES, ceilings=Missing("no_ceilings", "no memory is left"))
    table = time_tables(replace(TIMED, layer_times=times), times, 2, "kind")[0]
    assert list(cells(table, "time_s").values()) == sorted(cells(table, "time_s").values(), reverse=True)
    assert "No ceilings: no memory is left." in table.caption


def test_an_operation_that_has_two_names_is_joined_where_nothing_else_is_left_over():
    rows = tuple(replace(row, op="addmm") if row.op == "linear" else row for row in ROWS)
    made = joined(replace(TIMED, layer_times=replace(TIMES, rows=rows)))
    (found,) = [op for op in made if op.time is not None and op.time.op == "addmm"]
    assert [cost.op for cost in found.costs] == ["linear"]


def test_what_is_counted_and_never_timed_keeps_its_cost():
    made = joined(replace(TIMED, layer_times=replace(TIMES, rows=ROWS[:1])))
    assert sum(op.flops for op in made) == COST.flops


def test_kernels_of_no_operation_are_a_row():
    times = replace(TIMES, source="kernels", unattributed_s=0.05)
    table = time_tables(replace(TIMED, layer_times=times), times, 1, "module")[0]
    assert cells(table, "time_s")["(kernels of no operation)"] == 0.05
    assert sum(cells(table, "share").values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.0, "It is within 10 % of the wall latency"),
        (0.5, "That is 100 % more than the wall latency, taken without the profiler: read shares, not times."),
        (2.0, "That is 50 % less than the wall latency"),
    ],
)
def test_the_sum_is_held_against_the_undisturbed_latency(factor, words):
    share = WALL_S / TIMES.total_s / factor
    times = replace(TIMES, rows=tuple(replace(row, time_s=row.time_s * share) for row in ROWS))
    assert words in time_tables(replace(TIMED, layer_times=times), times, 2)[0].caption


def test_the_sentence_says_where_the_time_goes_and_how_much_is_in_short_kernels():
    assert time_sentence(TIMED, TIMES) == "resnet50: 43 % of the time in 3x3 convolutions at 7 % of the ceiling."
    short = (*ROWS[:-1], OpTime("classifier", "flatten", None, 0.02, 182, 180, 0.016))
    times = replace(TIMES, source="kernels", rows=short)
    assert time_sentence(replace(gpu_record("resnet50", 4_089_184_256, 0.05), layer_times=times), times).endswith(
        "; 18 % in 180 kernels below 5 µs."
    )


def test_a_reason_stands_in_place_of_times_that_could_not_be_taken():
    reason = Missing("no_kernel_times", "this torch cannot time the kernels of mps")
    text = str(written(answer([replace(RESNET50, layer_times=reason)], View(), 1), "md"))
    assert "resnet50: no times by layer: this torch cannot time the kernels of mps." in text
    assert "by module" in text


def test_a_table_for_programs_has_the_time_of_every_operation():
    text = str(written(answer([TIMED], View(), 1), "csv"))
    header, *lines = (line.split(",") for line in text.splitlines())
    at, module = header.index("time_s"), header.index("module")
    assert {line[module]: float(line[at]) for line in lines if line[at]} == {row.module: row.time_s for row in ROWS}
    assert len(lines) == len(ROWS)


def test_without_times_that_table_is_as_before():
    assert "time_s" not in str(written(answer([RESNET50], View(), 1), "csv"))
