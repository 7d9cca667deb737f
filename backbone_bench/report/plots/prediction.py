"""What predicts latency: the rank correlation of each count with it, over networks under the same conditions."""

from collections.abc import Sequence
from typing import NamedTuple

from backbone_bench.records import Record
from backbone_bench.report.drawing.plot import Axis, Panel
from backbone_bench.report.plots.alike import Alike, told_apart
from backbone_bench.report.plots.points import count_models, record_points
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.families import family
from backbone_bench.stats.correlation import rank_correlation

PREDICTORS = ("reduction_depth", "flops", "access_elems", "traffic_elems", "ops")  # counts said to predict latency
FEWEST_RANKED = 8  # networks of a rank correlation; that of four is 1.00 by chance once in twelve times


class CountCorrelation(NamedTuple):
    """Rank correlation of a count with a measured quantity over networks."""

    predictor: Column[Record]
    measured: Column[Record]
    rho: float
    networks: int


def ranked(groups: Sequence[Alike]) -> list[Alike]:
    """The groups with networks enough for a rank correlation, told apart from each other."""
    return told_apart([group for group in groups if group.models >= FEWEST_RANKED])


def correlations(records: Sequence[Record], measured: Column[Record]) -> tuple[CountCorrelation, ...]:
    """The correlation of each predictor with a quantity, the largest first; none with fewer than eight networks."""
    found = [one for key in PREDICTORS if (one := correlation(records, COLUMNS[key], measured))]
    return tuple(sorted(found, key=lambda one: -one.rho))


def correlation(records: Sequence[Record], count: Column[Record], measured: Column[Record]) -> CountCorrelation | None:
    """The rank correlation of one count with a quantity; None with fewer than eight networks."""
    points = record_points(records, count, measured)
    if (networks := count_models(points)) < FEWEST_RANKED:
        return None
    return CountCorrelation(
        count, measured, rank_correlation([point.x for point in points], [point.y for point in points]), networks
    )


def panel(records: Sequence[Record], found: CountCorrelation, about: str = "") -> Panel:
    """Draw a measured quantity against a count; `about` tells the panel from others of its plot."""
    points = tuple(
        point.point(family(point.record)) for point in record_points(records, found.predictor, found.measured)
    )
    title = f"{found.predictor.title}: ρ = {found.rho:.2f}, n = {found.networks}"
    axes = Axis(found.predictor.heading, log=True), Axis(found.measured.heading, log=True)
    return Panel(f"{about}, {title}" if about else title, *axes, points)
