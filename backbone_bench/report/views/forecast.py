"""The table of a dry run: the rows of a sweep and how long each would take."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.base.units import PLAIN, Unit, span
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.listing import listing
from backbone_bench.report.tables.table import Column, tabulate

_SECONDS = Unit("s", 1, 0)


class Forecast(NamedTuple):
    """One row of a sweep, with the shortest and longest time it may take."""

    number: int
    row: str
    least_s: float  # on a quiet machine
    most_s: float  # the most that the stopping rules allow


_COLUMNS = (
    Column[Forecast]("number", "number", lambda row: row.number, PLAIN),
    Column[Forecast]("row", "row", lambda row: row.row),
    Column[Forecast]("least_s", "about", lambda row: row.least_s, _SECONDS),
    Column[Forecast]("most_s", "at most", lambda row: row.most_s, _SECONDS),
)


def forecast(rows: Sequence[Forecast], cost: str = "") -> Answer:
    """List the rows with their times, and the total below; `cost` is a further sentence about it."""
    least_s, most_s = sum(row.least_s for row in rows), sum(row.most_s for row in rows)
    total = f"Rows: {len(rows)}. About {span(least_s)} on a quiet machine, {span(most_s)} at most."
    table = replace(tabulate(rows, _COLUMNS), remarks=(total, *filter(None, (cost,)), "Nothing has been run."))
    return listing([row._asdict() for row in rows], table)
