"""A table turned: one row a model, the values of one condition side by side, as papers print batch 1 and batch 32."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record
from backbone_bench.records.setting import Condition
from backbone_bench.report.tables.table import Cell, Column, Table, TableRow
from backbone_bench.report.views.conditions import CONDITIONS

_ABSENT = Cell("", "")  # no record was made under this condition
_Turned = Mapping[str, TableRow]  # the rows of one model by the value of the condition


def pivoted(table: Table, records: Sequence[Record], key: str) -> Table:
    """Turn a table of these records; a column stays single if no row differs between the values of the condition.

    Raises UserError if two records differ in nothing but their time.
    """
    condition = next(one for one in CONDITIONS if one.key == key)
    values = sorted({condition.text(record) for record in records}, key=int if condition.is_number else None)
    if len(values) < 2:
        return table
    rows = list(_rows(table, records, condition))
    columns: list[Column[Any]] = []
    turned: list[list[Cell]] = [[] for _ in rows]
    for place, column in enumerate(table.columns):
        if column.key == key:
            continue
        single = all(len({cells[place].text for cells in row.values()}) == 1 for row in rows)
        columns += [column] if single else [_under(column, condition, value) for value in values]
        for row, cells in zip(rows, turned, strict=True):
            cells += _single(row, place) if single else (_cell(row, value, place) for value in values)
    return replace(table, columns=tuple(columns), rows=tuple(map(tuple, turned)))


def _rows(table: Table, records: Sequence[Record], condition: Condition[Record]) -> Iterator[_Turned]:
    others = [one for one in CONDITIONS if one.key != condition.key]

    def of_one_row(pair: tuple[Record, TableRow]) -> tuple[str, ...]:
        return pair[0].workload.model, *(one.text(pair[0]) for one in others)

    for members in group_by(zip(records, table.rows, strict=True), of_one_row).values():
        row = {condition.text(record): cells for record, cells in members}
        if len(row) < len(members):
            model = members[0][0].workload.model
            raise UserError(f"--pivot {condition.key}: {model} has several records of one {condition.title}: give one.")
        yield row


def _under(column: Column[Any], condition: Condition[Record], value: str) -> Column[Any]:
    """The column of one value: `wall latency, batch 32`."""
    return column._replace(key=f"{column.key}_{value}", title=f"{column.title}, {condition.phrase(value)}")


def _cell(row: _Turned, value: str, place: int) -> Cell:
    return row[value][place] if value in row else _ABSENT


def _single(row: _Turned, place: int) -> list[Cell]:
    return [next(iter(row.values()))[place]]
