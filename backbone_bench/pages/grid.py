"""The table of the page: columns in groups that fold, one line a row, and what all rows share said once above it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from backbone_bench.pages.cells import GridCell, cell_of
from backbone_bench.records import Record
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.plots.alike import largest
from backbone_bench.report.tables.table import Cell, Column, Table, with_columns, without_empty
from backbone_bench.report.views import depth
from backbone_bench.report.views.columns import named
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.conditions import CONDITIONS, ENVIRONMENT, STARTED
from backbone_bench.report.views.grade_column import GRADE
from backbone_bench.report.views.scaled import PER_IMAGE, per_image

COLUMNS = named(
    "model,grade,device_work_s,wall_s,graph_s,device_s,launch_bound,"
    "images_per_s,flops_per_s,gross_per_image_j,energy_runs,net_per_image_j,wall_per_image_j,"
    "paper_per_image_j,top1_fraction,top1_weights,params,flops,reduction_depth,access_elems,traffic_elems,ops,"
    "peak_activation_bytes,peak_allocated_bytes,peak_resident_bytes,uncounted,cross_check_flops,"
    "cross_check_explanation,record"
)
_MODULE = re.compile(r"^[\w.]+\.(?=\w+:)")  # the packages of `package.module:model`
# The keys of each group; the first few stay when it is folded. A column of no group stands under "more".
_MEMORY = ("peak_allocated_bytes", "peak_resident_bytes", "peak_activation_bytes", "peak_reserved_bytes")
_GROUPS = {
    "": ("model", GRADE, *(one.key for one in CONDITIONS)),
    "time": ("device_work_s", "wall_s", "launch_bound"),
    "energy": ("gross_per_image_j", "energy_runs"),
    "accuracy": ("top1_fraction", "top1_weights"),
    "cost": ("flops", "reduction_depth", "params", "access_elems", "traffic_elems", "ops"),
    "memory": _MEMORY,
}
_KEPT = {"": 99, "time": 3, "energy": 1, "accuracy": 1, "cost": 2, "memory": 1, "more": 0}
_PATHS = {"latency": "time", "rates": "time", "device_work": "time", "energy": "energy", "wall_energy": "energy",
          "cost": "cost", "memory": "memory"}  # fmt: skip


class ColumnGroup(NamedTuple):
    """Columns under one heading that fold together; the first few stay."""

    name: str
    columns: tuple[Column[Any], ...]
    stays: int  # how many


class Grid(NamedTuple):
    """A table of records of one environment."""

    caption: str
    shared: str  # what all rows have in common
    groups: tuple[ColumnGroup, ...]
    lines: tuple[tuple[GridCell, ...], ...]
    below: tuple[str, ...]


def grids(records: Sequence[Record], view: View) -> tuple[Grid, ...]:
    """Make one grid per environment: the largest group of equal conditions first, and in it the least device work."""
    batched = any(record.workload.batch > 1 for record in records)
    columns = per_image(view.columns) if batched else view.columns
    wide = replace(view, columns=columns, all_conditions=True)
    ordered = [record for group in largest(records) for record in sorted(group.records, key=_work_s)]
    caption, remarks = PER_IMAGE if batched else "", tuple(filter(None, [depth.remark(records)]))
    tables = (without_empty(table) for table in compare(ordered, wide))
    return tuple(
        _grid(replace(table, caption=f"{table.caption} {caption}".rstrip(), remarks=(*table.remarks, *remarks)))
        for table in tables
    )


def _work_s(record: Record) -> float:
    value = QUANTITIES["device_work_s"].of(record)
    return value if isinstance(value, int | float) else float("inf")


def _grid(table: Table) -> Grid:
    table = _with_reasons(_with_arguments(table))
    keys = [column.key.removesuffix("_per_image") for column in table.columns]
    constant = [
        (len(table.rows) > 1 or key in _IN_CAPTION) and _is_constant(row[place] for row in table.rows)
        for place, key in enumerate(keys)
    ]
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        if key in ("model", GRADE, "reasons") or not constant[place]:
            places.setdefault(_group_of(table.columns[place], key), []).append(place)
    chosen = {
        name: sorted(places[name], key=lambda place: _rank(name, keys[place]))
        for name in (*_GROUPS, "more")
        if name in places
    }
    groups = tuple(_named_group(name, [table.columns[place] for place in members]) for name, members in chosen.items())
    classes = {
        place: _classes(group, number, name)
        for (name, members), group in zip(chosen.items(), groups, strict=True)
        for number, place in enumerate(members)
    }
    return Grid(
        table.caption,
        _said(table, [place for place in range(len(keys)) if place not in classes]),
        groups,
        tuple(
            tuple(cell_of(table.columns[place], row[place], classes[place]) for place in classes) for row in table.rows
        ),
        table.below,
    )


def _with_reasons(table: Table) -> Table:
    """The table with a last column that has the grade in words, for those who cannot point at its mark."""
    place = next((number for number, column in enumerate(table.columns) if column.key == GRADE), None)
    if place is None:
        return table
    reasons = table.columns[place]._replace(key="reasons", title="grade and its reasons", glossary=None)
    return replace(table, columns=(*table.columns, reasons), rows=tuple((*row, row[place]) for row in table.rows))


def _with_arguments(table: Table) -> Table:
    """The table with the arguments of a model behind its name, and modules without their packages."""
    keys = [column.key for column in table.columns]
    names = [row[0].text for row in table.rows]  # the model is the first column
    short = [name.rpartition("/")[2] if "/" in name else _MODULE.sub("", name) for name in names]
    if len(set(short)) < len(set(names)):
        short = names
    place = keys.index("arguments") if "arguments" in keys else None
    rows = []
    for name, row in zip(short, table.rows, strict=True):
        arguments = "" if place is None else row[place].text
        model = row[0]._replace(text=f"{name} {arguments}".rstrip(), value=f"{row[0].text} {arguments}".rstrip())
        rows.append((model, *row[1:]))
    named = replace(table, rows=tuple(rows))
    return named if place is None else with_columns(named, [number for number in range(len(keys)) if number != place])


def _classes(group: ColumnGroup, number: int, name: str) -> str:
    """The CSS classes of a cell: the first of a group has an edge, and those that fold have the group's name."""
    folds = f"f-{name}" if number >= group.stays else ""
    return " ".join(filter(None, ("edge" if name and not number else "", folds)))


def _is_constant(cells: Iterable[Cell]) -> bool:
    return len({(cell.text, cell.note, cell.ratio) for cell in cells}) == 1


def _group_of(column: Column[Any], key: str) -> str:
    """The group of a column: that of its key, of the column it belongs to, or of the part of the record it is from."""
    for name, keys in _GROUPS.items():
        if key in keys or column.part_of.removesuffix("_per_image") in keys:
            return name
    return _PATHS.get(QUANTITIES[key].path.partition(".")[0], "more") if key in QUANTITIES else "more"


def _rank(group: str, key: str) -> int:
    keys = _GROUPS.get(group, ())
    return keys.index(key) if key in keys else len(keys)


def _named_group(name: str, columns: Sequence[Column[Any]]) -> ColumnGroup:
    return ColumnGroup(name, tuple(columns), min(_KEPT[name], len(columns)))


# The caption says the conditions and the environment already.
_IN_CAPTION = {one.key for one in (*CONDITIONS, STARTED, ENVIRONMENT)}


def _said(table: Table, left_out: Sequence[int]) -> str:
    """What all rows have in common, column by column, but for what the caption says."""
    texts, sentences = [], []
    for column, cell in ((table.columns[place], table.rows[0][place]) for place in left_out):
        if column.if_shared is not None:
            sentences.append(column.if_shared(cell.text))
        elif cell.text and not cell.note and column.key not in _IN_CAPTION:
            texts.append(f"{column.heading} {cell.text}")
    return " ".join((*([f"All rows: {'; '.join(texts)}."] if texts else []), *sentences))
