"""Plots show the values of the records: nothing is lost, mixed up, covered or invented."""

import re
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from backbone_bench.base.errors import UserError
from backbone_bench.records import Ceilings, Latencies, LayerTimes, ModelCost
from backbone_bench.report.drawing import image, svg
from backbone_bench.report.drawing.layout import Scale, arrange, legend, sheet, tick_text
from backbone_bench.report.drawing.plot import Axis, Line, Panel, Plot, Point
from backbone_bench.report.plots.accuracy import panel as accuracy
from backbone_bench.report.plots.accuracy import pareto
from backbone_bench.report.plots.alike import Alike, alike, told_apart
from backbone_bench.report.plots.kinds import kinds
from backbone_bench.report.plots.prediction import PREDICTORS, correlations
from backbone_bench.report.plots.roofline import COPY, PRODUCT, roofline, split_ceilings
from backbone_bench.report.plots.samples import MAX_SAMPLES, spread, trace
from backbone_bench.report.plots.which import batches, draw, leading, predictors
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.families import STYLES
from backbone_bench.zoo import catalogue
from tests.conftest import Golden
from tests.report.samples import (
    EVERY,
    NASTY,
    NO_EVENTS,
    NO_GRAPH,
    RESNET50,
    VOVNET39,
    cost,
    gpu_record,
    latency,
    op,
    record,
)

GPU_ENERGY = gpu_record("net", 10**9, 0.001)
FLOPS, WALL_S = attrgetter("cost.flops"), attrgetter("latency.wall.median_s")
MANY = [record(f"net{n}", n * 1_000_000_000, 0.01 * (n % 3 + 1) + 0.001 * n) for n in range(1, 10)]


def titled(name: str, params: int, wall_s: float):
    return record(name, 4_000_000_000, wall_s, cost=cost(4_000_000_000, params=params))


TRAINED = [
    titled("resnet50", 25_557_032, 0.05),
    titled("densenet121", 7_978_856, 0.06),
    titled("vgg19", 143_667_240, 0.04),
    titled("darknet53", 41_609_928, 0.03),
]


def test_the_rank_correlation_is_that_of_an_independent_program():
    plot = predictors(MANY, "")
    assert plot is not None
    assert len(plot.panels) == len(PREDICTORS)
    flops = next(panel for panel in plot.panels if panel.x.title == "FLOPs (G)")
    expected = spearmanr([p.x for p in flops.points], [p.y for p in flops.points]).statistic
    assert flops.title == f"FLOPs: ρ = {expected:.2f}, n = 9"
    found = [one.rho for one in correlations(MANY, COLUMNS["wall_s"])]
    assert found == sorted(found, reverse=True)


def test_a_plot_of_the_thesis_holds_every_record_in_the_units_of_its_axes():
    plot = predictors(MANY, "")
    assert plot is not None
    panels = {panel.x.title: panel for panel in plot.panels}
    assert panels.keys() == {
        "FLOPs (G)",
        "memory access (M elements)",
        "reduction depth",
        "traffic (M elements)",
        "operations",
    }
    assert {p.label: (p.x, p.y) for p in panels["FLOPs (G)"].points} == {
        made.workload.model: pytest.approx((FLOPS(made) / 1e9, WALL_S(made) * 1e3)) for made in MANY
    }


def test_seven_networks_make_no_correlation_and_eight_do():
    assert predictors(MANY[:7], "") is None
    assert predictors([*MANY[:7], *MANY[:7]], "") is None
    assert predictors(MANY[:8], "") is not None


def test_the_clock_is_the_device_s_where_every_record_has_it():
    on_gpu = [gpu_record(f"net{n}", n * 10**9, 0.001 * n) for n in range(1, 9)]
    plot = predictors(on_gpu, "")
    assert plot is not None
    assert plot.panels[0].y.title == "device work (ms)"


def test_accuracy_is_compared_within_one_recipe():
    panel = accuracy(TRAINED, COLUMNS["wall_s"])
    assert panel is not None
    assert panel.title == "recipe tv_in1k"
    assert {point.label for point in panel.points} == {"resnet50", "densenet121", "vgg19"}  # darknet53's is another
    assert accuracy(TRAINED[:2], COLUMNS["wall_s"]) is None


def test_an_accuracy_that_its_authors_report_is_hollow():
    panel = accuracy([*TRAINED, titled("vovnet39", 22_600_296, 0.05)], COLUMNS["wall_s"])
    assert panel is not None
    assert [point.label for point in panel.points if point.hollow] == ["vovnet39"]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=30))
def test_a_point_is_on_the_front_or_beaten_by_one_that_is(points):
    front = pareto(points)
    assert set(front) <= set(points)
    for x, y in points:
        assert any(fx <= x and fy >= y for fx, fy in front)
    for one, other in pairwise(front):
        assert one[0] <= other[0]
        assert one[1] < other[1]


def ceiling_record(model: str, flops: int, traffic: int, wall_s: float):
    made = ModelCost(1, 4, 0, "meta", (op("", "linear" if flops else "clone", flops, 0, traffic),))
    return record(model, 4_000_000, 1.0, cost=made, latency=Latencies(latency(wall_s, n=1), NO_EVENTS, NO_GRAPH))


PRODUCT_RUN = ceiling_record(PRODUCT, 8_000_000_000, 12_000_000, 0.02)  # 400 GFLOP/s
COPY_RUN = ceiling_record(COPY, 0, 100_000_000, 0.02)  # 4 bytes an element: 20 GB/s


def test_the_roof_is_the_product_and_the_copy_and_bends_where_they_meet():
    networks, (ceiling,) = split_ceilings([RESNET50, PRODUCT_RUN, VOVNET39, COPY_RUN])
    assert networks == [RESNET50, VOVNET39]
    plot = roofline([Alike(tuple(networks), "")], "", ceiling)
    assert plot is not None
    (roof,) = plot.panels[0].lines
    assert roof.points[1] == pytest.approx((20, 400))
    assert [y / x for x, y in roof.points[:2]] == pytest.approx([20, 20])
    assert roof.points[2][1] == pytest.approx(400)
    achieved = [point.y for point in plot.panels[0].points]
    assert achieved == pytest.approx([FLOPS(made) / WALL_S(made) / 1e9 for made in (RESNET50, VOVNET39)])


def test_the_roof_may_have_been_measured_with_the_layers_of_a_network():
    times = LayerTimes("operations", 3, (), 0.0, Ceilings(5e11, 2e10), 1.0)
    networks, (ceiling,) = split_ceilings([replace(RESNET50, layer_times=times), VOVNET39])
    assert len(networks) == 2
    assert (ceiling.flops_per_s, ceiling.bytes_per_s) == (5e11, 2e10)


def test_a_roof_is_of_one_precision_and_needs_both_its_parts():
    half = replace(PRODUCT_RUN, workload=replace(PRODUCT_RUN.workload, precision="fp16"))
    assert split_ceilings([RESNET50, half, COPY_RUN]) == ([RESNET50], [])
    half_copy = replace(COPY_RUN, workload=replace(COPY_RUN.workload, precision="fp16"))
    _, (ceiling,) = split_ceilings([half, half_copy])
    assert roofline([Alike((RESNET50, VOVNET39), "")], "", ceiling) is None


def test_a_product_is_no_network_of_the_other_plots():
    plots = {plot.name: plot for plot in draw([*MANY, PRODUCT_RUN, COPY_RUN])}
    assert {"thesis", "roofline"} <= plots.keys()
    assert {point.label for point in plots["thesis"].panels[0].points} == {made.workload.model for made in MANY}


def test_latency_against_batch_is_an_image_s_share_of_the_call():
    def at(batch: int, wall_s: float):
        workload = replace(RESNET50.workload, batch=batch, inputs=(f"{batch}x3x224x224:float32",))
        return replace(RESNET50, workload=workload, latency=Latencies(latency(wall_s, n=1), NO_EVENTS, NO_GRAPH))

    (plot,) = batches([at(8, 0.16), at(1, 0.05)], "")
    (line,) = plot.panels[0].lines
    assert [x for x, _ in line.points] == [1, 8]
    assert [y for _, y in line.points] == pytest.approx([50, 20])
    assert plot.panels[0].x.ticks == (1, 8)
    assert batches([at(1, 0.05)], "") == []


def test_a_stack_is_as_long_as_the_model_s_traffic_and_has_no_gap():
    rows = tuple(op(f"m{n}", f"kind{n}", n, n, 1_000_000 * n) for n in range(1, 10))
    made = replace(VOVNET39, cost=ModelCost(1, 4, 0, "meta", rows))
    (plot,) = kinds([Alike((made, replace(made, workload=replace(made.workload, model="vovnet57"))), "")], "")
    flops, traffic, ops = plot.panels
    for panel, whole in ((flops, 45e-9), (traffic, 45), (ops, 9)):
        bars = [bar for bar in panel.bars if bar.row == 0]
        assert bars[0].start == 0
        assert all(one.end == other.start for one, other in pairwise(bars))
        assert bars[-1].end == pytest.approx(whole)
    assert len(plot.series) == 6


def test_a_long_trace_is_thinned_but_keeps_its_ends_and_every_outlier():
    samples = [0.01 + 1e-5 * (n % 7) for n in range(5000)]
    samples[1234] = 0.02
    made = replace(latency(0.01), samples_s=tuple(samples))
    (panel,) = trace(replace(RESNET50, latency=Latencies(made, NO_EVENTS, NO_GRAPH)))
    line = panel.lines[0].points
    assert len(line) <= MAX_SAMPLES + 1
    assert (line[0][0], line[-1][0]) == (1, 5000)
    assert [point.x for point in panel.points if point.series == "outliers"] == [1235]
    assert [point.x for point in panel.points if point.series == "first calls"] == [-3, -2, -1]


def test_spread_puts_the_least_steady_first():
    noisy = replace(latency(0.05), samples_s=tuple(0.05 * (1 + 0.2 * (n % 5)) for n in range(40)))
    noisy_record = record("noisy", 4_000_000, 1.0, latency=Latencies(noisy, NO_EVENTS, NO_GRAPH))
    plot = spread([Alike((RESNET50, noisy_record), "")], "")
    assert plot is not None
    assert plot.panels[0].rows == ("noisy", "resnet50")


def test_records_of_two_machines_or_batches_share_no_panel_but_the_batches():
    for plot in draw(EVERY):
        for panel in plot.panels:
            machines = {("cuda" if "GPU" in plot.caption else "cpu") for _ in panel.points}
            assert len(machines) <= 1
    names = [plot.name for plot in draw(EVERY)]
    assert len(set(names)) == len(names)


sizes = st.floats(0.01, 1e4)
points = st.lists(
    st.builds(
        Point,
        sizes,
        sizes,
        st.sampled_from("abc"),
        st.text(min_size=1, max_size=40),
        spread=st.none() | st.tuples(sizes, sizes),
    ),
    min_size=1,
    max_size=40,
)


@given(points, st.booleans())
def test_every_mark_and_label_is_within_the_panel(marks: list[Point], log: bool):
    layout = arrange(Panel("", Axis("x", log=log), Axis("y", log=log), tuple(marks)))
    for mark in marks:
        assert layout.x.start <= layout.x.at(mark.x) <= layout.x.end
        assert layout.y.end <= layout.y.at(mark.y) <= layout.y.start
    for label in layout.labels:
        assert 0 <= label.x <= layout.width
        assert 0 <= label.y <= layout.height
    assert len(layout.labels) <= len(marks)


@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e5), st.booleans())
def test_ticks_lie_on_the_axis_in_order_and_say_where_they_are(low: float, factor: float, log: bool):
    scale = Scale(low, low * factor, log, 0, 100)
    ticks = scale.ticks
    assert list(ticks) == sorted(set(ticks))
    assert 2 <= len(ticks) <= 20
    for tick in ticks:
        assert -1e-6 <= scale.at(tick) <= 100 + 1e-6
        assert float(tick_text(tick)) == pytest.approx(tick, rel=1e-4, abs=1e-9)


def test_a_legend_has_every_series_and_none_where_there_is_one():
    names = [f"family{n}" for n in range(30)]
    styles = {name: number for number, name in enumerate(names)}
    assert [entry.name for entry in legend(styles, 440).entries] == names
    assert max(entry.x for entry in legend(styles, 440).entries) < 440
    assert legend({names[0]: 0}, 440).entries == ()


def test_a_family_has_one_style_in_every_plot_and_shares_it_with_no_other():
    assert {entry.family for entry in catalogue.entries().values()} < STYLES.keys()
    assert len({(n % len(svg.LIGHT), n % len(svg.SHAPES)) for n in STYLES.values()}) == len(STYLES)
    trained = [replace(made, energy=GPU_ENERGY.energy) for made in TRAINED]
    for plot in (*draw(trained), *leading(alike(trained))):
        of_families = {name: style for name, style in plot.styles.items() if name in STYLES}
        assert all(STYLES[name] == style for name, style in of_families.items())


def test_a_series_without_a_style_of_its_own_takes_no_other_s():
    panel = Panel("", Axis("x"), Axis("y"), tuple(Point(1, 1, name) for name in ("new", "vovnet", "newer")))
    styles = Plot("", "", "", (panel,), fixed=STYLES).styles
    assert styles["vovnet"] == STYLES["vovnet"]
    assert len(set(styles.values())) == 3


def test_groups_are_named_by_what_tells_them_apart():
    def at(batch: int, size: int, count: int):
        inputs = (f"{batch}x3x{size}x{size}:float32",)
        return [
            replace(made, workload=replace(made.workload, batch=batch, inputs=inputs, model=f"net{n}"))
            for n, made in enumerate([RESNET50] * count)
        ]

    groups = alike([*at(1, 224, 2), *at(8, 224, 4), *at(1, 320, 3)])
    assert [group.about for group in groups] == ["batch 8, 3x224x224", "batch 1, 3x320x320", "batch 1, 3x224x224"]
    assert [group.about for group in told_apart([groups[0], groups[2]])] == ["batch 8", "batch 1"]
    assert [group.about for group in told_apart(groups[:1])] == [""]


def test_a_picture_is_well_formed_whatever_a_model_is_called():
    plot = predictors(
        [replace(made, workload=replace(made.workload, model=NASTY + str(n))) for n, made in enumerate(MANY)], ""
    )
    assert plot is not None
    root = ET.fromstring(svg.file(plot))
    titles = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert sum("<script>alert(1)</script>" in title for title in titles) == len(PREDICTORS) * len(MANY)
    assert root.find(".//{http://www.w3.org/2000/svg}script") is None


def test_a_picture_looks_like_this(golden: Golden):
    marks = (Point(1, 2, "a", "one", "one\n1, 2"), Point(10, 3, "b", "two", "two", spread=(2.5, 3.5), hollow=True))
    panel = Panel("Title", Axis("x (s)", log=True), Axis("y"), marks, (Line(((1, 2), (10, 3)), dashed=True),))
    golden("plot.svg", svg.file(Plot("plot", "Plot", "caption", (panel,))))


def test_png_is_as_large_as_the_layout_says(tmp_path: Path):
    plots = {plot.name: plot for plot in draw([*MANY, *EVERY])}
    for name in ("thesis", "spread", "batches"):
        header = image.draw(plots[name])[:24]
        assert header.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", header[16:])
        drawn = sheet(plots[name])
        assert (width, height) == (pytest.approx(2 * drawn.width, abs=2), pytest.approx(2 * drawn.height, abs=2))


@pytest.mark.parametrize("width_mm", [60, 85, 170])
def test_an_image_is_as_wide_as_a_paper_s_column_in_either_form(width_mm: float):
    plot = predictors(MANY, "")
    assert plot is not None
    width, _ = struct.unpack(">II", image.draw(plot, "png", width_mm)[16:24])
    assert width == pytest.approx(200 * width_mm / 25.4, abs=2)  # 200 pixels an inch
    pdf = image.draw(plot, "pdf", width_mm)
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
    assert box is not None
    assert float(box[1]) == pytest.approx(72 * width_mm / 25.4, abs=0.5)
    assert pdf == image.draw(plot, "pdf", width_mm)


@pytest.mark.parametrize("number", range(1, 8))
def test_panels_of_a_picture_lie_beside_and_below_each_other_and_fit_a_page(number: int):
    marks = (Point(1, 2, "a", "one"), Point(10, 3, "b", "two"))
    drawn = sheet(Plot("plot", "Plot", "", (Panel("Title", Axis("x"), Axis("y"), marks),) * number))
    corners = [(one.left, one.top) for one in drawn.panels]
    assert len(set(corners)) == number
    for one, other in pairwise(drawn.panels):
        assert other.left == one.left + one.layout.width or other.top == one.top + one.layout.height
    assert max(one.left + one.layout.width for one in drawn.panels) <= drawn.width <= 900
    assert max(one.top + one.layout.height for one in drawn.panels) == drawn.above


def test_png_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(image, "available", lambda: False)
    with pytest.raises(UserError, match=r"backbone-bench\[plot\]"):
        image.draw(draw(EVERY)[0])
