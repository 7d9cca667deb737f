"""Tables for a terminal, fitted to its width without cutting a number.

A brief table has one line a row. Any other that is wider than the screen becomes several, each with the first column
in front; text may wrap, a number and a word of a heading may not. rich follows
NO_COLOR, FORCE_COLOR and COLUMNS. Output that is not a terminal has no width limit.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from backbone_bench.report.tables import escape, fit
from backbone_bench.report.tables.answer import AnswerPart, Heading, ItemList, Paragraph, Verbatim
from backbone_bench.report.tables.table import Cell, Table, Tone, said_once

_UNBOUNDED = 100_000
_STYLES: Mapping[Tone, str] = {"good": "green", "bad": "bold red", "doubtful": "yellow", "": ""}


def screen() -> Console:
    """A rich console for stdout, as wide as the terminal."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        console.width = _UNBOUNDED
    return console


def terminal(parts: Iterable[AnswerPart], console: Console | None = None) -> str:
    """Write the parts as text for the console, colours included; no blank line follows a heading."""
    console = console or screen()
    shown = [fit.brief(part, console.width) if isinstance(part, Table) and part.brief else part for part in parts]
    before: AnswerPart | None = None
    with console.capture() as captured:
        for part, below in said_once(shown):
            if before is not None and not isinstance(before, Heading):
                console.print()
            _print(part, below, console)
            before = part
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _print(part: AnswerPart, below: Sequence[str], console: Console) -> None:
    if isinstance(part, Table):
        _print_table(part, below, console)
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


def _print_table(table: Table, below: Sequence[str], console: Console) -> None:
    if table.title:
        console.print(Text(escape.visible(table.title), style="bold"))
    if table.caption:
        console.print(Text(escape.visible(table.caption), style="dim"))
    for number, page in enumerate(fit.fold(table, console.width)):
        if number:
            console.print()
        console.print(_grid(table, page, console.width))
    for line in below:
        console.print(Text(escape.visible(line), style="dim"))


def _grid(table: Table, page: Sequence[int], width: int) -> Grid:
    natural = [fit.natural(table, index) for index in page]
    least = [fit.least(table, index, width) for index in page]
    widths = fit.shared_out(least, natural, width - fit.GAP * len(page))
    grid = Grid(box=SIMPLE_HEAD, show_edge=False)
    for index, places in zip(page, widths, strict=True):
        column = table.columns[index]
        grid.add_column(
            Text(fit.heading(column, places)),
            justify="right" if column.unit else "left",
            overflow="fold",
            width=places,
        )
    for row in table.rows:
        cells = zip(page, widths, strict=True)
        grid.add_row(*(_text(row[index], index, places if table.brief else None) for index, places in cells))
    return grid


def _text(cell: Cell, index: int, width: int | None) -> Text:
    """A cell, cut to this width if there is one; of a first column, which is a path, the end is kept."""
    style = "bold green" if cell.best else "dim" if cell.note else _STYLES[cell.tone]
    text = escape.visible(cell.shown)
    return Text(text if width is None else fit.cut(text, width, keep_end=index == 0), style=style)
