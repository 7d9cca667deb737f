"""CSV for programs: base units at full precision, one heading a key.

A cell without a value is empty, so that a column of numbers stays one, and the
last column says why. A lower bound's reason stands in `uncounted`.
"""

import csv
import io
from collections.abc import Iterable

from backbone_bench.report.tables import Cell, Table


def delimited(tables: Iterable[Table]) -> str:
    """One CSV of all the tables, which must have the same columns."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for number, table in enumerate(tables):
        if number == 0:
            writer.writerow([*(column.key for column in table.columns), "missing"])
        for row in table.rows:
            writer.writerow([*("" if cell.value is None else cell.value for cell in row), _reasons(table, row)])
    return stream.getvalue()


def _reasons(table: Table, row: tuple[Cell, ...]) -> str:
    """`device_s=no_events graph_s=no_graph`."""
    pairs = zip(table.columns, row, strict=True)
    return " ".join(f"{column.key}={cell.text}" for column, cell in pairs if cell.note)
