"""Records as points of a plot: two quantities each, in the units of their columns."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backbone_bench.records import Record
from backbone_bench.report.drawing.plot import Point
from backbone_bench.report.tables.table import Bounds, Column
from backbone_bench.report.views.columns import COLUMNS

FEWEST = 3  # models: two points always lie on a line


class RecordPoint(NamedTuple):
    """A record as a point: two numbers above zero, in the units of their axes."""

    record: Record
    x: float
    y: float
    detail: str
    spread: Bounds | None

    def point(self, series: str) -> Point:
        return Point(self.x, self.y, series, self.record.workload.model, self.detail, self.spread)


def record_points(records: Iterable[Record], x: Column[Record], y: Column[Record]) -> list[RecordPoint]:
    """The records that have both quantities."""
    seen = []
    for record in records:
        across, up = number(x, record), number(y, record)
        if across and up:
            detail = "\n".join((record.workload.model, said(x, record), said(y, record)))
            seen.append(RecordPoint(record, across, up, detail, interval(y, record)))
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


def enough(seen: Sequence[RecordPoint]) -> bool:
    return len({one.record.workload.model for one in seen}) >= FEWEST
