"""Which records share a table, which values are marked best, and what a ratio refers to."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.choices import EnergyMode
from backbone_bench.base.errors import UserError
from backbone_bench.base.units import PLAIN
from backbone_bench.records import Energy, Gpu, Latencies, Missing, Placement, Record
from backbone_bench.report.tables.table import Cell, Column, Table, without_empty
from backbone_bench.report.views.columns import COLUMNS, COMPARE, named
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.conditions import conditions, environment_groups
from backbone_bench.report.views.families import family
from tests.report.samples import (
    CPU,
    EVERY,
    GPU,
    NO_EVENTS,
    NO_GRAPH,
    RESNET50,
    UNKNOWN,
    VOVNET39,
    counted,
    gpu_record,
    latency,
    record,
)

WALL = View(named("model,wall_s"))


def column(table: Table, key: str) -> list[Cell]:
    place = [column.key for column in table.columns].index(key)
    return [row[place] for row in table.rows]


def models(table: Table) -> list[object]:
    return [cell.value for cell in column(table, "model")]


def at_batch(made: Record, batch: int) -> Record:
    return replace(made, workload=replace(made.workload, batch=batch, inputs=(f"{batch}x3x224x224:float32",)))


environments = st.builds(
    replace,
    st.just(CPU),
    torch=st.sampled_from(["2.13.0", "2.14.1"]),
    cores=st.sampled_from([4, 8]),
    kernel=st.sampled_from([None, "6.1"]),
    ci=st.sampled_from([None, "github"]),
)


def of_fleet(row: int, node: str, kind: str, name: str, device: str = "cuda:0") -> Record:
    """A record of one card of a fleet: another card than that of every other node."""
    made = gpu_record("resnet18", 4_000_000, 0.001)
    known: dict[str, Any] = {field.name: Missing("not_told", "not told") for field in fields(Gpu)}
    own = Gpu(**known | {"name": name, "uuid": f"GPU-{node}"})
    environment = replace(GPU, device=device, device_name=name, host=node, kernel=f"6.1 on {node}", gpu=own)
    placement = Placement("1a2b", row, "slurm", node, f"7_{row}", kind, "exclusive", 0)
    return replace(made, id=str(row), environment=environment, placement=placement)


def test_the_machines_of_a_fleet_share_a_table_if_their_kind_of_card_is_the_same():
    made = [
        of_fleet(1, "n1", "a100", "A100"),
        of_fleet(2, "n2", "a100", "A100", "cuda:1"),
        of_fleet(3, "n3", "h100", "H100"),
    ]
    found = environment_groups(made)
    assert [len(group.records) for group in found] == [2, 1]
    assert "; 2 machines of this kind; " in found[0].caption
    assert "machines" not in found[1].caption
    alone = [replace(one, placement=None) for one in made]
    assert len(environment_groups(alone)) == 3


def test_a_difference_that_a_kind_of_card_does_not_have_makes_another_table():
    first = of_fleet(1, "n1", "a100", "A100")
    other = replace(first, id="2", environment=replace(first.environment, torch="2.9.0"))
    assert len(environment_groups([first, other])) == 2


@given(st.lists(st.tuples(environments, st.booleans()), min_size=1, max_size=12))
def test_one_table_is_one_environment_and_no_two_captions_are_the_same(drawn):
    made = [
        replace(counted("a", 4_000_000) if only_counts else record("a", 4_000_000, 1.0), environment=environment)
        for environment, only_counts in drawn
    ]
    found = environment_groups(made)
    assert sum(len(group.records) for group in found) == len(made)
    assert len({group.caption for group in found}) == len(found)
    for group in found:
        measured = {replace(r.environment, ci=None).kernel for r in group.records if isinstance(r.latency, Latencies)}
        assert len(measured) <= 1
        assert len({r.environment.torch for r in group.records}) == 1


def test_a_circumstance_that_varies_is_a_column_and_one_that_does_not_is_said_above():
    (same,) = compare([RESNET50, VOVNET39], WALL)
    assert "batch 1;" in same.caption
    assert "batch" not in [column.key for column in same.columns]
    (varied,) = compare([RESNET50, at_batch(RESNET50, 8)], WALL)
    assert "batch" not in varied.caption
    assert [cell.text for cell in column(varied, "batch")] == ["1", "8"]


def test_two_runs_of_one_workload_are_told_apart_by_their_time():
    (table,) = compare([RESNET50, replace(RESNET50, started_utc="2026-11-25T06:00:00Z")], WALL)
    assert [cell.text for cell in column(table, "started_utc")] == ["2026-11-24T06:00:00Z", "2026-11-25T06:00:00Z"]


def test_the_precision_says_how_convolutions_are_computed():
    tf32 = replace(RESNET50, environment=replace(CPU, conv_fp32="tf32"))
    (table,) = compare([tf32], WALL)
    assert "fp32 (convolutions tf32)" in table.caption


def test_the_best_is_marked_and_so_is_what_cannot_be_told_from_it():
    close = record("close", 4_000_000_000, 0.0511)  # 0.2 % from VoVNet's 51 ms; its confidence interval is ±0.4 %
    (table,) = compare([RESNET50, VOVNET39, close], WALL)
    assert [cell.best for cell in column(table, "wall_s")] == [False, True, True]


def test_a_lower_bound_is_never_the_best_nor_lets_anything_greater_be():
    bound, exact = UNKNOWN, record("exact", 4_500_000_000, 1.0)
    (table,) = compare([bound, exact], View(named("model,flops,flops_per_s")))
    assert [cell.best for cell in column(table, "flops")] == [False, False]  # at least 4.0 may be 5
    assert [cell.best for cell in column(table, "flops_per_s")] == [False, False]
    (table,) = compare([bound, record("less", 3_000_000_000, 1.0)], View(named("model,flops")))
    assert [cell.best for cell in column(table, "flops")] == [False, True]


def test_batches_do_not_compete():
    (table,) = compare(
        [RESNET50, VOVNET39, at_batch(record("x", 4_000_000, 9.0), 8)], View(named("model,images_per_s"))
    )
    assert [cell.best for cell in column(table, "images_per_s")] == [False, True, False]


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_a_ratio_times_the_baseline_is_the_value(base_s: float, other_s: float):
    made = [record("other", 4_000_000, other_s), record("base", 4_000_000, base_s)]
    (table,) = compare(made, replace(WALL, relative_to="base"))
    assert models(table) == ["base", "other"]
    base, other = column(table, "wall_s")
    assert base.ratio == 1
    assert other.ratio is not None
    assert other.ratio * base.value == pytest.approx(other.value)  # type: ignore[operator]


def test_a_ratio_is_to_the_baseline_of_the_same_circumstances_or_absent():
    made = [
        RESNET50,
        at_batch(replace(RESNET50, latency=VOVNET39.latency), 8),
        at_batch(VOVNET39, 8),
        at_batch(VOVNET39, 4),
    ]
    (table,) = compare(made, replace(WALL, relative_to="resnet50"))
    shown = column(table, "wall_s_per_image")[2:]
    ratios = {row[1].value: cell.ratio for row, cell in zip(table.rows[2:], shown, strict=True)}
    assert ratios == {8: 1.0, 4: None}


def test_a_bound_has_no_ratio():
    (table,) = compare([RESNET50, UNKNOWN], View(named("model,flops"), relative_to="resnet50"))
    assert [cell.ratio for cell in column(table, "flops")] == [1.0, None]


def test_the_baseline_stands_first_in_the_table_of_every_family():
    made = [VOVNET39, RESNET50, record("vgg19", 4_000_000, 2.0)]
    tables = compare(made, replace(WALL, group=family, relative_to="resnet50"))
    assert [(table.title, models(table)) for table in tables] == [
        ("resnet", ["resnet50"]),
        ("vgg", ["resnet50", "vgg19"]),
        ("vovnet", ["resnet50", "vovnet39"]),
    ]


def test_sorting_puts_the_best_first_and_the_missing_last():
    no_wall = replace(record("none", 4_000_000, 1.0), latency=Latencies(NO_EVENTS, NO_EVENTS, NO_GRAPH))
    made = [no_wall, RESNET50, VOVNET39]
    by_time = compare(made, replace(WALL, sort=COLUMNS["wall_s"]))[0]
    by_rate = compare(made, replace(WALL, sort=COLUMNS["images_per_s"]))[0]
    by_name = compare(made, replace(WALL, sort=COLUMNS["model"]))[0]
    assert models(by_time) == models(by_rate) == ["vovnet39", "resnet50", "none"]
    assert models(by_name) == ["none", "resnet50", "vovnet39"]


def test_a_column_without_any_value_becomes_a_remark_with_its_reason():
    (table,) = map(without_empty, compare([RESNET50, VOVNET39], View()))
    assert "device_s" not in [column.key for column in table.columns]
    assert f"device latency ({NO_EVENTS.missing}: {NO_EVENTS.message})" in table.remarks[-1]


def test_a_reason_that_several_cells_share_is_given_once():
    made = [replace(r, latency=Latencies(NO_EVENTS, NO_EVENTS, NO_GRAPH)) for r in (RESNET50, VOVNET39)]
    (table,) = compare([*made, record("x", 4_000_000, 1.0)], WALL)
    assert [cell.note for cell in column(table, "wall_s")] == [1, 1, None]
    assert table.notes == (f"{NO_EVENTS.missing}: {NO_EVENTS.message}",)


def test_too_few_samples_for_an_interval_give_a_value_without_one():
    few = record("few", 4_000_000, 1.0, latency=Latencies(latency(1.0, n=4), NO_EVENTS, NO_GRAPH))
    (table,) = compare([few], View(named("model,wall_s,wall_half_width")))
    assert column(table, "wall_s")[0].value == pytest.approx(1, rel=0.02)
    assert column(table, "wall_half_width")[0].text == "few_samples"


@pytest.mark.parametrize("act", [lambda: named("wall"), lambda: compare(EVERY, replace(WALL, relative_to="resnet5"))])
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(act):
    with pytest.raises(UserError, match=r"Did you mean 'wall_s'|Did you mean 'resnet50'"):
        act()


def test_every_row_of_a_comparison_is_a_record_and_every_record_a_row():
    tables = compare(EVERY, View(COMPARE))
    assert sorted(str(name) for table in tables for name in models(table)) == sorted(r.workload.model for r in EVERY)
    assert len({conditions(made) for made in EVERY}) == 3


def test_nothing_is_the_most_where_something_is_only_known_to_be_at_least_so_much():
    (table,) = compare([RESNET50, VOVNET39, UNKNOWN], View(named("model,flops_per_s")))
    assert not any(cell.best for cell in column(table, "flops_per_s"))


@pytest.mark.parametrize(("better", "best"), [("less", [True, True, False]), ("more", [False, True, True])])
def test_all_that_meet_the_interval_of_the_best_are_best_whichever_way_is_better(better, best):
    spans = {"a": (1.0, 2.5), "b": (2.0, 3.5), "c": (3.0, 4.5)}
    shown = Column[Record](
        "x", "x", lambda made: sum(spans[made.workload.model]) / 2, PLAIN, better,
        interval=lambda made: spans[made.workload.model],
    )  # fmt: skip
    (table,) = compare([counted(name, 4_000_000) for name in spans], View((COLUMNS["model"], shown)))
    assert [cell.best for cell in column(table, "x")] == best


def test_two_jobs_of_a_server_are_one_environment():
    one, other = (replace(RESNET50, environment=replace(CPU, ci=job)) for job in ("github 1", "github 2"))
    assert len(compare([one, other], WALL)) == 1


def with_runs(made: Record, mode: EnergyMode) -> Record:
    assert isinstance(made.energy, Energy)
    return replace(made, energy=replace(made.energy, mode=mode))


def test_energies_of_different_runs_are_not_held_against_each_other():
    base, other = gpu_record("resnet50", 4, 0.002), gpu_record("vovnet39", 7, 0.001)
    shown = View(named("model,gross_per_image_j,energy_runs"), relative_to="resnet50")
    (alike,) = compare([base, other], shown)
    assert [cell.ratio for cell in column(alike, "gross_per_image_j")] == [1.0, pytest.approx(0.5, rel=0.01)]
    assert "energy_runs" not in [one.key for one in alike.columns]  # both are of replays, which is said below
    assert any(remark.startswith("Energy is that of replays") for remark in alike.remarks)
    (unlike,) = compare([base, with_runs(other, "wall")], shown)
    cells = column(unlike, "gross_per_image_j")
    assert [cell.ratio for cell in cells] == [1.0, None]
    assert not any(cell.best for cell in cells)
    assert [cell.text for cell in column(unlike, "energy_runs")] == ["graph", "wall"]


def test_the_events_of_eager_calls_are_never_best_and_have_no_ratio():
    def eager(made: Record) -> Record:
        assert isinstance(made.latency, Latencies)
        return replace(made, latency=replace(made.latency, device=latency(1e-6, n=700)))

    shown = View(named("model,device_s,grade"), relative_to="base")
    (table,) = compare([eager(gpu_record("base", 4, 0.002)), eager(gpu_record("other", 7, 0.001))], shown)
    cells = column(table, "device_s")
    assert not any(cell.best for cell in cells)
    assert [cell.ratio for cell in cells] == [None, None]
    assert any("eager_events" in remark for remark in table.remarks)
    (without,) = compare([eager(gpu_record("base", 4, 0.002))] * 2, View(named("model,graph_s,grade")))
    assert not any("eager_events" in remark for remark in without.remarks)


def test_sorting_is_by_what_is_shown_of_one_image():
    made = [at_batch(record("many", 4_000_000, 0.8), 8), record("one", 4_000_000, 0.2)]
    (table,) = compare(made, replace(WALL, sort=COLUMNS["wall_s"]))
    assert models(table) == ["many", "one"]


def test_operations_and_peaks_stay_those_of_a_call():
    made = at_batch(counted("net", 4_000_000), 8)
    (table,) = compare([made], View(named("model,flops,ops,peak_activation_bytes")))
    assert [one.key for one in table.columns] == ["model", "flops_per_image", "ops", "peak_activation_bytes"]
    assert column(table, "ops")[0].value == 6
    assert "but operations" in table.caption
