"""The cells of the page's table: a text, what sorts it, and what a pointer shows."""

from typing import Any, NamedTuple

from backbone_bench.base.units import significant
from backbone_bench.records.flags import QuoteGrade
from backbone_bench.report.tables.table import Cell, Column
from backbone_bench.report.views.grade_column import GRADE

MARKS: dict[QuoteGrade, str] = {"quote": "●", "with care": "◐", "do not quote": "○"}


class GridCell(NamedTuple):
    """One cell as the page shows it."""

    tag: str
    classes: str
    order: str | None  # the number that sorts it; None: its text does
    text: str
    hint: str = ""
    sign: str = ""  # drawn instead of the text, which is there for those who cannot see it
    spread: str = ""  # half of the confidence interval


def cell_of(column: Column[Any], cell: Cell, classes: str) -> GridCell:
    """A cell of a column."""
    if column.key == "model":
        return GridCell("th scope=row", classes, None, cell.shown, hint=str(cell.value))
    if column.key == GRADE:
        return _grade(cell, classes)
    if column.unit is None:
        return GridCell("td", classes, None, cell.shown, hint=cell.text if len(cell.text) > 24 else "")
    classes = " ".join(filter(None, ("n", "best" if cell.best else "", classes)))
    order = f"{cell.value:.6g}" if isinstance(cell.value, int | float) else None
    return GridCell("td", classes, order, cell.shown, spread=_spread(cell))


def _grade(cell: Cell, classes: str) -> GridCell:
    """The grade as a mark: `with care: host_busy` is a half circle with these words."""
    for rank, (grade, sign) in enumerate(MARKS.items()):
        if cell.text.partition(":")[0] == grade:
            return GridCell("td", f"g g{rank} {classes}".rstrip(), str(rank), cell.text, cell.text, sign)
    return GridCell("td", classes, None, cell.text)


def _spread(cell: Cell) -> str:
    """Half of the interval as a share of the value: `0.12 %`."""
    if cell.interval is None or not isinstance(cell.value, int | float) or not cell.value:
        return ""
    low, high = cell.interval
    return f"{significant(100 * (high - low) / 2 / abs(cell.value), 2)} %"
