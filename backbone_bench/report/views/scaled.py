"""Columns in another convention: with a multiply-add as two FLOPs, or with everything for one image."""

from collections.abc import Sequence
from typing import TypeVar

from backbone_bench.records import Missing, Record
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.tables.table import Bounds, CellValue, Column
from backbone_bench.report.views.latency_columns import MODES

T = TypeVar("T")
# Columns that --flops-convention 2 doubles.
_DOUBLES = frozenset(
    {*(key for key, one in QUANTITIES.items() if one.multiply_adds), "cross_check_flops", "flops_per_byte"}
)


def doubled(columns: Sequence[Column[T]]) -> tuple[Column[T], ...]:
    """The same columns with a multiply-add counted as two FLOPs; their keys and titles say so."""
    return tuple(_doubled(column) if column.key in _DOUBLES else column for column in columns)


_TWICE, _PER_IMAGE = "_two_per_multiply_add", "_per_image"
PER_IMAGE = "All quantities are per image, but operations, which are of one call, and peaks of memory."
# Columns of one call, which `per_image` divides by the batch.
_PER_CALL = frozenset(
    {
        *(key for key, one in QUANTITIES.items() if one.per_call and key != "ops"),
        *(f"{mode}_{what}" for mode in MODES for what in ("min_s", "p90_s", "p99_s", "first_call_s")),
        "cross_check_flops",
    }
)


def per_image(columns: Sequence[Column[Record]]) -> tuple[Column[Record], ...]:
    """The same columns with everything for one image, as `PER_IMAGE` says; the keys of those that change say so."""
    divided = {column.key for column in columns if column.key.removesuffix(_TWICE) in _PER_CALL}
    return tuple(
        (_per_image(column) if column.key in divided else column)._replace(
            part_of=f"{column.part_of}{_PER_IMAGE}" if column.part_of in divided else column.part_of
        )
        for column in columns
    )


def _per_image(column: Column[Record]) -> Column[Record]:
    def value(record: Record) -> CellValue:
        whole = column.value(record)
        if isinstance(whole, Missing | str):
            return whole
        batch = record.workload.batch
        return whole // batch if isinstance(whole, int) and whole % batch == 0 else whole / batch

    def interval(record: Record) -> Bounds | Missing:
        assert column.interval is not None
        whole, batch = column.interval(record), record.workload.batch
        return whole if isinstance(whole, Missing) else (whole[0] / batch, whole[1] / batch)

    return column._replace(
        key=f"{column.key}{_PER_IMAGE}",
        value=value,
        interval=interval if column.interval else None,
    )


def _doubled(column: Column[T]) -> Column[T]:
    def twice(thing: T) -> CellValue:
        value = column.value(thing)
        return value if isinstance(value, Missing | str) else 2 * value

    return column._replace(
        key=f"{column.key}{_TWICE}", title=f"{column.title}, two per multiply-add", value=twice, remark=""
    )
