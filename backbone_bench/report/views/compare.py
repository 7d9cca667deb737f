"""Records side by side: one table an environment (and a family, if asked), best values marked, ratios to a baseline."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record
from backbone_bench.report.tables.table import Cell, Column, Table, TableRow, tabulate
from backbone_bench.report.views.columns import RUN
from backbone_bench.report.views.conditions import (
    CONDITIONS,
    ENVIRONMENT,
    STARTED,
    column_of,
    conditions,
    differing,
    environment_groups,
)

_MARKED = "Marked: the best among rows of the same circumstances, and what cannot be told from it."


@dataclass(frozen=True, slots=True)
class View:
    """What of the records to show, and how."""

    columns: tuple[Column[Record], ...] = RUN
    sort: Column[Record] | None = None  # best first; None keeps the order
    group: Callable[[Record], str] | None = None  # the title under which a record belongs
    relative_to: str | None = None  # a model
    mark_best: bool = True
    every_facet: bool = False  # as columns, whether they vary or not: for programs


def compare(records: Sequence[Record], view: View) -> tuple[Table, ...]:
    """The tables of a view; raise UserError where no record is of the model to compare with."""
    if view.relative_to is not None:
        _require(view.relative_to, records)
    tables = []
    for place in environment_groups(records):
        baselines = _baselines(place.records, view.relative_to)
        groups = group_by(place.records, view.group or (lambda record: ""))
        for title, members in sorted(groups.items()):
            rows = sorted([*_visitors(baselines, members), *members], key=_order(view))
            table = _related(_table(rows, view, title, place.caption), rows, baselines, view.relative_to)
            tables.append(_mark_best(table, [conditions(row) for row in rows]) if view.mark_best else table)
    return tuple(tables)


def _require(model: str, records: Sequence[Record]) -> None:
    models = dict.fromkeys(record.workload.model for record in records)
    if model not in models:
        hint = did_you_mean(model, models, f"There are {', '.join(models)}.")
        raise UserError(f"No record is of {model!r}. {hint}")


def _baselines(records: Iterable[Record], model: str | None) -> dict[tuple[str, ...], Record]:
    """The first record of the model under each set of circumstances."""
    found: dict[tuple[str, ...], Record] = {}
    for record in records:
        if record.workload.model == model:
            found.setdefault(conditions(record), record)
    return found


def _visitors(baselines: dict[tuple[str, ...], Record], members: Sequence[Record]) -> list[Record]:
    """Baselines that stand in another group and are needed in this one."""
    present = {id(member) for member in members}
    needed = {conditions(member) for member in members}
    return [record for key, record in baselines.items() if key in needed and id(record) not in present]


def _order(view: View) -> Callable[[Record], Any]:
    """Baselines first, then as sorted: numbers best first, text in the alphabet, what is missing last."""

    def key(record: Record) -> tuple[bool, int, float, str]:
        value = view.sort.value(record) if view.sort else ""
        is_baseline = record.workload.model == view.relative_to
        if isinstance(value, str):
            return not is_baseline, 0, 0, value
        if isinstance(value, int | float):
            return not is_baseline, 0, -value if view.sort and view.sort.better == "more" else value, ""
        return not is_baseline, 1, 0, ""

    return key


def _table(records: Sequence[Record], view: View, title: str, caption: str) -> Table:
    facets = (*CONDITIONS, STARTED, ENVIRONMENT) if view.every_facet else differing(records)
    shown = {one.key for one in view.columns}
    extra = [column_of(facet) for facet in facets if facet.key not in shown]
    return tabulate(records, [view.columns[0], *extra, *view.columns[1:]], title=title, caption=caption)


def _related(
    table: Table, records: Sequence[Record], baselines: dict[tuple[str, ...], Record], model: str | None
) -> Table:
    """The table with each quantity's ratio to the baseline that was run under the same circumstances."""
    if model is None:
        return table
    row_of = {id(record): row for record, row in zip(records, table.rows, strict=True)}
    rows = []
    for record, row in zip(records, table.rows, strict=True):
        baseline = baselines.get(conditions(record))
        rows.append(row if baseline is None else _ratios(table.columns, row, row_of[id(baseline)]))
    remark = f"In parentheses: the ratio to {model} under the same circumstances."
    if not any(conditions(record) in baselines for record in records):
        remark = f"No record here is of {model}: there are no ratios."
    return replace(table, rows=tuple(rows), remarks=(*table.remarks, remark))


def _ratios(columns: Sequence[Column[Any]], row: TableRow, baseline: TableRow) -> TableRow:
    return tuple(
        cell._replace(ratio=_ratio(cell, base)) if column.better else cell
        for column, cell, base in zip(columns, row, baseline, strict=True)
    )


def _ratio(cell: Cell, base: Cell) -> float | None:
    """None where either is missing or only a bound: a quotient of bounds bounds nothing."""
    if not isinstance(cell.value, int | float) or not isinstance(base.value, int | float):
        return None
    return None if cell.lower_bound or base.lower_bound or not base.value else cell.value / base.value


def _mark_best(table: Table, circumstances: Sequence[Hashable]) -> Table:
    """The best value of each column and every one that cannot be told from it, among rows of the same circumstances."""
    best: set[tuple[int, int]] = set()
    for alike in set(circumstances):
        numbers = [number for number, other in enumerate(circumstances) if other == alike]
        for place, column in enumerate(table.columns):
            winners = _best(column, [table.rows[number][place] for number in numbers])
            best |= {(numbers[winner], place) for winner in winners}
    rows = tuple(
        tuple(cell._replace(best=(number, place) in best) for place, cell in enumerate(row))
        for number, row in enumerate(table.rows)
    )
    return replace(table, rows=rows, remarks=(*table.remarks, _MARKED) if best else table.remarks)


def _best(column: Column[Any], cells: Sequence[Cell]) -> set[int]:
    """Rows whose value is best; none where a lower bound could be better still, or where all are equal."""
    sign = -1 if column.better == "more" else 1
    values = {row: sign * cell.value for row, cell in enumerate(cells) if isinstance(cell.value, int | float)}
    if column.better is None or len(set(values.values())) < 2:
        return set()
    first = min(values, key=lambda row: values[row])
    bounds = [row for row in values if cells[row].lower_bound]
    if first in bounds or (bounds and column.better == "more"):
        return set()  # what is only known to be at least so much may be the best, or not
    return {row for row in values if values[row] == values[first] or _overlap(cells[row], cells[first])}


def _overlap(one: Cell, other: Cell) -> bool:
    if one.interval is None or other.interval is None:
        return False
    return one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]
