"""Every operation of records in one table, for programs: what it counts, and its time if it was taken."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from backbone_bench.base.units import M_ELEMENTS, MILLISECONDS
from backbone_bench.records import OpCost, OpTime, Record
from backbone_bench.report.tables.table import CellValue, Column, Table, tabulate
from backbone_bench.report.views.columns import doubled
from backbone_bench.report.views.layers import count_column
from backbone_bench.report.views.times import joined

_COUNTS = ("flops", "reduction_depth", "access_elems", "cio_elems", "traffic_elems", "traffic_bytes")


class OperationRow(NamedTuple):
    """One kind of operation in one module of a record. A time of several rows of costs stands beside the first."""

    record: Record
    cost: OpCost | None
    time: OpTime | None


def operation_table(records: Sequence[Record], *, twice: bool = False) -> Table:
    """Make one table of every operation of every record; `twice` with two FLOPs per multiply-add."""
    columns: Sequence[Column[OperationRow]] = (
        Column("model", "model", lambda row: row.record.workload.model),
        Column("record", "record", lambda row: row.record.id),
        Column("module", "module", _of_either("module")),
        Column("op", "kind", _of_either("op")),
        Column("phase", "phase", _of_cost("phase")),
        Column("groups", "groups", _of_cost("groups")),
        Column("out_elems", "output elements", _of_cost("out_elems"), M_ELEMENTS),
        count_column("ops", _of_cost("calls"), key="calls"),
        *(count_column(key, _of_cost(key)) for key in _COUNTS),
        *(_TIMES if any(record.layer_times is not None for record in records) else ()),
    )
    return tabulate(list(_rows(records)), doubled(columns) if twice else columns)


def _rows(records: Iterable[Record]) -> Iterator[OperationRow]:
    for record in records:
        for op in joined(record):
            first, *more = op.costs or (None,)
            yield OperationRow(record, first, op.time)
            yield from (OperationRow(record, cost, None) for cost in more)


def _of_cost(key: str) -> Callable[[OperationRow], CellValue]:
    """A count of an operation; empty if it has none, as what is no convolution has no groups."""
    return lambda row: _value(row.cost, key)


def _of_time(key: str) -> Callable[[OperationRow], CellValue]:
    return lambda row: _value(row.time, key)


def _of_either(key: str) -> Callable[[OperationRow], CellValue]:
    return lambda row: _value(row.cost if row.cost is not None else row.time, key)


def _value(part: OpCost | OpTime | None, key: str) -> CellValue:
    found = getattr(part, key, None)
    return "" if found is None else found


_TIMES: Sequence[Column[OperationRow]] = (
    Column("form", "kernel", _of_time("form")),
    Column("time_s", "time", _of_time("time_s"), MILLISECONDS),
    Column("launches", "launches", _of_time("launches")),
    Column("short_launches", "launches below 5 µs", _of_time("short_launches")),
    Column("short_s", "time below 5 µs", _of_time("short_s"), MILLISECONDS),
)
