"""GitHub's Markdown: a table at full width, its caption above, its notes below."""

from collections.abc import Iterable, Iterator
from typing import Any

from backbone_bench.report.tables import escape
from backbone_bench.report.tables.table import Cell, Column, Table


def markdown(tables: Iterable[Table]) -> str:
    return "\n".join(line for table in tables for line in _lines(table))


def _lines(table: Table) -> Iterator[str]:
    if table.title:
        yield from (f"**{escape.markdown(table.title)}**", "")
    if table.caption:
        yield from (escape.markdown(table.caption), "")
    yield _row(escape.markdown(column.heading) for column in table.columns)
    yield _row("---:" if column.unit else "---" for column in table.columns)
    for row in table.rows:
        yield _row(_cell(column, cell) for column, cell in zip(table.columns, row, strict=True))
    yield ""
    for below in table.below:
        yield from (escape.markdown(below), "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: Column[Any], cell: Cell) -> str:
    text = cell.shown if column.unit else escape.markdown(cell.shown)
    return f"**{text}**" if cell.best else text
