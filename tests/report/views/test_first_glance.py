"""What a table of records shows at first glance: one line a row, telling columns, readable numbers, batches in turn."""

import io
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
from rich.console import Console

from backbone_bench.base.errors import UserError
from backbone_bench.base.units import BILLIONS, M_ELEMENTS, MILLIONS, MILLISECONDS, PERCENT, readable
from backbone_bench.records import Missing, Record, store
from backbone_bench.report.tables import escape, fit
from backbone_bench.report.tables.table import Column, Table, without_empty
from backbone_bench.report.tables.terminal import terminal
from backbone_bench.report.views.columns import COMPARE, named
from backbone_bench.report.views.compare import View, compare
from tests.report.samples import RESNET50, VOVNET39, gpu_record

H200 = Path(__file__).parents[3] / "results/records/h200"
FILES = [H200 / name for name in ("batch1.jsonl", "batch32.jsonl", "stacks-and-320.jsonl")]


@pytest.fixture(scope="module")
def real() -> tuple[Record, ...]:
    return store.read(FILES, warn=pytest.fail)


def of_size(made: Record, pixels: int) -> Record:
    return replace(made, workload=replace(made.workload, inputs=(f"1x3x{pixels}x{pixels}:float32",)))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_record_of_a_gpu_is_one_line_of_every_terminal(real: tuple[Record, ...], width: int):
    tables = [without_empty(table) for table in compare(real, View(COMPARE))]
    text = terminal(tables, Console(file=io.StringIO(), width=width, color_system=None))
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for table in tables:
        for row in table.rows:
            name = str(row[0].value)[-10:]
            assert any(name in line and line.count("  ") > 2 for line in lines)
    below_a_rule = [
        len(list(takewhile(is_row, lines[n + 1 :]))) for n, line in enumerate(lines) if line.startswith("──")
    ]
    assert below_a_rule == [len(table.rows) for table in tables]


def is_row(line: str) -> bool:
    return line.startswith(" ")


@pytest.mark.parametrize("width", [80, 120, 200])
def test_what_a_terminal_leaves_out_is_named_and_wide_shows_it(real: tuple[Record, ...], width: int):
    (table,) = map(without_empty, compare(real[:4], View(COMPARE)))
    narrow, wide = fit.brief(table, width), replace(table, brief=False)
    left_out = [column.title for column in table.columns[len(narrow.columns) :]]
    assert left_out
    assert narrow.remarks[-1] == f"More with --wide: {', '.join(left_out)}."
    pages = list(fit.fold(wide, width))
    assert sorted({place for page in pages for place in page}) == list(range(len(table.columns)))


def test_the_time_the_launches_and_the_energy_stand_in_eighty_columns(real: tuple[Record, ...]):
    records = [record for record in real if record.workload.batch == 32]
    (table,) = map(without_empty, compare(records, View(COMPARE)))
    shown = [column.key for column in fit.brief(table, 80).columns]
    assert [key.removesuffix("_per_image") for key in shown[:6]] == [
        "model", "flops", "wall_s", "graph_s", "launch_bound", "gross_per_image_j",
    ]  # fmt: skip


def test_a_long_name_keeps_its_end_and_other_text_its_start():
    assert fit.cut("backbone_bench.zoo.micro:plain", 12, keep_end=True) == "…micro:plain"
    assert fit.cut("with care: launch_bound", 12) == "with care:…"
    assert fit.cut("resnet50", 8) == "resnet50"


def test_a_heading_breaks_between_words_and_after_a_hyphen_but_never_within_a_word():
    column: Column[str] = Column("", "launch-bound", str, PERCENT)
    assert fit.heading(column, 8) == "launch-\nbound\n(%)"
    assert fit.heading(column, 20) == "launch-bound (%)"


def test_input_sizes_of_three_records_have_tables_of_their_own_and_the_environment_is_said_once():
    sizes = [224, 224, 224, 320, 320, 320, 96]
    made = [of_size(replace(RESNET50, id=str(n)), size) for n, size in enumerate(sizes)]
    tables = compare(made, View())
    assert [(table.title, len(table.rows)) for table in tables] == [
        ("3x224x224", 3),
        ("3x320x320", 3),
        ("other input sizes", 1),
    ]
    assert [bool(table.caption) for table in tables] == [True, False, False]
    assert [table.title for table in compare(made[3:5] + made[6:], View())] == [""]
    assert len(compare(made, View(all_conditions=True))) == 1  # for programs


@pytest.mark.parametrize(
    ("unit", "values", "name"),
    [
        (MILLIONS, [450], ""),
        (MILLIONS, [450, 25_557_032], "k"),  # 0.450 and 25557.032 rather than 0.00045 and 25.557
        (MILLIONS, [270_000, 25_557_032], "M"),
        (BILLIONS, [40_551_424], "M"),
        (BILLIONS, [4_089_184_256, 0], "G"),
        (M_ELEMENTS, [1500], "k elements"),
        (MILLIONS, [270_000], "k"),
        (MILLISECONDS, [0.0003], "ms"),
        (MILLISECONDS, [4e-6], "µs"),
        (MILLISECONDS, [], "ms"),
    ],
)
def test_a_column_has_the_unit_in_which_its_values_can_be_read(unit, values, name):
    assert readable(unit, values).name == name


@pytest.mark.parametrize(
    ("value_s", "half_width_s", "text"),
    [
        (0.0032784, 0.000052, "3.28"),
        (0.0032784, 0.000015, "3.278"),
        (0.0032784, 0.0000001, "3.278"),  # four digits are the most
        (0.02240, 0.0011, "22.4"),
        (0.00813, 0.00026, "8.1"),
        (0.0003, 0.01, "0.3"),  # it never reads 0
        (0.5, 0.1, "500"),
    ],
)
def test_a_measured_number_has_the_digits_that_its_interval_leaves_certain(value_s, half_width_s, text):
    assert MILLISECONDS.write_known(value_s, half_width_s) == text


def titles(table: Table) -> list[str]:
    return [column.title for column in table.columns]


def test_batches_stand_side_by_side_one_row_a_model():
    made = [gpu_record("a", 4, 0.001), gpu_record("b", 7, 0.002), gpu_record("a", 4, 0.016, batch=32)]
    (table,) = compare(made, View(named("model,params,graph_s"), pivot="batch"))
    assert titles(table) == ["model", "parameters", "graph latency, batch 1", "graph latency, batch 32"]
    assert [[cell.text for cell in row[2:]] for row in table.rows] == [["1.000", "0.5000"], ["2.000", ""]]


def test_a_pivot_with_two_values_for_one_place_is_refused_and_one_without_a_choice_changes_nothing():
    twice = [gpu_record("a", 4, 0.001), gpu_record("a", 4, 0.016, batch=32), gpu_record("a", 4, 0.001)]
    with pytest.raises(UserError, match="a has several records of one batch"):
        compare(twice, View(named("model,graph_s"), pivot="batch"))
    alike = View(named("model,wall_s"))
    assert compare([RESNET50, VOVNET39], replace(alike, pivot="batch")) == compare([RESNET50, VOVNET39], alike)


@pytest.mark.parametrize("text", ["resnet152@224 < vgg16@224", "a > b", "fine!", "AT&T", "# 3", "a & b"])
def test_text_that_is_no_markup_has_no_backslash(text: str):
    shown = escape.markdown(text)
    assert shown == text or text == "# 3"


@pytest.mark.parametrize("text", ["@octocat", "see #12", "&lt;", "<b>", "> quoted", "# title", "$x$", "~~no~~"])
def test_markup_is_escaped(text: str):
    assert "\\" in escape.markdown(text)


def test_reasons_read_alike_however_they_were_written():
    sensor = Missing("no_readings", "The power sensor was not read.")
    rapl = Missing("rapl_failed", "RAPL cannot be read")
    made = [replace(RESNET50, energy=sensor), replace(VOVNET39, energy=rapl)]
    (table,) = map(without_empty, compare(made, View(named("model,wall_s,gross_per_image_j"))))
    reasons = "no_readings: the power sensor was not read; rapl_failed: RAPL cannot be read"
    assert f"Not shown: energy per image ({reasons})." in table.remarks
