"""Condensed records: one cost row for each kind of operation instead of one for each module.

Every total stays; a paired comparison of two deep networks shrinks from megabytes to its measurements.
"""

from dataclasses import replace

from backbone_bench.records import Known, Missing, OpCost, Record, TrainingPhase


def condensed(record: Record) -> Record:
    if isinstance(record.cost, Missing):
        return record
    rows: dict[tuple[str, TrainingPhase, int | None, bool], OpCost] = {}
    for row in record.cost.by_op:
        kind = row.op, row.phase, row.groups, isinstance(row.flops, Missing)
        rows[kind] = _added(rows[kind], row) if kind in rows else replace(row, module="")
    return replace(record, cost=replace(record.cost, by_op=tuple(rows.values())))


def _added(total: OpCost, row: OpCost) -> OpCost:
    return replace(
        total,
        calls=total.calls + row.calls,
        flops=_sum(total.flops, row.flops),
        access_elems=total.access_elems + row.access_elems,
        cio_elems=total.cio_elems + row.cio_elems,
        traffic_elems=total.traffic_elems + row.traffic_elems,
        traffic_bytes=total.traffic_bytes + row.traffic_bytes,
        out_elems=_sum_of_shapes(total.out_elems, row.out_elems),
        reduction_depth=_sum_of_shapes(total.reduction_depth, row.reduction_depth),
    )


def _sum_of_shapes(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def _sum(left: Known[int], right: Known[int]) -> Known[int]:
    return left if isinstance(left, Missing) or isinstance(right, Missing) else left + right
