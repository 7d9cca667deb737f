"""Records as points of a plot: one quantity along x, one along y, in the units of their columns."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backbone_bench.records import Record
from backbone_bench.report.drawing.plot import Point
from backbone_bench.report.tables.table import Bounds, Column
from backbone_bench.report.views.columns import COLUMNS

MIN_MODELS = 3  # in a plot: two points always lie on a line


class RecordPoint(NamedTuple):
    """A record as a point: two positive numbers, in the units of their axes."""

    record: Record
    x: float
    y: float
    detail: str
    spread: Bounds | None  # the 95 % confidence interval of y

    def point(self, series: str) -> Point:
        return Point(self.x, self.y, series, self.record.workload.model, self.detail, self.spread)


def record_points(records: Iterable[Record], x: Column[Record], y: Column[Record]) -> list[RecordPoint]:
    """Make a point of every record that has both quantities, neither of them zero."""
    points = []
    for record in records:
        across, up = number(x, record), number(y, record)
        if across and up:
            detail = "\n".join((record.workload.model, in_words(x, record), in_words(y, record)))
            points.append(RecordPoint(record, across, up, detail, confidence_interval(y, record)))
    return points


def number(column: Column[Record], record: Record) -> float | None:
    """A quantity in the unit of its column; None if it is missing."""
    value = column.value(record)
    if not isinstance(value, int | float) or column.unit is None:
        return None
    return value * column.unit.per_base


def in_words(column: Column[Record], record: Record) -> str:
    """A quantity as a line of a tooltip: `wall latency (ms) 51.02`."""
    value = column.value(record)
    written = column.unit.write(value) if column.unit and isinstance(value, int | float) else "unknown"
    return f"{column.heading} {written}"


def confidence_interval(column: Column[Record], record: Record) -> Bounds | None:
    """The 95 % confidence interval of a quantity in the unit of its column; None if there is none."""
    bounds = column.interval(record) if column.interval else None
    if not isinstance(bounds, tuple) or column.unit is None:
        return None
    return bounds[0] * column.unit.per_base, bounds[1] * column.unit.per_base


def latency_column(records: Iterable[Record]) -> Column[Record]:
    """The latency that a plot shows: the device's work if every record of a GPU has it, else wall latency."""
    work = COLUMNS["device_work_s"]
    is_known = all(number(work, record) and not record.environment.is_host for record in records)
    return work if is_known else COLUMNS["wall_s"]


def count_models(points: Sequence[RecordPoint]) -> int:
    return len({point.record.workload.model for point in points})


def enough_models(points: Sequence[RecordPoint]) -> bool:
    return count_models(points) >= MIN_MODELS
