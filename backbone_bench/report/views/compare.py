"""Tables that compare records: one per environment (and group), best values marked, ratios to a baseline."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import PLAIN, readable
from backbone_bench.records import Record
from backbone_bench.records.grade import graded
from backbone_bench.records.quantities import EAGER
from backbone_bench.report.tables.table import Cell, Column, Table, TableRow, tabulate
from backbone_bench.report.views.columns import RUN
from backbone_bench.report.views.conditions import (
    CONDITIONS,
    ENVIRONMENT,
    INPUTS,
    STARTED,
    EnvironmentGroup,
    column_of,
    conditions,
    differing,
    environment_groups,
)
from backbone_bench.report.views.grade_column import GRADE, grade_column
from backbone_bench.report.views.pivot import pivoted
from backbone_bench.report.views.scaled import PER_IMAGE, per_image

_MARKED = (
    "Marked: the best value among rows with the same conditions, and every value that equals it or whose 95 % "
    "confidence interval overlaps its interval."
)


_OWN_TABLE = 3  # records of one input size that get a table of their own
_OTHER_SIZES = "other input sizes"


@dataclass(frozen=True, slots=True)
class View:
    """Which columns of the records to show, how to sort and group them, and what to compare them with."""

    columns: tuple[Column[Record], ...] = RUN
    sort: Column[Record] | None = None  # best first; None keeps the order
    group: Callable[[Record], str] | None = None  # the title of the table that a record belongs to
    relative_to: str | None = None  # the model that is the baseline
    mark_best: bool = True
    all_conditions: bool = False  # a column for every condition, even if it does not vary: for programs
    wide: bool = False  # all columns in a terminal, else one line a row
    shown: tuple[Record, ...] = ()  # what people see in place of the records: those that failed keep their place
    pivot: str | None = None  # the key of the condition whose values stand side by side


def compare(records: Sequence[Record], view: View) -> tuple[Table, ...]:
    """Make the tables of a view. Raises UserError if no record is of the model `relative_to`."""
    if view.relative_to is not None:
        _require(view.relative_to, records)
    tables = []
    for environment in environment_groups(records):
        tables += _of_environment(environment, view)
    return tuple(tables)


def _of_environment(environment: EnvironmentGroup, view: View) -> list[Table]:
    """The tables of one environment; only the first says which it is."""
    caption, records = environment.caption, environment.records
    baselines = _baselines(records, view.relative_to)
    if not view.all_conditions and any(record.workload.batch > 1 for record in records):
        view, caption = replace(view, columns=per_image(view.columns)), f"{caption} {PER_IMAGE}"
    tables: list[Table] = []
    for title, members in _groups(records, view):
        rows = sorted([*_other_baselines(baselines, members), *members], key=_order(view))
        table = _table(rows, view, title, "" if tables and not view.all_conditions else caption)
        table = _with_ratios(table, rows, baselines, view.relative_to)
        table = _mark_best(table, [conditions(row) for row in rows]) if view.mark_best else table
        tables.append(pivoted(table, rows, view.pivot) if view.pivot and not view.all_conditions else table)
    return tables


def _groups(records: Sequence[Record], view: View) -> list[tuple[str, list[Record]]]:
    """The records of each table with its title, in the order of the titles; what is of no size comes last."""
    size = (lambda record: "") if view.all_conditions else _size_groups(records)
    group = view.group or (lambda record: "")
    grouped = group_by(records, lambda record: ", ".join(filter(None, (group(record), size(record)))))
    if view.group is None:
        return sorted(grouped.items(), key=lambda item: item[0] == _OTHER_SIZES)
    return sorted(grouped.items())


def _size_groups(records: Sequence[Record]) -> Callable[[Record], str]:
    """Which inputs get a table of their own: those of three records or more; no title if all have the same."""
    inputs = {id(record): INPUTS.text(record) for record in records}
    count = Counter(inputs.values())
    large = {text for text, number in count.items() if number >= _OWN_TABLE}
    if len(count) == 1 or not large:
        return lambda record: ""
    return lambda record: inputs[id(record)] if inputs[id(record)] in large else _OTHER_SIZES


def _require(model: str, records: Sequence[Record]) -> None:
    models = dict.fromkeys(record.workload.model for record in records)
    if model not in models:
        hint = did_you_mean(model, models, f"The models are {', '.join(models)}.")
        raise UserError(f"No record has the model {model!r}. {hint}")


def _baselines(records: Iterable[Record], model: str | None) -> dict[tuple[str, ...], Record]:
    """The first record of the model under each set of conditions."""
    found: dict[tuple[str, ...], Record] = {}
    for record in records:
        if record.workload.model == model:
            found.setdefault(conditions(record), record)
    return found


def _other_baselines(baselines: dict[tuple[str, ...], Record], members: Sequence[Record]) -> list[Record]:
    """Baselines that belong to another group but have the conditions of a record in this one."""
    present = {id(member) for member in members}
    needed = {conditions(member) for member in members}
    return [record for key, record in baselines.items() if key in needed and id(record) not in present]


def _order(view: View) -> Callable[[Record], Any]:
    """The sort key: baselines first, then numbers with the best first, text alphabetically, missing values last."""

    column = per_image((view.sort,))[0] if view.sort else None  # the same order whatever the batch

    def key(record: Record) -> tuple[bool, int, float, str]:
        value = column.value(record) if column else ""
        is_baseline = record.workload.model == view.relative_to
        if isinstance(value, str):
            return not is_baseline, 0, 0, value
        if isinstance(value, int | float):
            return not is_baseline, 0, -value if column and column.better == "more" else value, ""
        return not is_baseline, 1, 0, ""

    return key


def _table(records: Sequence[Record], view: View, title: str, caption: str) -> Table:
    varied = (*CONDITIONS, STARTED, ENVIRONMENT) if view.all_conditions else differing(records)
    shown = {column.key for column in view.columns}
    extra = [column_of(condition) for condition in varied if condition.key not in shown]
    columns = (view.columns[0], *extra, *view.columns[1:])
    if view.all_conditions:
        return tabulate(records, columns, title=title, caption=caption)
    told = (column.told(records) for column in columns if column.told)
    columns, said = _said_once(columns, records)
    remarks = (*said, *filter(None, told))
    table = _readable(tabulate(records, columns, title=title, caption=caption))
    return replace(table, remarks=remarks, brief=not view.wide)


def _readable(table: Table) -> Table:
    """The table with each column in the unit that its values read best in."""
    columns = list(table.columns)
    rows = [list(row) for row in table.rows]
    for place, column in enumerate(columns):
        values = (row[place].value for row in rows)
        unit = readable(column.unit, [one for one in values if isinstance(one, int | float)]) if column.unit else None
        if unit != column.unit:
            columns[place] = column._replace(unit=unit)
            for row in rows:
                row[place] = row[place].in_unit(unit or PLAIN)
    return replace(table, columns=tuple(columns), rows=tuple(map(tuple, rows)))


def _said_once(
    columns: Sequence[Column[Record]], records: Sequence[Record]
) -> tuple[tuple[Column[Record], ...], tuple[str, ...]]:
    """The columns without what all rows share, and the sentences that say it below the table."""
    kept: list[Column[Record]] = []
    remarks: list[str] = []
    for column in columns:
        known = (value for record in records if isinstance(value := column.value(record), str))
        values = set(known) if column.if_shared else set()
        if column.if_shared and len(values) == 1:
            remarks.append(column.if_shared(values.pop()))
        elif column.key == GRADE and len(records) > 1:
            has_device = any(one.key.startswith("device_") for one in columns)
            own, said = _grades(records, frozenset() if has_device else frozenset({EAGER}))
            kept.append(own)
            remarks += [f"All rows: {', '.join(sorted(said))}."] if said else []
        else:
            kept.append(column)
    return tuple(kept), tuple(remarks)


def _grades(records: Sequence[Record], ignored: frozenset[str]) -> tuple[Column[Record], frozenset[str]]:
    """The column of grades without the reasons that all rows share, and these but for ignored ones.

    A grade takes milliseconds to find.
    """
    grades = {id(record): graded(record) for record in records}
    shared = frozenset.intersection(*(frozenset(grade.reasons) for grade in grades.values()))
    said = shared - ignored
    return grade_column(shared, lambda record: grades[id(record)], said), said


def _with_ratios(
    table: Table, records: Sequence[Record], baselines: dict[tuple[str, ...], Record], model: str | None
) -> Table:
    """Add to each value its ratio to the baseline with the same conditions."""
    if model is None:
        return table
    row_of = {id(record): row for record, row in zip(records, table.rows, strict=True)}
    rows = []
    for record, row in zip(records, table.rows, strict=True):
        baseline = baselines.get(conditions(record))
        rows.append(row if baseline is None else _ratios(table.columns, row, row_of[id(baseline)]))
    remark = f"In parentheses: the ratio to {model} under the same conditions."
    if not any(conditions(record) in baselines for record in records):
        remark = f"No ratios: no record of {model} was made under these conditions."
    return replace(table, rows=tuple(rows), remarks=(*table.remarks, remark))


def _ratios(columns: Sequence[Column[Any]], row: TableRow, baseline: TableRow) -> TableRow:
    return tuple(
        cell._replace(ratio=_ratio(cell, base)) if column.better else cell
        for column, cell, base in zip(columns, row, baseline, strict=True)
    )


def _ratio(cell: Cell, base: Cell) -> float | None:
    """The ratio of two values; None if one is missing or a lower bound, or if they were taken in different ways."""
    if not isinstance(cell.value, int | float) or not isinstance(base.value, int | float):
        return None
    if cell.taken != base.taken or cell.taken == EAGER:
        return None
    return None if cell.lower_bound or base.lower_bound or not base.value else cell.value / base.value


def _mark_best(table: Table, row_conditions: Sequence[Hashable]) -> Table:
    """Mark the best value of each column among rows with the same conditions, and values indistinguishable from it."""
    best: set[tuple[int, int]] = set()
    for shared in set(row_conditions):
        numbers = [number for number, of_row in enumerate(row_conditions) if of_row == shared]
        for place, column in enumerate(table.columns):
            ways = {table.rows[number][place].taken for number in numbers} - {EAGER}
            for way in ways:
                alike = [number for number in numbers if table.rows[number][place].taken == way]
                winners = _best(column, [table.rows[number][place] for number in alike])
                best |= {(alike[winner], place) for winner in winners}
    rows = tuple(
        tuple(cell._replace(best=(number, place) in best) for place, cell in enumerate(row))
        for number, row in enumerate(table.rows)
    )
    return replace(table, rows=rows, remarks=(*table.remarks, _MARKED) if best else table.remarks)


def _best(column: Column[Any], cells: Sequence[Cell]) -> set[int]:
    """Rows with the best value; none if a lower bound might be better, or if all values are equal."""
    sign = -1 if column.better == "more" else 1
    values = {row: sign * cell.value for row, cell in enumerate(cells) if isinstance(cell.value, int | float)}
    if column.better is None or len(set(values.values())) < 2:
        return set()
    first = min(values, key=lambda row: values[row])
    bounds = [row for row in values if cells[row].lower_bound]
    if first in bounds or (bounds and column.better == "more"):
        return set()  # the true value behind a lower bound may be the best, or not
    return {row for row in values if values[row] == values[first] or _overlap(cells[row], cells[first])}


def _overlap(a: Cell, b: Cell) -> bool:
    if a.interval is None or b.interval is None:
        return False
    return a.interval[0] <= b.interval[1] and b.interval[0] <= a.interval[1]
