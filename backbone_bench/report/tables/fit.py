"""How the columns of a table fit a terminal: by leaving some out, or by folding them into several tables.

No number is ever cut. A brief table has one line a row: as many columns as fit, in their order, and text that is too
long ends in `…`. Any other table keeps all its columns, and its text may wrap.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from rich.cells import cell_len

from backbone_bench.report.tables import escape
from backbone_bench.report.tables.table import Column, Table, with_columns

GAP = 3  # rich's padding on both sides of a column, and its divider
_TEXT_WIDTH = 16  # the least width of a column of text, in characters; a quarter of the screen if that is more
_BRIEF_TEXT = 10  # the same in a brief table, but for the first column


def brief(table: Table, width: int) -> Table:
    """Leave out the columns that do not fit, from the first on that does not, and name them in a remark."""
    shown, left_out = fitting(table, width)
    return shown.adding(f"More with --wide: {', '.join(left_out)}.") if left_out else table


def fitting(table: Table, width: int, *, cut: bool = True) -> tuple[Table, tuple[str, ...]]:
    """The table with the columns that fit, up to the first that does not, and the titles of the others.

    `cut`: text that is too long will be cut.
    """
    widths = [(least(table, index, width) if cut else uncut(table, index)) + GAP for index in range(len(table.columns))]
    kept = range(max(1, sum(total <= width for total in accumulate(widths))))
    left_out = table.columns[len(kept) :]
    return with_columns(table, kept) if left_out else table, tuple(dict.fromkeys(one.title for one in left_out))


def fold(table: Table, width: int) -> Iterator[tuple[int, ...]]:
    """Split the columns into parts that fit the width: indices per part, the first column in front of each."""
    widths = [least(table, index, width) for index in range(len(table.columns))]
    page: list[int] = []
    for index in range(1, len(widths)):
        if page and sum(widths[i] + GAP for i in (0, *page, index)) > width:
            yield (0, *page)
            page = []
        page.append(index)
    yield (0, *page)


def least(table: Table, index: int, width: int) -> int:
    """The least width of a column: numbers and words of the heading stay whole, text may wrap or be cut."""
    cells = widest(table, index)
    column = table.columns[index]
    if column.unit is None:
        cells = min(cells, column.least or _BRIEF_TEXT if table.brief and index else max(_TEXT_WIDTH, width // 4))
    return max(cells, _longest_word(column))


def uncut(table: Table, index: int) -> int:
    """The least width of a column whose text is neither wrapped nor cut."""
    return max(widest(table, index), _longest_word(table.columns[index]))


def _longest_word(column: Column[Any]) -> int:
    return max(map(cell_len, (*_words(column), unit_of(column))))


def _words(column: Column[Any]) -> list[str]:
    """The parts of a title that stay whole; after a hyphen a line may end."""
    return re.split(r" |(?<=[a-z]-)(?=[a-z])", column.title)


def heading(column: Column[Any], width: int) -> str:
    """The heading in lines of at most this width, if its words allow that; the unit does not share a line.

    >>> heading(Column("", "launch-bound", len, PERCENT), 8)
    'launch-\\nbound\\n(%)'
    """
    if cell_len(column.heading) <= width:
        return column.heading
    lines = [""]
    for word in _words(column):
        joined = f"{lines[-1]}{'' if lines[-1].endswith('-') else ' '}{word}".strip()
        if cell_len(joined) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = joined
    return "\n".join(filter(None, (*lines, unit_of(column))))


def unit_of(column: Column[Any]) -> str:
    """The unit as the heading has it, `(ms)`; empty without one."""
    return column.heading.removeprefix(column.title).strip()


def widest(table: Table, index: int) -> int:
    """The width of the longest cell of a column."""
    return max((cell_len(escape.visible(row[index].shown)) for row in table.rows), default=0)


def natural(table: Table, index: int) -> int:
    """The width at which nothing of a column wraps, but for headings of a brief table."""
    column = table.columns[index]
    return max(widest(table, index), _longest_word(column) if table.brief else cell_len(column.heading))


def shared_out(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Give every column its least width, then the remaining room to the columns below their natural width."""
    widths = list(map(min, least, natural))
    while sum(widths) < room and (narrow := [place for place, width in enumerate(widths) if width < natural[place]]):
        widths[min(narrow, key=widths.__getitem__)] += 1
    return widths


def cut(text: str, width: int, *, keep_end: bool = False) -> str:
    """Cut a text to this width, at its end or, with `keep_end`, at its start.

    >>> cut("backbone_bench.zoo.micro:plain", 12, keep_end=True)
    '…micro:plain'
    """
    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 1:
        text = text[1:] if keep_end else text[:-1]
    return f"…{text}" if keep_end else f"{text.rstrip()}…"
