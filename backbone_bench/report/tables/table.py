"""A table is data: columns that know their unit, cells that know why they are empty.

Nothing here knows Markdown, CSV or a terminal; a renderer gets a `Table` and
decides nothing but its looks. A cell that has no number carries the number of
a note with the reason; it is never 0.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from backbone_bench.base.units import PLAIN, Unit, significant
from backbone_bench.records import NOT_ASKED, Missing

T = TypeVar("T")
CellValue = str | int | float | Missing
Bounds = tuple[float, float]


class Column(NamedTuple, Generic[T]):
    """One quantity of a thing: what it is called, how it is found, how it is written."""

    key: str  # its name in `--columns` and in CSV, with the base unit
    title: str  # its heading, without the unit
    value: Callable[[T], CellValue]
    unit: Unit | None = None  # None for text
    better: Literal["less", "more"] | None = None
    lower_bound: Callable[[T], bool] | None = None  # of the quantity, where not all of it is known
    interval: Callable[[T], Bounds | Missing] | None = None
    remark: str = ""  # what a reader must know of it, said once under the table
    glossary: Callable[[Iterable[str]], str] | None = None  # what its words mean, of those that stand in it
    part_of: str = ""  # the key of the column without which nobody misses it

    @property
    def heading(self) -> str:
        """The title with its unit, as people read it."""
        return f"{self.title} ({self.unit.name})" if self.unit and self.unit.name else self.title


class Cell(NamedTuple):
    """What stands in one place of a table."""

    value: str | int | float | None  # in base units; None where there is a note instead
    text: str  # as written, without marks; the reason's id where there is a note
    note: int | None = None  # the number of the footnote that says why there is no value
    lower_bound: bool = False
    interval: Bounds | None = None
    best: bool = False
    ratio: float | None = None  # to the same column of the baseline

    @property
    def shown(self) -> str:
        """The text with the marks that every format shares."""
        if self.note:
            return f"–{superscript(self.note)}"
        ratio = "" if self.ratio is None else f" ({significant(self.ratio, 3)}×)"
        return f"{'≥ ' if self.lower_bound else ''}{self.text}{ratio}"


TableRow = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that may be compared, under one caption."""

    title: str
    caption: str
    columns: tuple[Column[Any], ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()  # the first is note 1
    remarks: tuple[str, ...] = ()  # what holds for the whole table

    @property
    def below(self) -> tuple[str, ...]:
        """Every line under the table: the notes with their numbers, the remarks, and what the words in it mean."""
        notes = (f"{superscript(number)} {note}" for number, note in enumerate(self.notes, start=1))
        said = dict.fromkeys(column.remark for column in self.columns if column.remark)
        return (*notes, *said, *self.remarks, *filter(None, self._glossaries()))

    def _glossaries(self) -> Iterable[str]:
        for index, column in enumerate(self.columns):
            if column.glossary:
                yield column.glossary(row[index].text for row in self.rows)


def superscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def tabulate(things: Sequence[T], columns: Sequence[Column[T]], *, title: str = "", caption: str = "") -> Table:
    """One row a thing, in the order given."""
    notes: dict[str, int] = {}
    rows = tuple(tuple(_cell(column, thing, notes) for column in columns) for thing in things)
    return Table(title, caption, tuple(columns), rows, tuple(notes))


def _cell(column: Column[T], thing: T, notes: dict[str, int]) -> Cell:
    value = column.value(thing)
    if isinstance(value, Missing):
        note = notes.setdefault(f"{value.missing}: {value.message}", len(notes) + 1)
        return Cell(None, value.missing, note)
    if isinstance(value, str):
        return Cell(value, value)
    interval = column.interval(thing) if column.interval else None
    return Cell(
        value,
        (column.unit or PLAIN).write(value),
        lower_bound=column.lower_bound is not None and column.lower_bound(thing),
        interval=None if isinstance(interval, Missing) else interval,
    )


def without_empty(table: Table) -> Table:
    """Columns in which no row has anything go; the reasons stay, as a remark, but for what was not asked for.

    Without any row nothing goes.
    """
    if not table.rows:
        return table
    filled = [any(row[index].value not in (None, "") for row in table.rows) for index in range(len(table.columns))]
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


def _absences(table: Table, indices: Sequence[int]) -> list[str]:
    """`Not shown: device (no_events: …); graph (…)`."""
    titles: dict[tuple[int, ...], list[str]] = {}
    keys = {table.columns[index].key for index in indices}
    for index in indices:
        column = table.columns[index]
        absent = dict.fromkeys((cell.text, cell.note) for row in table.rows if (cell := row[index]).note)
        reasons = tuple(note for reason, note in absent if note and reason != NOT_ASKED.missing)
        if reasons and column.part_of not in keys:
            titles.setdefault(reasons, []).append(column.title)
    absences = (
        f"{', '.join(names)} ({'; '.join(table.notes[reason - 1] for reason in reasons)})"
        for reasons, names in titles.items()
    )
    return [f"Not shown: {'; '.join(absences)}."] if titles else []
