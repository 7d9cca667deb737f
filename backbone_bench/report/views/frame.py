"""Records as columns of plain values, in base units: what a data frame is made from."""

from collections.abc import Sequence

from backbone_bench.records import Record
from backbone_bench.report.tables.csv import reasons
from backbone_bench.report.tables.table import tabulate
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import CONDITIONS, ENVIRONMENT, STARTED, column_of

FrameColumn = list[str | int | float | None]


def frame_columns(records: Sequence[Record]) -> dict[str, FrameColumn]:
    """Every column and condition of the records by key, one value a record; `missing` says why a value is None."""
    first, *others = COLUMNS.values()
    told = (column_of(condition) for condition in (*CONDITIONS, STARTED, ENVIRONMENT))
    table = tabulate(records, (first, *told, *others))
    found: dict[str, FrameColumn] = {
        column.key: [row[place].value for row in table.rows] for place, column in enumerate(table.columns)
    }
    return {**found, "missing": [reasons(table.columns, row) for row in table.rows]}
