"""From the records of both sides to a series of each quantity that was measured, and from its verdict to a finding."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import isinf
from statistics import geometric_mean
from typing import NamedTuple

from backbone_bench.gate.noisy import Decision, RoundPlan, Series, Spread, min_detectable_effect
from backbone_bench.gate.verdicts import GateFinding, GateVerdict, MeasuredChange
from backbone_bench.records import (
    Energy,
    Known,
    Latencies,
    Latency,
    Missing,
    Record,
    Watch,
    fingerprint,
    meanings,
    was_asked,
)
from backbone_bench.records.quantities import MEASURED, MeasuredKind, Quantity
from backbone_bench.stats import ratios
from backbone_bench.versus.rule import values


class BaseHead(NamedTuple):
    """The records of one round: the older side and the newer, one process each."""

    base: Record
    head: Record


# How much worse each may be.
THRESHOLDS: Mapping[MeasuredKind, float] = {"latency": 0.03, "energy": 0.05, "memory": 0.05}
OTHER_SILICON = 0.05  # allowed on top where cards or hosts of one model differ: among themselves they do by 3 to 5 %
_SILICON = frozenset({"gpu.uuid", "host"})


def value(record: Record, quantity: Quantity) -> Known[float]:
    """The quantity of a record, or why it is not there."""
    found = quantity.of(record)
    if isinstance(found, Missing):
        return found
    return float(found) if found > 0 else Missing("zero", "nothing was measured")


def is_measured(record: Record) -> bool:
    return any(not isinstance(value(record, metric), Missing) for metric in MEASURED)


Noise = Mapping[tuple[str, str], Spread]  # by fingerprint and metric: how the rounds of A against A differ


def series(rounds: Sequence[BaseHead], thresholds: Mapping[MeasuredKind, float], noise: Noise) -> dict[str, Series]:
    """What can be compared, by metric: nothing where the two sides are not comparable."""
    base, head = rounds[0]
    differing = fingerprint.differences(base, head)
    if not fingerprint.comparable(differing):
        return {}
    more = OTHER_SILICON if any(difference.field in _SILICON for difference in differing) else 0.0
    found = {}
    for metric in MEASURED:
        pairs = values(_head_over_base(rounds), partial(value, quantity=metric))
        if not isinstance(pairs, Missing):
            found[metric.key] = Series(
                changes=tuple(ratios.logs(pairs)),
                threshold=thresholds[_kind(metric)] + more,
                informal=metric.informational or len(pairs) == 1,
                known=noise.get((fingerprint.digest(head.workload, head.environment), metric.key)),
            )
    return found


def _head_over_base(rounds: Sequence[BaseHead]) -> Iterator[tuple[Record, Record]]:
    return ((one.head, one.base) for one in rounds)


def _kind(quantity: Quantity) -> MeasuredKind:
    assert quantity.measured_as is not None  # it is one of MEASURED
    return quantity.measured_as


def one_sided(subject: str, rounds: Sequence[BaseHead]) -> Iterator[GateFinding]:
    """What only one of the two sides has, and sides that cannot be compared."""
    base, head = rounds[0]
    if is_measured(base) and is_measured(head):
        unlike = [str(one) for one in fingerprint.differences(base, head) if one.must]
        if unlike:
            yield GateFinding(subject, "measured", GateVerdict.INCOMPARABLE, reason="; ".join(unlike))
            return
    for metric in MEASURED:
        before, now = value(base, metric), value(head, metric)
        if isinstance(now, Missing) and not isinstance(before, Missing) and was_asked(now):
            yield GateFinding(
                subject, metric.key, GateVerdict.MISSING, before, reason=now.message, informal=metric.informational
            )
        elif isinstance(before, Missing) and not isinstance(now, Missing):
            yield GateFinding(
                subject, metric.key, GateVerdict.NEW, None, now, reason=f"the baseline has none: {before.message}"
            )


def remarks(rounds: Sequence[BaseHead]) -> list[str]:
    """What differs between comparable sides and may matter."""
    base, head = rounds[0]
    if not is_measured(base) or not is_measured(head):
        return []
    differing = [one for one in fingerprint.differences(base, head) if not one.must]
    told = [f"Not the same on both sides: {'; '.join(map(str, differing))}."] if differing else []
    if any(one.field in _SILICON for one in differing):
        told.append(f"Another card or host of the same model: {100 * OTHER_SILICON:.0f} % more is allowed.")
    return [*told, *_flagged(rounds)]


def _flagged(rounds: Sequence[BaseHead]) -> Iterator[str]:
    """What the processes said of the circumstances under which they measured."""
    counts = Counter(flag for sides in rounds for record in sides for flag in _flags(record))
    if counts:
        told = ", ".join(f"{flag} in {count}" for flag, count in counts.most_common())
        yield f"Flags of the {2 * len(rounds)} processes: {told}. {meanings(counts)}".rstrip()


def _flags(record: Record) -> set[str]:
    parts: list[Record | Latency | Energy | Watch | Missing] = [record, record.energy, record.watch]
    if isinstance(record.latency, Latencies):
        parts += [record.latency.wall, record.latency.device, record.latency.graph]
    return {flag for part in parts if not isinstance(part, Missing) for flag in part.flags}


def finding(
    subject: str, metric: Quantity, decision: Decision, rounds: Sequence[BaseHead], plan: RoundPlan
) -> GateFinding:
    """A verdict with what it stands on; base and head are geometric means, so that their ratio is the change."""
    judged = rounds[: len(decision.series.changes)]  # the rerun of a suspect comes after them
    used = values(_head_over_base(judged), partial(value, quantity=metric))
    assert not isinstance(used, Missing)
    return GateFinding(
        subject,
        metric.key,
        decision.verdict,
        base=_mean([pair.denominator for pair in used]),
        head=_mean([pair.numerator for pair in used]),
        change=_change(decision.series),
        threshold=decision.series.threshold,
        detectable=min_detectable_effect(decision.series, plan),
        confirmed=_change(decision.rerun) if decision.rerun else None,
        reason=_reason(decision),
        informal=decision.series.informal,
    )


def _mean(values: Sequence[float]) -> float:
    """The geometric mean; of equal values that value, to the last digit."""
    return values[0] if len(set(values)) == 1 else geometric_mean(values)


def _change(of: Series) -> MeasuredChange:
    point, low, high = of.ratio()
    is_open = len(of.changes) < 2 and not of.is_calibrated
    return MeasuredChange(
        point, None if is_open else low, None if is_open or isinf(high) else high, len(of.changes),
        source="calibration" if of.is_calibrated else "rounds",
    )  # fmt: skip


def _reason(decision: Decision) -> str:
    if decision.verdict is not GateVerdict.INCONCLUSIVE:
        return ""
    if decision.rerun is not None:
        return "it looked regressed, and a rerun on fresh processes did not confirm it"
    if decision.series.spread is None:
        return "one process a side says nothing of the noise between processes: --update-baseline keeps several"
    return "the noise leaves open whether it is worse than allowed"
