"""Measured quantities of a gate: from the records of both sides to series, and from decisions to findings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isinf
from statistics import geometric_mean
from typing import NamedTuple

from backbone_bench.gate.noisy import Decision, RoundPlan, Series, Spread, min_detectable_effect
from backbone_bench.gate.verdicts import GateFinding, GateVerdict, MeasuredChange
from backbone_bench.records import Known, Missing, Record, fingerprint, meanings, was_requested
from backbone_bench.records.grade import flags
from backbone_bench.records.quantities import MEASURED, MeasuredKind, Quantity
from backbone_bench.stats import ratios
from backbone_bench.versus.rule import values


class BaseHead(NamedTuple):
    """The records of one round: base (the older side) and head (the newer), one process each."""

    base: Record
    head: Record


# The share by which each kind of quantity may get worse.
THRESHOLDS: Mapping[MeasuredKind, float] = {"latency": 0.03, "energy": 0.05, "memory": 0.05}
OTHER_SILICON = 0.05  # added to the threshold for two cards or hosts of one model, which differ by 3 to 5 %
_SILICON = frozenset({"gpu.uuid", "host"})


def value(record: Record, quantity: Quantity) -> Known[float]:
    """Value of a quantity in a record; Missing with a reason if it is not there or zero."""
    found = quantity.of(record)
    if isinstance(found, Missing):
        return found
    return float(found) if found > 0 else Missing("zero", "nothing was measured")


def is_measured(record: Record) -> bool:
    return any(not isinstance(value(record, metric), Missing) for metric in MEASURED)


Noise = Mapping[tuple[str, str], Spread]  # by fingerprint and metric: noise of the rounds of a calibration


def series(rounds: Sequence[BaseHead], thresholds: Mapping[MeasuredKind, float], noise: Noise) -> dict[str, Series]:
    """The series of each metric that both sides have; empty if the two sides are not comparable."""
    base, head = rounds[0]
    differing = fingerprint.differences(base, head)
    if not fingerprint.comparable(differing):
        return {}
    extra = OTHER_SILICON if any(difference.field in _SILICON for difference in differing) else 0.0
    found = {}
    for metric in MEASURED:
        if metric.refused(head, base):
            continue
        pairs = values(_head_over_base(rounds), metric, per_image=False)
        if not isinstance(pairs, Missing):
            found[metric.key] = Series(
                changes=tuple(ratios.logs(pairs)),
                threshold=thresholds[_kind(metric)] + extra,
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
    """Findings on sides that are not comparable, and on quantities that only one side has."""
    base, head = rounds[0]
    if is_measured(base) and is_measured(head):
        differing = [str(one) for one in fingerprint.differences(base, head) if one.must]
        if differing:
            yield GateFinding(subject, "measured", GateVerdict.INCOMPARABLE, reason="; ".join(differing))
            return
    for metric in MEASURED:
        before, now = value(base, metric), value(head, metric)
        if isinstance(now, Missing) and not isinstance(before, Missing) and was_requested(now):
            yield GateFinding(
                subject, metric.key, GateVerdict.MISSING, before, reason=now.message, informal=metric.informational
            )
        elif not isinstance(now, Missing) and not isinstance(before, Missing) and (why := metric.refused(head, base)):
            yield GateFinding(subject, metric.key, GateVerdict.NEW, None, now, reason=why.message)
        elif isinstance(before, Missing) and not isinstance(now, Missing):
            yield GateFinding(
                subject, metric.key, GateVerdict.NEW, None, now, reason=f"the baseline has none: {before.message}"
            )


def remarks(rounds: Sequence[BaseHead]) -> list[str]:
    """Remarks on differences between comparable sides that may matter, and on flags."""
    base, head = rounds[0]
    if not is_measured(base) or not is_measured(head):
        return []
    differing = [one for one in fingerprint.differences(base, head) if not one.must]
    found = [f"The two sides differ in: {'; '.join(map(str, differing))}."] if differing else []
    if any(one.field in _SILICON for one in differing):
        found.append(f"Another card or host of the same model: {100 * OTHER_SILICON:.0f} % more is allowed.")
    return [*found, *_flag_remarks(rounds)]


def _flag_remarks(rounds: Sequence[BaseHead]) -> Iterator[str]:
    """Flags of the processes, how many processes have each, and what it means."""
    counts = Counter(flag for sides in rounds for record in sides for flag in flags(record))
    if counts:
        listed = ", ".join(f"{flag} in {count}" for flag, count in counts.most_common())
        yield f"Flags of the {2 * len(rounds)} processes: {listed}. {meanings(counts)}".rstrip()


def finding(
    subject: str, metric: Quantity, decision: Decision, rounds: Sequence[BaseHead], plan: RoundPlan
) -> GateFinding:
    """The finding of a decision; base and head are geometric means, so that their ratio is the change."""
    judged = rounds[: len(decision.series.changes)]  # the rounds of a confirming rerun come after them
    used = values(_head_over_base(judged), metric, per_image=False)
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
    """Geometric mean; equal values give exactly that value, without a rounding error."""
    return values[0] if len(set(values)) == 1 else geometric_mean(values)


def _change(series: Series) -> MeasuredChange:
    estimate, low, high = series.ratio()
    is_open = len(series.changes) < 2 and not series.is_calibrated
    return MeasuredChange(
        estimate, None if is_open else low, None if is_open or isinf(high) else high, len(series.changes),
        source="calibration" if series.is_calibrated else "rounds",
    )  # fmt: skip


def _reason(decision: Decision) -> str:
    if decision.verdict is not GateVerdict.INCONCLUSIVE:
        return ""
    if decision.rerun is not None:
        return "the first rounds showed a regression, but a rerun on fresh processes did not confirm it"
    if decision.series.spread is None:
        return "one process per side does not show the noise between processes: --update-baseline stores several"
    return "the noise is too large to decide whether it is worse than allowed"
