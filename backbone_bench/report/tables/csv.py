"""CSV for programs: base units at full precision, column keys as headings, one record per line.

Control characters in text are made visible, so that a name with a newline stays on
its line, and text that a spreadsheet would read as a formula gets an apostrophe in
front; JSON keeps both unchanged. A missing value is an empty cell, so that the
column stays numeric, and the last column gives the reason. The reason for a lower
bound is in `uncounted`.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backbone_bench.report.tables import escape
from backbone_bench.report.tables.table import Cell, Column, Table, TableRow

# Text that a spreadsheet would evaluate, fullwidth characters too; a signed number with a unit is not a formula.
_FORMULA = re.compile(r"[=@＝＠＋－]|[+-](?![0-9.]+(?: ?[%A-Za-z]*)?$)")


def delimited(tables: Iterable[Table]) -> str:
    """Write all tables as one CSV; they must have the same columns."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    first, *others = tables
    with_ratio = _with_ratio([first, *others])
    writer.writerow([*_headings(first.columns, with_ratio), "missing"])
    for table in (first, *others):
        for row in table.rows:
            writer.writerow([*_values(row, with_ratio), reasons(table.columns, row)])
    return stream.getvalue()


def _with_ratio(tables: Sequence[Table]) -> set[int]:
    """Indices of the columns that get a ratio column after them: those compared with a baseline in any table."""
    if not any(cell.ratio for table in tables for row in table.rows for cell in row):
        return set()
    return {index for index, column in enumerate(tables[0].columns) if column.better}


def _headings(columns: Iterable[Column[Any]], with_ratio: set[int]) -> Iterator[str]:
    for index, column in enumerate(columns):
        yield column.key
        if index in with_ratio:
            yield f"{column.key}_ratio"


def _values(row: TableRow, with_ratio: set[int]) -> Iterator[Any]:
    for index, cell in enumerate(row):
        yield _value(cell.value)
        if index in with_ratio:
            yield _value(cell.ratio)


def _value(value: str | int | float | None) -> str | int | float:
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = escape.visible(value)
    return f"'{text}" if _FORMULA.match(text) else text


def reasons(columns: Iterable[Column[Any]], row: Iterable[Cell]) -> str:
    """Why cells are empty: `device_s=no_events graph_s=no_graph`."""
    return " ".join(f"{column.key}={cell.text}" for column, cell in zip(columns, row, strict=True) if cell.note)
