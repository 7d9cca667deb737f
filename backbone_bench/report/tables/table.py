"""A table as data: columns with units, and cells that say why they are empty.

Nothing here depends on Markdown, CSV or a terminal; a renderer turns a `Table`
into text. A cell without a value is never 0: it has the number of a footnote
that gives the reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from backbone_bench.base.units import PLAIN, Unit, significant
from backbone_bench.records import NOT_REQUESTED, Missing

T = TypeVar("T")
CellValue = str | int | float | Missing
Bounds = tuple[float, float]
Tone = Literal["good", "bad", "doubtful", ""]  # how a terminal colours a cell


class Column(NamedTuple, Generic[T]):
    """One column: its key, its title, how to get the value of a row, and its unit."""

    key: str  # its name in `--columns` and in CSV, with the base unit
    title: str  # the heading, without the unit
    value: Callable[[T], CellValue]
    unit: Unit | None = None  # None for text
    better: Literal["less", "more"] | None = None  # None: neither marked nor compared with a baseline
    lower_bound: Callable[[T], bool] | None = None  # whether the value is only a lower bound
    interval: Callable[[T], Bounds | Missing] | None = None  # the 95 % confidence interval, in base units
    remark: str = ""  # an explanation of the column, written once under the table
    glossary: Callable[[Iterable[str]], Sequence[str]] | None = None  # explains the words in its cells, below
    taken: Callable[[T], str] | None = None  # how a value was taken: others are no better and have no ratio to it
    if_shared: Callable[[str], str] | None = None  # of a text column: the sentence that replaces it if all rows agree
    told: Callable[[Sequence[T]], str] | None = None  # a remark that depends on the rows; empty: none
    part_of: str = ""  # the key of the column it belongs to: if both are left out, only that one is reported
    tone: Callable[[T], Tone] | None = None
    least: int = 0  # characters that a terminal keeps of its text, if it is typed again

    @property
    def heading(self) -> str:
        """The title with its unit: `wall latency (ms)`."""
        return f"{self.title} ({self.unit.name})" if self.unit and self.unit.name else self.title


class Cell(NamedTuple):
    """One cell of a table."""

    value: str | int | float | None  # in base units; None if there is a note instead
    text: str  # as written, without marks; the id of the reason if there is a note
    note: int | None = None  # the number of the footnote with the reason
    lower_bound: bool = False
    interval: Bounds | None = None  # the 95 % confidence interval
    best: bool = False
    ratio: float | None = None  # to the same column of the baseline
    taken: str = ""  # how it was taken, if there are several ways
    tone: Tone = ""

    def in_unit(self, unit: Unit) -> "Cell":
        """The cell with its number in this unit, in the digits that its interval leaves certain."""
        if not isinstance(self.value, int | float):
            return self
        low, high = self.interval or (0, 0)
        return self._replace(text=unit.write_known(self.value, (high - low) / 2))

    @property
    def shown(self) -> str:
        """The text with footnote number, `≥` and ratio, as every format for people shows it."""
        if self.note:
            return f"–{superscript(self.note)}"
        ratio = "" if self.ratio is None else f" ({significant(self.ratio, 3)}×)"
        return f"{'≥ ' if self.lower_bound else ''}{self.text}{ratio}"


TableRow = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one caption, with the notes and remarks below them."""

    title: str
    caption: str
    columns: tuple[Column[Any], ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()  # the first is note 1
    remarks: tuple[str, ...] = ()  # about the whole table
    brief: bool = False  # in a terminal one line a row: the first columns that fit; the first columns tell most

    def adding(self, *remarks: str) -> "Table":
        """The table with more remarks."""
        return replace(self, remarks=(*self.remarks, *remarks))

    @property
    def below(self) -> tuple[str, ...]:
        """Every line under the table: footnotes, remarks of the columns and of the table, and glossaries."""
        notes = (f"{superscript(number)} {note}" for number, note in enumerate(self.notes, start=1))
        of_columns = dict.fromkeys(column.remark for column in self.columns if column.remark)
        return tuple(dict.fromkeys((*notes, *of_columns, *self.remarks, *self._glossaries())))

    def _glossaries(self) -> Iterable[str]:
        for index, column in enumerate(self.columns):
            if column.glossary:
                yield from column.glossary(row[index].text for row in self.rows)


def superscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def tabulate(things: Sequence[T], columns: Sequence[Column[T]], *, title: str = "", caption: str = "") -> Table:
    """Make a table with one row per thing, in the order given."""
    notes: dict[str, int] = {}
    rows = tuple(tuple(_cell(column, thing, notes) for column in columns) for thing in things)
    return Table(title, caption, tuple(columns), rows, tuple(notes))


def _cell(column: Column[T], thing: T, notes: dict[str, int]) -> Cell:
    value = column.value(thing)
    if isinstance(value, Missing):
        note = notes.setdefault(f"{value.missing}: {_as_clause(value.message)}", len(notes) + 1)
        return Cell(None, value.missing, note)
    if isinstance(value, str):
        return Cell(value, value, tone=column.tone(thing) if column.tone else "")
    interval = column.interval(thing) if column.interval else None
    cell = Cell(
        value,
        "",
        lower_bound=column.lower_bound is not None and column.lower_bound(thing),
        interval=None if isinstance(interval, Missing) else interval,
        taken=column.taken(thing) if column.taken else "",
    )
    return cell.in_unit(column.unit or PLAIN)


def _as_clause(sentence: str) -> str:
    """The sentence as part of another: without a capital, but for `GPU` and the like, and without a full stop."""
    small = sentence[:1].lower() + sentence[1:]
    return (sentence if sentence[1:2].isupper() else small).rstrip(".")


def without_empty(table: Table) -> Table:
    """Drop the columns without any value, and give their reasons in a remark, except `not_asked`.

    A table without rows stays as it is.
    """
    if not table.rows:
        return table
    filled = [any(row[index].value not in (None, "") for row in table.rows) for index in range(len(table.columns))]
    empty = [index for index, has_value in enumerate(filled) if not has_value]
    kept = [index for index, has_value in enumerate(filled) if has_value]
    return with_columns(table, kept).adding(*_absences(table, empty))


def with_columns(table: Table, kept: Sequence[int]) -> Table:
    """The table with these columns alone, and only the footnotes of their cells."""
    used = dict.fromkeys(note for row in table.rows for i in kept if (note := row[i].note))
    renumbered: dict[int | None, int] = {old: new for new, old in enumerate(used, start=1)}
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(tuple(row[i]._replace(note=renumbered.get(row[i].note)) for i in kept) for row in table.rows),
        notes=tuple(table.notes[old - 1] for old in used),
    )


def _absences(table: Table, indices: Sequence[int]) -> list[str]:
    """The remark on dropped columns, or none: `Not shown: device latency (no_events: …); graph latency (…).`"""
    titles: dict[tuple[int, ...], list[str]] = {}
    keys = {table.columns[index].key for index in indices}
    for index in indices:
        column = table.columns[index]
        absent = dict.fromkeys((cell.text, cell.note) for row in table.rows if (cell := row[index]).note)
        reasons = tuple(note for reason, note in absent if note and reason != NOT_REQUESTED.missing)
        if reasons and column.part_of not in keys:
            titles.setdefault(reasons, []).append(column.title)
    absences = (
        f"{', '.join(names)} ({'; '.join(table.notes[reason - 1] for reason in reasons)})"
        for reasons, names in titles.items()
    )
    return [f"Not shown: {'; '.join(absences)}."] if titles else []


def said_once(parts: Sequence[T]) -> list[tuple[T, tuple[str, ...]]]:
    """Each part with the lines below it; of a line that several tables have, only the last table keeps it.

    Footnotes stay: they have a number, and belong to their own table.
    """
    below = [part.below if isinstance(part, Table) else () for part in parts]
    paired = []
    for place, part in enumerate(parts):
        later = {line for lines in below[place + 1 :] for line in lines}
        notes = len(part.notes) if isinstance(part, Table) else 0
        kept = (line for number, line in enumerate(below[place]) if number < notes or line not in later)
        paired.append((part, tuple(kept)))
    return paired
