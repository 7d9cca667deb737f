"""The history of a quantity: one table per workload and fingerprint, with a sparkline.

Records of different machines never share a history. No change point is
detected; the reader has to see a step in the table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import percent
from backbone_bench.records import Record, fingerprint, matching, store
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.table import Column, Table, tabulate, without_empty
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import machine

_BARS = "▁▂▃▄▅▆▇█"
# Without --metric a table shows the first of these that its records have.
_PREFERRED = ("graph_s", "wall_s", "gross_per_image_j", "flops")


def answer(records: Sequence[Record], metric: str | None = None) -> Answer:
    """Make one table per history for people, one table in all for programs, and the records as JSON."""

    def exact() -> list[Table]:
        rows = [record for group in histories(records) for record in group]
        return [tabulate(rows, _for_programs(metric or _chosen(rows)))]

    return Answer(
        parts=lambda: [_table(group, metric or _chosen(group)) for group in histories(records)],
        exact=exact,
        json=lambda: store.dumps(records),
        jsonl=lambda: store.dump_lines(records),
    )


def histories(records: Iterable[Record]) -> list[list[Record]]:
    """Group records by fingerprint (workload and kind of machine), the oldest first."""
    in_order = sorted(records, key=attrgetter("started_utc"))
    return list(group_by(in_order, _fingerprint).values())


def _fingerprint(record: Record) -> str:
    return fingerprint.digest(record.workload, record.environment)


def _chosen(group: Sequence[Record]) -> str:
    available = (
        key for key in _PREFERRED if any(isinstance(COLUMNS[key].value(record), int | float) for record in group)
    )
    return next(available, _PREFERRED[-1])


def _table(group: Sequence[Record], metric: str) -> Table:
    values = [value for record in group if isinstance(value := COLUMNS[metric].value(record), int | float)]
    title = f"{matching.subject(group[0].workload)}: {COLUMNS[metric].title}"
    caption = f"{sparkline(values)} {machine(group[0])}.".lstrip()
    return replace(without_empty(tabulate(group, _columns(metric, group))), title=title, caption=caption)


def sparkline(values: Sequence[float]) -> str:
    """Draw the values as bars of eight heights, scaled to their range.

    >>> sparkline([1.0, 2.0, 3.0])
    '▁▅█'
    """
    if not values:
        return ""
    low, high = min(values), max(values)
    span = high - low or 1
    return "".join(_BARS[min(len(_BARS) - 1, int((value - low) / span * len(_BARS)))] for value in values)


def _columns(metric: str, group: Sequence[Record]) -> tuple[Column[Record], ...]:
    column = COLUMNS[metric]
    taken = column.taken or (lambda record: "")
    first: dict[str, float] = {}  # the first value of each way of taking it
    for record in group:
        if isinstance(value := column.value(record), int | float):
            first.setdefault(taken(record), value)

    def change(record: Record) -> str:
        value, start = column.value(record), first.get(taken(record))
        return percent(value / start) if start and isinstance(value, int | float) else ""

    return (
        _STARTED,
        _COMMIT,
        COLUMNS[metric]._replace(better=None),
        *_half_width(metric),
        Column("change", "change from the first", change),
        COLUMNS["flags"],
    )


def _for_programs(metric: str) -> tuple[Column[Record], ...]:
    digest = Column[Record]("fingerprint", "fingerprint", _fingerprint)
    return (COLUMNS["model"], digest, _STARTED, _COMMIT, COLUMNS[metric], *_half_width(metric), COLUMNS["record"])


def _half_width(metric: str) -> tuple[Column[Record], ...]:
    """The column with half of the 95 % confidence interval; none if the quantity has no interval."""
    key = QUANTITIES[metric].half_width if metric in QUANTITIES else ""
    return (COLUMNS[key],) if key else ()


_STARTED: Column[Record] = Column("started_utc", "started (UTC)", attrgetter("started_utc"))
_COMMIT: Column[Record] = Column("git", "commit", lambda record: record.tool.git or "")
