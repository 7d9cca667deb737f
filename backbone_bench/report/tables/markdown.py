"""GitHub Markdown: each table at full width, its caption above, its notes below."""

from collections.abc import Iterable, Iterator
from typing import Any

from backbone_bench.report.tables import escape
from backbone_bench.report.tables.answer import AnswerPart, Heading, ItemList, ListItem, Paragraph, Verbatim
from backbone_bench.report.tables.table import Cell, Column, Table


def markdown(parts: Iterable[AnswerPart]) -> str:
    """Write the parts as Markdown, a blank line after each."""
    return "\n".join(line for part in parts for line in _lines(part))


def _lines(part: AnswerPart) -> Iterator[str]:
    match part:
        case Table():
            yield from _table(part)
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


def _table(table: Table) -> Iterator[str]:
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
