"""Compare counts exactly: they are the same on every machine, so any difference is a change, intended or not.

The report names the modules whose cost changed, so that nobody has to search a
whole network for one changed convolution.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from backbone_bench.gate.tolerances import NOTHING_ALLOWED, Allowed, CountTolerance
from backbone_bench.gate.verdicts import CostChange, Direction, GateFinding, GateVerdict
from backbone_bench.records import Missing, ModelCost, OpCost
from backbone_bench.records.quantities import EXACT

_SHAPES = "shapes_sha256"  # digest of names and shapes of parameters and buffers, compared like a quantity

_Costs = tuple[int, int, int, int]  # FLOPs, access, traffic, operations
_NOTHING: _Costs = (0, 0, 0, 0)


def compare(
    subject: str, base: ModelCost | Missing, head: ModelCost | Missing, allowed: Allowed = NOTHING_ALLOWED
) -> list[GateFinding]:
    """A finding for each count that differs or is above its limit; a single `pass` if none does."""
    if isinstance(head, Missing):
        return [GateFinding(subject, "cost", GateVerdict.MISSING, reason=head.message)]
    above = limits(subject, head, allowed)
    if isinstance(base, Missing):
        new = GateFinding(subject, "cost", GateVerdict.NEW, reason=f"the baseline has no counts: {base.message}")
        return [*above, new]
    exceeded = {found.metric for found in above}
    changed = [found for found in _changed(subject, base, head, allowed) if found.metric not in exceeded]
    same = GateFinding(subject, "cost", GateVerdict.PASS, reason="every count is the same")
    return [*above, *changed] or [same]


def limits(subject: str, head: ModelCost | Missing, allowed: Allowed) -> list[GateFinding]:
    """A finding for each count above the limit that its tolerance sets, whatever the baseline has."""
    found: list[GateFinding] = []
    if isinstance(head, Missing):
        return found
    for metric, tolerance in allowed.items():
        after = getattr(head, metric)
        if tolerance.exceeds(after):
            reason = f"it is {after}, and its tolerance allows {tolerance.max:.0f}"
            found.append(
                GateFinding(subject, metric, GateVerdict.EXCEEDED, head=after, limit=tolerance.max, reason=reason)
            )
    return found


def _changed(subject: str, base: ModelCost, head: ModelCost, allowed: Allowed) -> Iterator[GateFinding]:
    differences = list(differing(base, head))
    where = moved(base, head) if differences else ()
    for metric, before, after in differences:
        direction = _direction(before, after)
        verdict = _verdict(metric, base, head, allowed)
        yield GateFinding(
            subject, metric, verdict, before, after, threshold=_threshold(allowed.get(metric)),
            moved=where, direction=direction, reason=_reason(direction, verdict),
        )  # fmt: skip


def differing(base: ModelCost, head: ModelCost) -> Iterator[tuple[str, int | str, int | str]]:
    """Key and both values of each count that differs, and of the digest of shapes; none that either side lacks."""
    for metric in (*(quantity.key for quantity in EXACT), _SHAPES):
        before, after = getattr(base, metric), getattr(head, metric)
        if before != after and not isinstance(before, Missing) and not isinstance(after, Missing):
            yield metric, before, after


def _verdict(metric: str, base: ModelCost, head: ModelCost, allowed: Allowed) -> GateVerdict:
    """`changed`, unless a tolerance allows the difference.

    Other parameters have other shapes, so a tolerance of their number is one of the shapes, if the number differs.
    """
    judged = "params" if metric == _SHAPES and base.params != head.params else metric
    tolerance = allowed.get(judged)
    if tolerance is None or not tolerance.allows(getattr(base, judged), getattr(head, judged)):
        return GateVerdict.CHANGED
    is_lower = metric != _SHAPES and getattr(head, metric) < getattr(base, metric)
    return GateVerdict.IMPROVED if is_lower else GateVerdict.PASS


def _threshold(tolerance: CountTolerance | None) -> float | None:
    return None if tolerance is None or tolerance.increase_percent is None else tolerance.increase_percent / 100


def _reason(direction: Direction, verdict: GateVerdict) -> str:
    tolerated = "" if verdict is GateVerdict.CHANGED else ", which a tolerance allows"
    return f"{_REASONS[direction]}{tolerated}"


def _direction(base: int | str, head: int | str) -> Direction:
    if isinstance(base, str) or isinstance(head, str):
        return "other"
    return "worse" if head > base else "better"


_REASONS: Mapping[Direction, str] = {
    "worse": "worse: it costs more",
    "better": "better: it costs less",
    "other": "names or shapes of parameters or buffers differ",
}


def moved(base: ModelCost, head: ModelCost) -> tuple[CostChange, ...]:
    """The cost changes by module and operation, the largest share of the total first."""
    before, after = _rows(base.by_op), _rows(head.by_op)
    whole = (head.flops or 1, head.traffic_elems or 1)
    rows = (_cost_change(key, before.get(key), after.get(key)) for key in dict.fromkeys((*after, *before)))
    differing = (row for row in rows if row is not None)
    return tuple(sorted(differing, key=lambda row: -max(abs(row.flops) / whole[0], abs(row.traffic_elems) / whole[1])))


def _rows(by_op: Iterable[OpCost]) -> Mapping[tuple[str, str], _Costs]:
    sums: dict[tuple[str, str], _Costs] = {}
    for row in by_op:
        flops, access, traffic, ops = sums.get((row.module, row.kind), _NOTHING)
        known = 0 if isinstance(row.flops, Missing) else row.flops
        sums[row.module, row.kind] = (
            flops + known,
            access + row.access_elems,
            traffic + row.traffic_elems,
            ops + row.calls,
        )
    return sums


def _cost_change(key: tuple[str, str], before: _Costs | None, after: _Costs | None) -> CostChange | None:
    if before == after:
        return None
    flops, access, traffic, ops = (new - old for old, new in zip(before or _NOTHING, after or _NOTHING, strict=True))
    state: Literal["added", "removed", "changed"] = (
        "added" if before is None else "removed" if after is None else "changed"
    )
    return CostChange(*key, flops, access, traffic, ops, state)
