"""A record with less to keep: a row of cost for each kind of operation in place of one for each module.

Every total stays; a paired comparison of two deep networks shrinks from megabytes to what the clock said.
"""

from dataclasses import replace

from backbone_bench.records import Known, Missing, OpCost, Record


def condensed(record: Record) -> Record:
    if isinstance(record.cost, Missing):
        return record
    rows: dict[tuple[str, bool], OpCost] = {}
    for row in record.cost.by_op:
        kind = row.op, isinstance(row.flops, Missing)
        rows[kind] = _joined(rows[kind], row) if kind in rows else replace(row, module="")
    return replace(record, cost=replace(record.cost, by_op=tuple(rows.values())))


def _joined(one: OpCost, other: OpCost) -> OpCost:
    return replace(
        one,
        calls=one.calls + other.calls,
        flops=_sum(one.flops, other.flops),
        access_elems=one.access_elems + other.access_elems,
        cio_elems=one.cio_elems + other.cio_elems,
        traffic_elems=one.traffic_elems + other.traffic_elems,
        traffic_bytes=one.traffic_bytes + other.traffic_bytes,
    )


def _sum(one: Known[int], other: Known[int]) -> Known[int]:
    return one if isinstance(one, Missing) or isinstance(other, Missing) else one + other
