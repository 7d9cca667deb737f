"""Every format gives the same values for any record: parsed text equals the record."""

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from backbone_bench.records import CrossCheck, Difference, Energy, Latencies, Missing, ModelCost, PaperEnergy, Record
from backbone_bench.report.tables import escape
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.csv import delimited
from backbone_bench.report.tables.formats import write
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import tabulate
from backbone_bench.report.tables.terminal import terminal
from backbone_bench.report.views.columns import COLUMNS, COUNT, RUN, doubled
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.layers import layers
from backbone_bench.report.views.operations import operation_table
from backbone_bench.report.views.render import answer
from tests.conftest import Golden
from tests.report.samples import EVERY, NO_EVENTS, NO_GRAPH, RESNET50, UNKNOWN, VOVNET39, cost, latency, record

names = st.text(min_size=1) | st.sampled_from(["| a |", "<script>", "a\nb", "`x`", "**b**", "\\|", "=1+1", "-", "&lt;"])
latencies = st.builds(
    Latencies,
    wall=st.builds(latency, st.floats(1e-7, 1e4), st.integers(1, 50)) | st.just(NO_EVENTS),
    device=st.just(NO_EVENTS),
    graph=st.builds(latency, st.floats(1e-7, 1e4)) | st.just(NO_GRAPH),
)
records = st.builds(
    record,
    names,
    st.integers(2_000_000, 10**15),
    st.just(1.0),
).flatmap(
    lambda made: st.builds(
        replace,
        st.just(made),
        cost=st.builds(cost, st.integers(2_000_000, 10**15), unknown=st.booleans()),
        latency=latencies | st.just(Missing("oom", "no memory for <b>it</b> | at all")),
    )
)


def cells(text: str) -> Iterator[list[Token]]:
    """The rows of every table that a Markdown parser finds, each cell as its parsed content."""
    row: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            row = []
        elif token.type == "inline" and token.level >= 3:
            row.append(token)
        elif token.type == "tr_close":
            yield row


def plain(cell: Token) -> str:
    return "".join(child.content for child in cell.children or ())


@given(records)
def test_markdown_shows_a_name_as_text_and_every_number_of_the_record(made: Record):
    heading, row = cells(markdown([tabulate([made], RUN)]))
    assert [plain(cell) for cell in heading] == [column.heading for column in RUN]
    name = row[0].children or []
    assert {child.type for child in name} <= {"text", "text_special"}
    assert plain(row[0]) == escape.visible(made.workload.model).strip()
    for column, cell in zip(RUN, row, strict=True):
        value, text = column.value(made), plain(cell)
        if isinstance(value, int | float):
            assert column.unit is not None
            assert text.startswith("≥ ") == (column.lower_bound is not None and column.lower_bound(made))
            assert float(text.removeprefix("≥ ")) == pytest.approx(value * column.unit.per_base, rel=0.05, abs=5e-4)
        elif isinstance(value, Missing):
            assert text.startswith("–")


@given(records)
def test_csv_gives_back_the_exact_numbers_and_says_why_others_are_not_there(made: Record):
    text = delimited([tabulate([made], RUN)])
    assert text.count("\n") == 2
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    reasons = dict(pair.split("=") for pair in row.pop("missing").split())
    for column in RUN:
        value = column.value(made)
        if isinstance(value, Missing):
            assert (row[column.key], reasons.pop(column.key)) == ("", value.missing)
        elif isinstance(value, str):
            assert row[column.key].removeprefix("'") == escape.visible(value).removeprefix("'")
        else:
            assert type(value)(row[column.key]) == value
    assert not reasons


@given(st.lists(records, min_size=1, max_size=3), st.integers(70, 200))
def test_a_narrow_terminal_cuts_no_number_and_is_never_overrun(made: list[Record], width: int):
    screen = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    table = tabulate(made, RUN)
    text = terminal([table], screen)
    assert max(map(len, text.splitlines())) <= width or not text.isascii()  # a wide character takes two places
    words = text.split()
    for row in table.rows:
        for column, cell in zip(table.columns, row, strict=True):
            if column.unit is not None and cell.note is None:
                assert cell.text in words


@pytest.mark.parametrize("danger", ["\x1b[31mred", "a\nb", "a\rb", "\x00", "\u2028", "\u202eabc"])
def test_what_would_steer_a_terminal_or_break_a_row_is_made_visible(danger: str):
    shown = terminal([tabulate([record(danger, 4_000_000, 1.0)], COUNT)], Console(file=io.StringIO(), width=200))
    assert danger not in shown
    assert "\\" in shown
    assert danger not in markdown([tabulate([record(danger, 4_000_000, 1.0)], COUNT)])


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "＝1"])
def test_no_name_is_a_formula_in_a_spreadsheet(name: str):
    _, row = csv.reader(io.StringIO(delimited([tabulate([record(name, 4_000_000, 1.0)], COUNT)])))
    assert row[0] == f"'{name}"


@pytest.mark.parametrize("text", ["+8.3 %", "-7.89 %", "-3", "+12 k", "resnet18", "1e-3"])
def test_a_signed_number_is_no_formula(text: str):
    _, row = csv.reader(io.StringIO(delimited([tabulate([record(text, 4_000_000, 1.0)], COUNT)])))
    assert row[0] == text


def test_colour_is_for_terminals_and_can_be_forced_and_forbidden(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    table = compare([RESNET50, VOVNET39], View())
    assert "\x1b[" not in terminal(table)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;32m" in terminal(table)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in terminal(table)


def test_two_flops_per_multiply_add_are_twice_as_many_and_the_heading_says_so():
    once, twice = (tabulate([UNKNOWN], columns) for columns in (RUN, doubled(RUN)))
    changed = [i for i, (a, b) in enumerate(zip(once.columns, twice.columns, strict=True)) if a.heading != b.heading]
    assert [once.columns[i].key for i in changed] == ["flops", "flops_per_s", "cross_check_flops"]
    for i in changed[:2]:
        assert twice.rows[0][i].value == 2 * once.rows[0][i].value  # type: ignore[operator]
        assert "two per multiply-add" in twice.columns[i].heading
        assert "two_per_multiply_add" in twice.columns[i].key
    assert "≥" in twice.rows[0][changed[0]].shown


ON_GPU = EVERY[5]


def by_the_paper(paper: PaperEnergy | Missing) -> Record:
    assert isinstance(ON_GPU.energy, Energy)
    return replace(ON_GPU, energy=replace(ON_GPU.energy, paper=paper))


PAPER = by_the_paper(PaperEnergy("power_instant", (300.0, 310.0), 0.01, 1))
SECOND = CrossCheck("fvcore 0.1.5", 4_111_512_576, (Difference("counts batch norm", 22_227_968),), 0, {})
COUNTED = EVERY[-1]
CROSS_CHECKED = replace(EVERY[0], cross_check=SECOND)
WAITED_FOR = replace(ON_GPU, wall_energy=ON_GPU.energy)


@pytest.mark.parametrize(
    "column", [column for column in COLUMNS.values() if column.unit], ids=lambda column: column.key
)
def test_every_column_of_numbers_finds_a_number_or_a_reason_in_every_record(column):
    values = [column.value(made) for made in (*EVERY, CROSS_CHECKED, PAPER, WAITED_FOR)]
    assert all(isinstance(value, int | float | Missing) for value in values)
    assert any(isinstance(value, int | float) for value in values)


def test_energy_by_the_papers_protocol_stands_beside_energy_where_it_was_asked_for_and_is_missed_nowhere_else():
    with_paper, without = (write(answer([made], View(RUN)), "md") for made in (PAPER, ON_GPU))
    assert "| 3050 |" in with_paper  # 305 W for 10 ms, in mJ
    assert "energy ± (%) | energy per image, paper's protocol (mJ) |" in with_paper
    assert "every 100 ms" in with_paper
    assert "protocol" not in without
    refused = by_the_paper(Missing("no_power_sensor", "no sensor answers"))
    remark = "energy per image, paper's protocol (no_power_sensor: no sensor answers)"
    assert remark in write(answer([refused], View(RUN)), "md")


def test_the_share_of_noise_is_missed_where_its_quantity_is_there():
    few = replace(RESNET50, latency=Latencies(latency(0.07, n=4), NO_EVENTS, NO_GRAPH))
    text = write(answer([few], View(RUN)), "md")
    assert "wall latency ± (few_samples: " in text
    assert "device latency ±" not in text


def test_every_row_of_a_csv_has_a_cell_for_every_heading_though_only_some_tables_have_ratios():
    text = write(answer([COUNTED, RESNET50, VOVNET39], View(relative_to="resnet50")), "csv")
    heading, *rows = csv.reader(io.StringIO(text))
    assert {len(row) for row in rows} == {len(heading)}
    assert "wall_s_ratio" in heading


@pytest.mark.parametrize("form", ["md", "csv", "table"])
def test_records_side_by_side_look_like_this(form: str, golden: Golden, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    golden(f"compare.{form}", write(answer(EVERY, View(relative_to="resnet50")), form))


LAYERS = Answer(lambda: layers(UNKNOWN, 2), lambda: [operation_table([UNKNOWN])])


@pytest.mark.parametrize("form", ["md", "csv", "table"])
def test_layers_look_like_this(form: str, golden: Golden, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    golden(f"layers.{form}", write(LAYERS, form))


@pytest.mark.parametrize(
    ("key", "value"),
    [("wall_first_call_s", 3 * 0.0713), ("top1_fraction", 0.76156)],  # tv_in1k, as printed
)
def test_a_column_holds_what_its_key_says_in_base_units(key, value):
    assert COLUMNS[key].value(RESNET50) == pytest.approx(value)


def test_a_share_of_nothing_is_a_reason():
    nothing = replace(RESNET50, cost=cost(4_000_000))
    assert isinstance(nothing.cost, ModelCost)
    nothing = replace(nothing, cost=replace(nothing.cost, by_op=()))
    assert isinstance(COLUMNS["flops_per_byte"].value(nothing), Missing)
