"""GitHub Markdown: each table at full width, its caption above, its notes below."""

from collections.abc import Iterable, Iterator
from typing import Any

from backbone_bench.report.tables import escape
from backbone_bench.report.tables.answer import AnswerPart, Heading, ItemList, ListItem, Paragraph, Verbatim
from backbone_bench.report.tables.table import Cell, Column, Table, said_once


def markdown(parts: Iterable[AnswerPart]) -> str:
    """Write the parts as Markdown, a blank line after each."""
    return "\n".join(line for part, below in said_once(list(parts)) for line in _lines(part, below))


def _lines(part: AnswerPart, below: Iterable[str]) -> Iterator[str]:
    match part:
        case Table():
            yield from _table(part, below)
        case Heading(text=text, level=level):
            yield from (f"{'#' * level} {escape.markdown(text)}", "")
        case Paragraph(text=text):
            yield from (escape.markdown(text), "")
        case ItemList(items=items, numbered=numbered):
            yield from (_item(item, f"{place}." if numbered else "-") for place, item in enumerate(items, start=1))
            yield ""
        case Verbatim(text=text):
            yield from (text.rstrip("\n"), "")


def _item(item: ListItem, mark: str) -> str:
    lead = escape.markdown(item.lead)
    command = escape.visible(item.command).replace("`", "'")
    words = (mark, f"**{lead}**" if item.rest else lead, escape.markdown(item.rest), command and f"`{command}`")
    return " ".join(filter(None, words))


def _table(table: Table, below: Iterable[str]) -> Iterator[str]:
    if table.title:
        yield from (f"**{escape.markdown(table.title)}**", "")
    if table.caption:
        yield from (escape.markdown(table.caption), "")
    yield _row(escape.markdown(column.heading) for column in table.columns)
    yield _row("---:" if column.unit else "---" for column in table.columns)
    for row in table.rows:
        yield _row(_cell(column, cell) for column, cell in zip(table.columns, row, strict=True))
    yield ""
    for line in below:
        yield from (escape.markdown(line), "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: Column[Any], cell: Cell) -> str:
    text = cell.shown if column.unit else escape.markdown(cell.shown)
    return f"**{text}**" if cell.best else text
