"""Which pictures a set of records makes; one that has too little to show is not drawn.

A latency is that of the device where every record has one, else of the wall
clock, and its axis says which. Records of unlike circumstances never share a
panel, but for the plot that is about the batch.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record
from backbone_bench.report.drawing.plot import Axis, Line, Panel, Plot, Point
from backbone_bench.report.plots.kinds import kinds
from backbone_bench.report.plots.points import clock, enough, number, record_points
from backbone_bench.report.plots.roofline import roofline, told_apart
from backbone_bench.report.plots.samples import spread
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views import top1
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import conditions, environment_groups
from backbone_bench.report.views.families import family
from backbone_bench.stats.correlation import rank_correlation

PREDICTORS = ("flops", "access_elems", "traffic_elems", "ops")  # counts that latency is said to follow


def draw(records: Sequence[Record]) -> tuple[Plot, ...]:
    """Every plot that the records have enough for, environment by environment; their names are unique."""
    plots: list[Plot] = []
    for place in environment_groups(records):
        networks, ceilings = told_apart(place.records)
        for alike in by_conditions(networks):
            caption = environment_groups(alike)[0].caption
            plots += [plot for make in (predictors, accuracy, spread) if (plot := make(alike, caption))]
            plots += [plot for ceiling in ceilings if (plot := roofline(alike, caption, ceiling))]
            plots += kinds(alike, caption)
        plots += batches(networks, place.caption)
    return _uniquely_named(plots)


def _uniquely_named(plots: Iterable[Plot]) -> tuple[Plot, ...]:
    seen: Counter[str] = Counter()
    named = []
    for plot in plots:
        seen[plot.name] += 1
        named.append(plot.renamed(f"{plot.name}-{seen[plot.name]}") if seen[plot.name] > 1 else plot)
    return tuple(named)


def by_conditions(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records by circumstances, in order of first appearance."""
    return iter(group_by(records, conditions).values())


def predictors(records: Sequence[Record], caption: str) -> Plot | None:
    """FLOPs, access, traffic and operations against latency: which of them puts networks in the order of the clock?"""
    up = clock(records)
    panels = []
    for key in PREDICTORS:
        across = COLUMNS[key]
        if enough(seen := record_points(records, across, up)):
            rho = rank_correlation([one.x for one in seen], [one.y for one in seen])
            title = f"{across.title}: rank correlation {rho:.2f}, n = {len(seen)}"
            points = tuple(one.point(family(one.record)) for one in seen)
            panels.append(Panel(title, Axis(across.heading, log=True), Axis(up.heading, log=True), points))
    if not panels:
        return None
    return Plot(
        "thesis", "What predicts latency?", f"Spearman's rank correlation with latency. {caption}", tuple(panels)
    )


def accuracy(records: Sequence[Record], caption: str) -> Plot | None:
    """Published accuracy against latency, within the recipe that most of these networks were trained with."""
    up, across = COLUMNS["top1_fraction"], clock(records)
    seen = record_points(records, across, up)
    recipes = Counter(_recipe(one.record) for one in seen)
    if not seen:
        return None
    recipe, _ = recipes.most_common(1)[0]
    same = [one for one in seen if _recipe(one.record) == recipe]
    if not enough(same):
        return None
    points = tuple(one.point(family(one.record)) for one in same)
    front = Line(pareto([(one.x, one.y) for one in same]), detail="Pareto front", dashed=True)
    panel = Panel(f"Recipe {recipe}", Axis(across.heading, log=True), Axis(up.heading), points, (front,))
    told = f"Accuracy as published for {recipe}, not ours; the dashed line is the Pareto front. {caption}"
    return Plot("accuracy", "Accuracy against latency", told, (panel,))


def _recipe(record: Record) -> str:
    found = top1.of(record)
    return found.recipe if isinstance(found, top1.Top1) else ""


def pareto(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The points that no other beats in both: less x, more y; by x."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return tuple(front)


def batches(records: Iterable[Record], caption: str) -> list[Plot]:
    """Latency an image against the batch, one line a model; one plot for each set of other circumstances."""
    plots = []
    for alike in group_by(records, lambda record: conditions(record)[1:]).values():
        up = clock(alike)
        lines, points = [], []
        for model, members in group_by(alike, lambda record: record.workload.model).items():
            trail = _trail(members, up)
            if len({x for x, _ in trail}) > 1:
                lines.append(Line(tuple(trail), model, model))
                points += [Point(x, y, model, detail=f"{model}\nbatch {x:g}\n{y:.4g} ms an image") for x, y in trail]
        if lines:
            axes = (
                Axis("batch", log=True, ticks=tuple(sorted({point.x for point in points}))),
                Axis(f"{up.title} an image (ms)", log=True),
            )
            panel = Panel("Latency an image", *axes, tuple(points), tuple(lines))
            plots.append(Plot("batches", "Latency against batch", caption, (panel,)))
    return plots


def _trail(records: Iterable[Record], up: Column[Record]) -> list[tuple[float, float]]:
    known = [(record.workload.batch, y) for record in records if (y := number(up, record))]
    return sorted((float(batch), y / batch) for batch, y in known)
