"""Which pictures a set of records makes; one that has too little to show is not drawn.

A latency is that of the device where every record has one, else of the wall
clock, and its axis says which. Records of unlike circumstances never share a
panel, but for the plot that is about the batch.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from backbone_bench.claims.correlation import rank_correlation
from backbone_bench.records import Record
from backbone_bench.report import top1
from backbone_bench.report.columns import COLUMNS
from backbone_bench.report.conditions import circumstances, places
from backbone_bench.report.families import family
from backbone_bench.report.figures import Axis, Line, Panel, Plot, Point
from backbone_bench.report.kinds import kinds
from backbone_bench.report.samples import spread
from backbone_bench.report.tables import Bounds, Column

FEWEST = 3  # models: two points always lie on a line


def draw(records: Sequence[Record]) -> tuple[Plot, ...]:
    """Every plot that the records have enough for, environment by environment; their names are unique."""
    plots: list[Plot] = []
    for place in places(records):
        for alike in alikes(place.records):
            caption = places(alike)[0].caption
            plots += [plot for make in (thesis, accuracy, spread) if (plot := make(alike, caption))]
            plots += kinds(alike, caption)
        plots += batches(place.records, place.caption)
    return _uniquely_named(plots)


def _uniquely_named(plots: Iterable[Plot]) -> tuple[Plot, ...]:
    seen: Counter[str] = Counter()
    named = []
    for plot in plots:
        seen[plot.name] += 1
        named.append(plot.renamed(f"{plot.name}-{seen[plot.name]}") if seen[plot.name] > 1 else plot)
    return tuple(named)


def alikes(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records by circumstances, in order of first appearance."""
    return iter(grouped(records, circumstances).values())


def grouped(records: Iterable[Record], key: Callable[[Record], object]) -> dict[object, list[Record]]:
    groups: dict[object, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


class Seen(NamedTuple):
    """A record as a point: two numbers above zero, in the units of their axes."""

    record: Record
    x: float
    y: float
    detail: str
    spread: Bounds | None

    def point(self, series: str) -> Point:
        return Point(self.x, self.y, series, self.record.workload.model, self.detail, self.spread)


def see(records: Iterable[Record], x: Column[Record], y: Column[Record]) -> list[Seen]:
    """The records that have both quantities."""
    seen = []
    for record in records:
        across, up = number(x, record), number(y, record)
        if across and up:
            detail = "\n".join((record.workload.model, said(x, record), said(y, record)))
            seen.append(Seen(record, across, up, detail, interval(y, record)))
    return seen


def number(column: Column[Record], record: Record) -> float | None:
    """A quantity in the unit of its column, None where it is missing."""
    value = column.value(record)
    if not isinstance(value, int | float) or column.unit is None:
        return None
    return value * column.unit.per_base


def said(column: Column[Record], record: Record) -> str:
    """`wall (ms) 51.02`: what a mark says of itself."""
    value = column.value(record)
    written = column.unit.write(value) if column.unit and isinstance(value, int | float) else "unknown"
    return f"{column.heading} {written}"


def interval(column: Column[Record], record: Record) -> Bounds | None:
    bounds = column.interval(record) if column.interval else None
    if not isinstance(bounds, tuple) or column.unit is None:
        return None
    return bounds[0] * column.unit.per_base, bounds[1] * column.unit.per_base


def clock(records: Iterable[Record]) -> Column[Record]:
    """Whose latency a plot is about."""
    device = COLUMNS["device_s"]
    return device if all(number(device, record) for record in records) else COLUMNS["wall_s"]


def enough(seen: Sequence[Seen]) -> bool:
    return len({one.record.workload.model for one in seen}) >= FEWEST


def thesis(records: Sequence[Record], caption: str) -> Plot | None:
    """FLOPs, access and traffic against latency: which of them puts networks in the order of the clock?"""
    up = clock(records)
    panels = []
    for key in ("flops", "access_elems", "traffic_elems"):
        across = COLUMNS[key]
        if enough(seen := see(records, across, up)):
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
    seen = see(records, across, up)
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


class Ceiling(NamedTuple):
    """What a device can do at most, measured: a matrix product and a copy."""

    flops_per_s: float  # a multiply-add counts once
    bytes_per_s: float


def roofline(records: Sequence[Record], caption: str, ceiling: Ceiling) -> Plot | None:
    """Achieved arithmetic against arithmetic per byte, below what the device was measured to be able to do."""
    across, up = COLUMNS["flops_per_byte"], COLUMNS["flops_per_s"]
    seen = see(records, across, up)
    if not seen:
        return None
    top, slope = ceiling.flops_per_s / 1e9, ceiling.bytes_per_s / 1e9
    ridge = top / slope
    low, high = min(ridge / 2, *(one.x for one in seen)), max(ridge * 2, *(one.x for one in seen))
    roof = Line(((low, low * slope), (ridge, top), (high, top)), detail=f"{top:.0f} GFLOP/s, {slope:.0f} GB/s")
    points = tuple(one.point(family(one.record)) for one in seen)
    panel = Panel("Roofline", Axis("FLOPs per byte of traffic", log=True), Axis(up.heading, log=True), points, (roof,))
    told = f"The roof is a matrix product and a copy, timed on the same device. {caption}"
    return Plot("roofline", "How near to the roof?", told, (panel,))


def batches(records: Iterable[Record], caption: str) -> list[Plot]:
    """Latency an image against the batch, one line a model; one plot for each set of other circumstances."""
    plots = []
    for alike in grouped(records, lambda record: circumstances(record)[1:]).values():
        up = clock(alike)
        lines, points = [], []
        for model, members in grouped(alike, lambda record: record.workload.model).items():
            trail = _trail(members, up)
            if len({x for x, _ in trail}) > 1:
                lines.append(Line(tuple(trail), str(model), str(model)))
                points += [
                    Point(x, y, str(model), detail=f"{model}\nbatch {x:g}\n{y:.4g} ms an image") for x, y in trail
                ]
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
