"""The history of a quantity: its change points, each with the commit, and a sparkline.

Records of different machines never share a history. One history is a table of
its records; several are one table with a row for each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from statistics import fmean

from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import percent
from backbone_bench.records import Record, fingerprint, matching, store
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.tables.answer import Answer, AnswerPart
from backbone_bench.report.tables.table import Column, Table, tabulate, without_empty
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import machine
from backbone_bench.stats.changes import ChangePoint, change_points, steps

_WIDEST = 40  # values in the sparkline of an overview
_BARS = "▁▂▃▄▅▆▇█"
# Without --metric a table shows the first of these that its records have.
_PREFERRED = ("graph_s", "wall_s", "gross_per_image_j", "flops")


def answer(records: Sequence[Record], metric: str | None = None) -> Answer:
    """Make one table per history for people, one table in all for programs, and the records as JSON."""

    def exact() -> list[Table]:
        rows = [record for group in histories(records) for record in group]
        return [tabulate(rows, _for_programs(metric or _chosen(rows)))]

    return Answer(
        parts=lambda: _parts(courses(records, metric)),
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


def _parts(found: Sequence["Course"]) -> list[AnswerPart]:
    return [_table(found[0])] if len(found) == 1 else [_overview(found)]


def courses(records: Iterable[Record], metric: str | None = None) -> "list[Course]":
    """The histories of records; without a quantity each shows the best that its records have."""
    return [Course(group, metric or _chosen(group)) for group in histories(records)]


@dataclass(frozen=True)
class Course:
    """The records of one workload on one kind of machine, and the quantity to follow."""

    group: Sequence[Record]
    metric: str

    @cached_property
    def measured(self) -> list[tuple[Record, float]]:
        """The records that have the quantity, taken as in the newest one, with its value."""
        column = COLUMNS[self.metric]
        found = [(record, value) for record in self.group if isinstance(value := column.value(record), int | float)]
        if column.taken is None or not found:
            return found
        newest = column.taken(found[-1][0])
        return [(record, value) for record, value in found if column.taken(record) == newest]

    @cached_property
    def values(self) -> list[float]:
        return [value for _, value in self.measured]

    @cached_property
    def changes(self) -> Sequence[ChangePoint]:
        """Where the level changes; of a count, which has no noise, wherever it is another."""
        quantity = QUANTITIES.get(self.metric)
        return steps(self.values) if quantity is not None and quantity.exact else change_points(self.values)

    @property
    def levels(self) -> list[float]:
        """The levels before, between and after the change points."""
        if not self.changes:
            return [fmean(self.values)]
        return [self.changes[0].before, *(change.after for change in self.changes)]

    def commit(self, change: ChangePoint) -> str:
        """The commit of the first record of the new level in nine characters; empty if it is not known."""
        return _short(self.measured[change.start][0])

    def sentence(self, change: ChangePoint) -> str:
        """`+4.9 % at 1a2b3c4 (after 0f9e8d7), 2026-11-12`."""
        (before, _), (record, _) = self.measured[change.start - 1 : change.start + 1]
        at = f" at {_short(record)}" if record.commit else ""
        after = f" (after {_short(before)})" if before.commit else ""
        return f"{percent(change.ratio if change.before else None)}{at}{after}, {record.started_utc[:10]}"


def _short(record: Record) -> str:
    """The commit of a record in nine characters, `+` for changes."""
    return f"{record.commit.rstrip('+')[:9]}{'+' * record.commit.endswith('+')}"


def _overview(found: Sequence[Course]) -> Table:
    """One row for each history, those with the latest change points first."""
    rows = sorted(found, key=lambda one: one.measured[one.changes[-1].start][0].started_utc if one.changes else "")
    machines = {machine(one.group[0]) for one in found}
    if len(machines) > 1:
        return without_empty(tabulate(rows[::-1], _OVERVIEW))
    columns = [column for column in _OVERVIEW if column is not _MACHINE]
    return without_empty(tabulate(rows[::-1], columns, caption=f"{machines.pop()}."))


def _overall(one: Course) -> str:
    values = one.values
    return percent(values[-1] / values[0]) if values and values[0] else ""


_MACHINE: Column[Course] = Column("machine", "machine", lambda one: machine(one.group[0]))
_OVERVIEW: tuple[Column[Course], ...] = (
    Column("model", "workload", lambda one: matching.subject(one.group[0].workload)),
    _MACHINE,
    Column("metric", "quantity", lambda one: COLUMNS[one.metric].title),
    Column("records", "records", lambda one: str(len(one.values))),
    Column("course", "course", lambda one: sparkline(one.values[-_WIDEST:])),
    Column("change", "last to first", _overall),
    Column("changes", "change points", lambda one: "; ".join(map(one.sentence, one.changes[::-1]))),
)


def _table(one: Course) -> Table:
    group, metric = one.group, one.metric
    title = f"{matching.subject(group[0].workload)}: {COLUMNS[metric].title}"
    caption = f"{sparkline(one.values)} {machine(group[0])}.".lstrip()
    changes = "; ".join(map(one.sentence, one.changes))
    remarks = (f"Change points: {changes}.",) if changes else ()
    table = without_empty(tabulate(group, _columns(metric, group)))
    return replace(table, title=title, caption=caption, remarks=(*table.remarks, *remarks))


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
_COMMIT: Column[Record] = Column("git", "commit", attrgetter("commit"))
