"""The choice of plots for a set of records; a plot with too few points is left out.

A latency axis shows the device's work if every record has it, else wall latency,
and its title says which. Records with different conditions never share a panel,
except in the plot of latency against batch.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record
from backbone_bench.report.drawing.plot import Axis, Line, Panel, Plot, Point
from backbone_bench.report.plots.kinds import kinds
from backbone_bench.report.plots.points import enough_models, latency_column, number, record_points
from backbone_bench.report.plots.roofline import roofline, split_ceilings
from backbone_bench.report.plots.samples import spread
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views import top1
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import conditions, environment_groups
from backbone_bench.report.views.families import family
from backbone_bench.stats.correlation import rank_correlation

PREDICTORS = ("flops", "access_elems", "traffic_elems", "ops")  # counts that are said to predict latency


def draw(records: Sequence[Record]) -> tuple[Plot, ...]:
    """Make every plot that the records have enough data for, one environment after another, under unique names."""
    plots: list[Plot] = []
    for group in environment_groups(records):
        networks, ceilings = split_ceilings(group.records)
        for members in by_conditions(networks):
            caption = environment_groups(members)[0].caption
            plots += [plot for make in (predictors, accuracy, energy, spread) if (plot := make(members, caption))]
            plots += [plot for ceiling in ceilings if (plot := roofline(members, caption, ceiling))]
            plots += kinds(members, caption)
        plots += batches(networks, group.caption)
    return _uniquely_named(plots)


def _uniquely_named(plots: Iterable[Plot]) -> tuple[Plot, ...]:
    used: Counter[str] = Counter()
    named = []
    for plot in plots:
        used[plot.name] += 1
        named.append(plot.renamed(f"{plot.name}-{used[plot.name]}") if used[plot.name] > 1 else plot)
    return tuple(named)


def by_conditions(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Group the records by conditions, in order of first appearance."""
    return iter(group_by(records, conditions).values())


def predictors(records: Sequence[Record], caption: str) -> Plot | None:
    """Plot latency against FLOPs, memory access, traffic and operations, each with its rank correlation."""
    up = latency_column(records)
    panels = []
    for key in PREDICTORS:
        across = COLUMNS[key]
        if enough_models(found := record_points(records, across, up)):
            rho = rank_correlation([point.x for point in found], [point.y for point in found])
            title = f"{across.title}: rank correlation {rho:.2f}, n = {len(found)}"
            points = tuple(point.point(family(point.record)) for point in found)
            panels.append(Panel(title, Axis(across.heading, log=True), Axis(up.heading, log=True), points))
    if not panels:
        return None
    return Plot(
        "thesis", "What predicts latency?", f"Spearman's rank correlation with latency. {caption}", tuple(panels)
    )


def accuracy(records: Sequence[Record], caption: str) -> Plot | None:
    """Plot published accuracy against latency, within the training recipe that most of these networks share."""
    return _accuracy(records, latency_column(records), "accuracy", "Accuracy against latency", caption)


def energy(records: Sequence[Record], caption: str) -> Plot | None:
    """Plot published accuracy against energy per image, within one training recipe as for latency."""
    return _accuracy(records, COLUMNS["gross_per_image_j"], "energy", "Accuracy against energy", caption)


def _accuracy(records: Sequence[Record], across: Column[Record], name: str, title: str, caption: str) -> Plot | None:
    up = COLUMNS["top1_fraction"]
    found = record_points(records, across, up)
    recipes = Counter(_recipe(point.record) for point in found)
    if not found:
        return None
    recipe, _ = recipes.most_common(1)[0]
    shown = [point for point in found if _recipe(point.record) == recipe]
    if not enough_models(shown):
        return None
    points = tuple(point.point(family(point.record)) for point in shown)
    front = Line(pareto([(point.x, point.y) for point in shown]), detail="Pareto front", dashed=True)
    panel = Panel(f"Recipe {recipe}", Axis(across.heading, log=True), Axis(up.heading), points, (front,))
    source = f"Accuracy as published for the training recipe {recipe}, not measured here; dashed: the Pareto front."
    return Plot(name, title, f"{source} {caption}", (panel,))


def _recipe(record: Record) -> str:
    found = top1.published_top1(record)
    return found.recipe if isinstance(found, top1.Top1) else ""


def pareto(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The Pareto front for small x and large y: the points that no other point dominates, sorted by x."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return tuple(front)


def batches(records: Iterable[Record], caption: str) -> list[Plot]:
    """Plot latency per image against batch, one line per model; one plot per set of other conditions."""
    plots = []
    for group in group_by(records, lambda record: conditions(record)[1:]).values():  # all but the batch
        up = latency_column(group)
        lines, points = [], []
        for model, members in group_by(group, lambda record: record.workload.model).items():
            curve = _curve(members, up)
            if len({x for x, _ in curve}) > 1:
                lines.append(Line(tuple(curve), model, model))
                points += [Point(x, y, model, detail=f"{model}\nbatch {x:g}\n{y:.4g} ms per image") for x, y in curve]
        if lines:
            axes = (
                Axis("batch", log=True, ticks=tuple(sorted({point.x for point in points}))),
                Axis(f"{up.title} per image (ms)", log=True),
            )
            panel = Panel("Latency per image", *axes, tuple(points), tuple(lines))
            plots.append(Plot("batches", "Latency against batch", caption, (panel,)))
    return plots


def _curve(records: Iterable[Record], up: Column[Record]) -> list[tuple[float, float]]:
    known = [(record.workload.batch, y) for record in records if (y := number(up, record))]
    return sorted((float(batch), y / batch) for batch, y in known)
