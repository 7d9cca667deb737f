"""What a sweep would do and how long it would take, as a table."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.report.delimited import delimited
from backbone_bench.report.progress import span
from backbone_bench.report.render import text
from backbone_bench.report.tables import Column, tabulate
from backbone_bench.report.units import PLAIN, Unit

_SECONDS = Unit("s", 1, 0)


class Forecast(NamedTuple):
    """One row that would be run."""

    number: int
    row: str
    least_s: float  # on a quiet machine
    most_s: float  # that the meter's rules allow


_COLUMNS = (
    Column[Forecast]("number", "number", lambda row: row.number, PLAIN),
    Column[Forecast]("row", "row", lambda row: row.row),
    Column[Forecast]("least_s", "about", lambda row: row.least_s, _SECONDS),
    Column[Forecast]("most_s", "at most", lambda row: row.most_s, _SECONDS),
)


def forecast(rows: Sequence[Forecast], form: str) -> str:
    """The rows with their times, and the sum."""
    if form in ("json", "jsonl"):
        made = [row._asdict() for row in rows]
        return json.dumps(made, indent=1) + "\n" if form == "json" else "".join(f"{json.dumps(row)}\n" for row in made)
    least_s, most_s = sum(row.least_s for row in rows), sum(row.most_s for row in rows)
    table = tabulate(rows, _COLUMNS)
    if form == "csv":
        return delimited([table])
    total = f"Rows: {len(rows)}. About {span(least_s)} on a quiet machine, {span(most_s)} at most."
    return text([replace(table, remarks=(total, "Nothing has been run."))], form)
