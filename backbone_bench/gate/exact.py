"""What is counted compares exactly, on any machine: any difference is a change, and somebody meant it or did not.

The report names the modules in which the cost moved, so that a change of one
convolution is not looked for in a whole network.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from backbone_bench.gate.verdicts import CostChange, Direction, GateFinding, GateVerdict
from backbone_bench.records import Missing, ModelCost, OpCost
from backbone_bench.records.quantities import EXACT

_SHAPES = "shapes_sha256"  # no quantity, and compared as one: names and shapes of parameters and buffers

_Costs = tuple[int, int, int, int]  # FLOPs, access, traffic, operations


def compare(subject: str, base: ModelCost | Missing, head: ModelCost | Missing) -> list[GateFinding]:
    """A finding for each quantity that differs; one `pass` for all where none does."""
    if isinstance(head, Missing):
        return [GateFinding(subject, "cost", GateVerdict.MISSING, reason=head.message)]
    if isinstance(base, Missing):
        return [GateFinding(subject, "cost", GateVerdict.NEW, reason=f"the baseline has no counts: {base.message}")]
    changed = list(_changed(subject, base, head))
    return changed or [GateFinding(subject, "cost", GateVerdict.PASS, reason="every count is the same")]


def _changed(subject: str, base: ModelCost, head: ModelCost) -> Iterator[GateFinding]:
    where = moved(base, head)
    for metric in (*(quantity.key for quantity in EXACT), _SHAPES):
        one, other = getattr(base, metric), getattr(head, metric)
        if one != other and not isinstance(one, Missing) and not isinstance(other, Missing):
            direction = _direction(one, other)
            yield GateFinding(
                subject, metric, GateVerdict.CHANGED, one, other,
                moved=where, direction=direction, reason=_REASONS[direction],
            )  # fmt: skip


def _direction(base: int | str, head: int | str) -> Direction:
    if isinstance(base, str) or isinstance(head, str):
        return "other"
    return "worse" if head > base else "better"


_REASONS: Mapping[Direction, str] = {
    "worse": "worse: it costs more",
    "better": "better: it costs less",
    "other": "names or shapes of parameters and buffers are others",
}


def moved(base: ModelCost, head: ModelCost) -> tuple[CostChange, ...]:
    """The rows in which the cost differs, the largest share of its total first."""
    before, after = _rows(base.by_op), _rows(head.by_op)
    whole = (head.flops or 1, head.traffic_elems or 1)
    rows = (_moved(key, before.get(key), after.get(key)) for key in dict.fromkeys((*after, *before)))
    differing = (row for row in rows if row is not None)
    return tuple(sorted(differing, key=lambda row: -max(abs(row.flops) / whole[0], abs(row.traffic_elems) / whole[1])))


def _rows(by_op: Iterable[OpCost]) -> Mapping[tuple[str, str], _Costs]:
    return {
        (row.module, row.op): (
            0 if isinstance(row.flops, Missing) else row.flops,
            row.access_elems,
            row.traffic_elems,
            row.calls,
        )
        for row in by_op
    }


def _moved(key: tuple[str, str], before: _Costs | None, after: _Costs | None) -> CostChange | None:
    if before == after:
        return None
    nothing = (0, 0, 0, 0)
    flops, access, traffic, ops = (new - old for old, new in zip(before or nothing, after or nothing, strict=True))
    state: Literal["added", "removed", "changed"] = (
        "added" if before is None else "removed" if after is None else "changed"
    )
    return CostChange(*key, flops, access, traffic, ops, state)
