"""Published accuracy against latency or energy, within the training recipe that most of the networks share."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backbone_bench.records import Record
from backbone_bench.report.drawing.plot import Axis, Line, Panel
from backbone_bench.report.plots.points import RecordPoint, enough_models, record_points
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views import top1
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.families import family


class Contest(NamedTuple):
    """Networks of one training recipe as points of accuracy against a cost."""

    recipe: str
    points: tuple[RecordPoint, ...]


def contest(records: Sequence[Record], cost: Column[Record]) -> Contest | None:
    """The networks of the recipe that most of them share; None if they are too few."""
    found = record_points(records, cost, COLUMNS["top1_fraction"])
    if not found:
        return None
    recipe, _ = Counter(_recipe(point.record) for point in found).most_common(1)[0]
    shown = tuple(point for point in found if _recipe(point.record) == recipe)
    return Contest(recipe, shown) if enough_models(shown) else None


def panel(records: Sequence[Record], cost: Column[Record], about: str = "") -> Panel | None:
    """Draw accuracy against a cost with the Pareto front; hollow: the accuracy that a network's authors report."""
    found = contest(records, cost)
    if found is None:
        return None
    points = tuple(
        point.point(family(point.record))._replace(hollow=_is_of_authors(point.record)) for point in found.points
    )
    front = Line(pareto([(point.x, point.y) for point in points]), detail="Pareto front", dashed=True)
    axes = Axis(cost.heading, log=True), Axis(COLUMNS["top1_fraction"].heading)
    return Panel(", ".join(filter(None, (about, f"recipe {found.recipe}"))), *axes, points, (front,))


CAPTION = (
    "Accuracy as published for weights of one training recipe, not measured here; hollow: as the network's authors "
    "report it. Dashed: the Pareto front."
)


def _recipe(record: Record) -> str:
    found = top1.published_top1(record)
    return found.recipe if isinstance(found, top1.Top1) else ""


def _is_of_authors(record: Record) -> bool:
    found = top1.published_top1(record)
    return isinstance(found, top1.Top1) and found.tested_by == "authors"


def pareto(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The Pareto front for small x and large y: the points that no other point dominates, sorted by x."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return tuple(front)
