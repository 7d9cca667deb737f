"""CSV for programs: base units at full precision, one heading a key, one record a line.

Text is as on the screen, so that a name with a newline stays on its line, and one
that begins as a formula does has an apostrophe in front (JSON has both as they
are). A cell without a value is empty, so that a column of numbers stays one, and the
last column says why. A lower bound's reason stands in `uncounted`.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backbone_bench.report.tables import escape
from backbone_bench.report.tables.table import Cell, Column, Table, TableRow

# What a spreadsheet would reckon out, in the wide forms of East Asia too; a signed number with its unit is none.
_FORMULA = re.compile(r"[=@＝＠＋－]|[+-](?![0-9.]+(?: ?[%A-Za-z]*)?$)")


def delimited(tables: Iterable[Table]) -> str:
    """One CSV of all the tables, which must have the same columns."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    first, *others = tables
    related = _related([first, *others])
    writer.writerow([*_headings(first.columns, related), "missing"])
    for table in (first, *others):
        for row in table.rows:
            writer.writerow([*_values(row, related), _reasons(table.columns, row)])
    return stream.getvalue()


def _related(tables: Sequence[Table]) -> set[int]:
    """The columns that are compared with a baseline in any of the tables: each is followed by its ratio."""
    if not any(cell.ratio for table in tables for row in table.rows for cell in row):
        return set()
    return {index for index, column in enumerate(tables[0].columns) if column.better}


def _headings(columns: Iterable[Column[Any]], related: set[int]) -> Iterator[str]:
    for index, column in enumerate(columns):
        yield column.key
        if index in related:
            yield f"{column.key}_ratio"


def _values(row: TableRow, related: set[int]) -> Iterator[Any]:
    for index, cell in enumerate(row):
        yield _value(cell.value)
        if index in related:
            yield _value(cell.ratio)


def _value(value: str | int | float | None) -> str | int | float:
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = escape.visible(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _reasons(columns: Iterable[Column[Any]], row: Iterable[Cell]) -> str:
    """`device_s=no_events graph_s=no_graph`."""
    return " ".join(f"{column.key}={cell.text}" for column, cell in zip(columns, row, strict=True) if cell.note)
