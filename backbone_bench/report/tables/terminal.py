"""Tables for a terminal, fitted to its width without cutting a number.

A table wider than the screen becomes several, each with the first column in
front. Text may wrap; a number and a word of a heading may not. rich follows
NO_COLOR, FORCE_COLOR and COLUMNS. Output that is not a terminal has no width limit.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from backbone_bench.report.tables import escape
from backbone_bench.report.tables.answer import AnswerPart, Heading, ItemList, Paragraph, Verbatim
from backbone_bench.report.tables.table import Cell, Column, Table

_GAP = 3  # rich's padding on both sides of a column, and its divider
_TEXT_WIDTH = 16  # the least width of a column of text, in characters; a quarter of the screen if that is more
_UNBOUNDED = 100_000


def screen() -> Console:
    """A rich console for stdout, as wide as the terminal."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        console.width = _UNBOUNDED
    return console


def terminal(parts: Iterable[AnswerPart], console: Console | None = None) -> str:
    """Write the parts as text for the console, colours included; no blank line follows a heading."""
    console = console or screen()
    before: AnswerPart | None = None
    with console.capture() as captured:
        for part in parts:
            if before is not None and not isinstance(before, Heading):
                console.print()
            _print(part, console)
            before = part
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _print(part: AnswerPart, console: Console) -> None:
    if isinstance(part, Table):
        _print_table(part, console)
        return
    for line in _prose(part):
        console.print(Text(line), soft_wrap=True)  # unwrapped, so that a command can be copied


def _prose(part: Heading | Paragraph | ItemList | Verbatim) -> Iterator[str]:
    match part:
        case Heading(text=text) | Paragraph(text=text):
            yield escape.visible(text)
        case ItemList(items=items, numbered=numbered):
            for place, item in enumerate(items, start=1):
                words = (f"{place}." if numbered else "*", item.lead, item.rest, item.command)
                yield escape.visible(" ".join(filter(None, words)))
        case Verbatim(text=text):
            yield from text.splitlines()


def _print_table(table: Table, console: Console) -> None:
    if table.title:
        console.print(Text(escape.visible(table.title), style="bold"))
    if table.caption:
        console.print(Text(escape.visible(table.caption), style="dim"))
    for number, page in enumerate(fold(table, console.width)):
        if number:
            console.print()
        console.print(_grid(table, page, console.width))
    for below in table.below:
        console.print(Text(escape.visible(below), style="dim"))


def fold(table: Table, width: int) -> Iterator[tuple[int, ...]]:
    """Split the columns into parts that fit the width: indices per part, the first column in front of each."""
    widths = [_narrowest(table, index, width) for index in range(len(table.columns))]
    page: list[int] = []
    for index in range(1, len(widths)):
        if page and sum(widths[i] + _GAP for i in (0, *page, index)) > width:
            yield (0, *page)
            page = []
        page.append(index)
    yield (0, *page)


def _narrowest(table: Table, index: int, width: int) -> int:
    """The least width at which the column loses nothing: numbers stay whole, text may wrap."""
    column = table.columns[index]
    cells = _widest(table, index)
    if column.unit is None:
        cells = min(cells, max(_TEXT_WIDTH, width // 4))
    return max(cells, *(cell_len(line) for line in (*column.title.split(" "), _unit(column))))


def _unit(column: Column[Any]) -> str:
    return column.heading.removeprefix(column.title).strip()


def _widest(table: Table, index: int) -> int:
    return max((cell_len(escape.visible(row[index].shown)) for row in table.rows), default=0)


def _grid(table: Table, page: Sequence[int], width: int) -> Grid:
    natural = [max(_widest(table, index), cell_len(table.columns[index].heading)) for index in page]
    widths = _widths([_narrowest(table, index, width) for index in page], natural, width - _GAP * len(page))
    grid = Grid(box=SIMPLE_HEAD, show_edge=False)
    for index, places in zip(page, widths, strict=True):
        column = table.columns[index]
        grid.add_column(
            Text(column.heading if widths == natural else f"{column.title}\n{_unit(column)}".rstrip()),
            justify="right" if column.unit else "left",
            overflow="fold",
            width=places,
        )
    for row in table.rows:
        grid.add_row(*(_text(row[index]) for index in page))
    return grid


def _widths(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Give every column its least width, then the remaining room to the columns below their natural width."""
    widths = [min(pair) for pair in zip(least, natural, strict=True)]
    while sum(widths) < room and (narrow := [place for place, width in enumerate(widths) if width < natural[place]]):
        widths[min(narrow, key=widths.__getitem__)] += 1
    return widths


def _text(cell: Cell) -> Text:
    style = "bold green" if cell.best else "dim" if cell.note else ""
    return Text(escape.visible(cell.shown), style=style)
