"""A table is data about records: columns that know their unit, cells that know why they are empty.

Nothing here knows Markdown, CSV or a terminal; a renderer gets a `Table` and
decides nothing but its looks. A cell that has no number carries the number of
a note with the reason; it is never 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from backbone_bench.records import Missing, Record
from backbone_bench.report.units import PLAIN, Unit

Value = str | int | float | Missing


class Column(NamedTuple):
    """One quantity of a record: what it is called, how it is found, how it is written."""

    key: str  # its name in `--columns` and in CSV, with the base unit
    title: str  # its heading, without the unit
    value: Callable[[Record], Value]
    unit: Unit | None = None  # None for text
    better: Literal["less", "more"] | None = None
    bounded: bool = False  # a lower bound where an operation of the model has no formula
    interval: Callable[[Record], tuple[float, float] | Missing] | None = None

    @property
    def heading(self) -> str:
        """The title with its unit, as people read it."""
        return f"{self.title} ({self.unit.name})" if self.unit and self.unit.name else self.title


class Cell(NamedTuple):
    """What stands in one place of a table."""

    value: str | int | float | None  # in base units; None where there is a note instead
    text: str  # as written, without marks
    note: int | None = None  # the number of the footnote that says why there is no value
    lower_bound: bool = False
    best: bool = False

    @property
    def shown(self) -> str:
        """The text with the marks that every format shares."""
        return f"–{superscript(self.note)}" if self.note else f"{'≥ ' if self.lower_bound else ''}{self.text}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that may be compared, under one caption."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()  # the first is note 1
    remarks: tuple[str, ...] = ()  # what holds for the whole table


def superscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def tabulate(records: Sequence[Record], columns: Sequence[Column], *, title: str = "", caption: str = "") -> Table:
    """One row a record, in the order given."""
    notes: dict[str, int] = {}
    rows = tuple(tuple(_cell(column, record, notes) for column in columns) for record in records)
    return Table(title, caption, tuple(columns), rows, tuple(notes))


def _cell(column: Column, record: Record, notes: dict[str, int]) -> Cell:
    value = column.value(record)
    if isinstance(value, Missing):
        note = notes.setdefault(f"{value.missing}: {value.message}", len(notes) + 1)
        return Cell(None, value.missing, note)
    if isinstance(value, str):
        return Cell(value, value)
    return Cell(value, (column.unit or PLAIN).write(value), lower_bound=column.bounded and _has_unknown(record))


def _has_unknown(record: Record) -> bool:
    return not isinstance(record.cost, Missing) and bool(record.cost.uncounted)


def without_empty(table: Table) -> Table:
    """Columns in which no row has anything go; the reasons stay, as remarks."""
    filled = [_filled(table, index) for index in range(len(table.columns))]
    kept = [index for index, full in enumerate(filled) if full]
    used = dict.fromkeys(note for row in table.rows for i in kept if (note := row[i].note))
    renumbered: dict[int | None, int] = {old: new for new, old in enumerate(used, start=1)}
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(tuple(row[i]._replace(note=renumbered.get(row[i].note)) for i in kept) for row in table.rows),
        notes=tuple(table.notes[old - 1] for old in used),
        remarks=(*table.remarks, *_absences(table, [i for i, full in enumerate(filled) if not full])),
    )


def _filled(table: Table, index: int) -> bool:
    return any(row[index].value not in (None, "") for row in table.rows)


def _absences(table: Table, indices: Sequence[int]) -> list[str]:
    """`Not measured: device (no_events: …); graph (…)`."""
    titles: dict[tuple[int, ...], list[str]] = {}
    for index in indices:
        reasons = tuple(dict.fromkeys(note for row in table.rows if (note := row[index].note)))
        if reasons and not table.columns[index].title.endswith("±"):  # goes with the quantity that it belongs to
            titles.setdefault(reasons, []).append(table.columns[index].title)
    absences = (
        f"{', '.join(names)} ({'; '.join(table.notes[reason - 1] for reason in reasons)})"
        for reasons, names in titles.items()
    )
    return [f"Not measured: {'; '.join(absences)}."] if titles else []
