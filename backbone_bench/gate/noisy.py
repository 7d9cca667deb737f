"""What is measured is noisy: the rule that calls a slowdown only where it is one.

A side of a round is one process, and what is judged is the logarithm of the
ratio of a round's two sides (`paired`). Regressed: certainly worse (one-sided,
95 %, Holm over everything that is judged together) and worse by more than the
threshold. Rounds are doubled once unless all is clearly well, and what has
regressed must do so again on fresh processes before anything fails.
"""

import math
import statistics
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from backbone_bench.gate.verdicts import GateVerdict
from backbone_bench.stats import ratios, samples

ALPHA = 0.05


class SeriesKey(NamedTuple):
    """One quantity of one workload."""

    subject: str
    metric: str


class Spread(NamedTuple):
    """The noise of earlier rounds: for where there is one round, which says nothing of its own."""

    stdev: float  # of the logarithms
    df: int


@dataclass(frozen=True, slots=True)
class Series:
    """The rounds of one quantity, and what is asked of it."""

    changes: tuple[float, ...]  # logarithms of head over base
    threshold: float  # the share that it may be worse
    informal: bool = False  # shown, but no part of the family and no reason to fail
    known: Spread | None = None

    def more(self, other: "Series | None") -> "Series":
        """The same with further rounds."""
        return self if other is None else replace(self, changes=self.changes + other.changes)

    @property
    def is_calibrated(self) -> bool:
        """Whether the noise is that of earlier rounds."""
        return len(self.changes) == 1 and self.known is not None

    @property
    def spread(self) -> Spread | None:
        """The noise to judge by, if any is known."""
        if len(self.changes) < 2:
            return self.known
        return Spread(samples.stdev(self.changes), len(self.changes) - 1)

    def ratio(self) -> ratios.Ratio:
        """Head over base with the one-sided bounds at 95 %."""
        if not self.is_calibrated or self.known is None:
            return ratios.log_ratio_ci(self.changes, 1 - 2 * ALPHA)
        half = samples.student_t(self.known.df, 1 - 2 * ALPHA) * self.known.stdev
        return ratios.Ratio(*(ratios.ratio_of(self.changes[0] + shift) for shift in (0, -half, half)))

    def p_value_greater(self, bound: float = 0.0) -> float:
        """How likely this is where the truth is no more than `bound`."""
        if not self.is_calibrated or self.known is None or not self.known.stdev:
            return ratios.p_value_greater(self.changes, bound)
        return samples.t_beyond((self.changes[0] - bound) / self.known.stdev, self.known.df)

    @property
    def estimate(self) -> float:
        """The change that the rounds speak of, as a logarithm."""
        return statistics.fmean(self.changes)

    def p_value_less(self, bound: float = 0.0) -> float:
        return self.mirrored.p_value_greater(-bound)

    @property
    def mirrored(self) -> "Series":
        return replace(self, changes=tuple(-change for change in self.changes))


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one quantity, and on what."""

    verdict: GateVerdict
    series: Series
    is_clear: bool  # certainly no worse than allowed: no further rounds are needed
    rerun: Series | None = None  # of what had regressed at first


MeasureSeries = Callable[[Collection[str], int], Mapping[SeriesKey, Series]]  # subjects and rounds in, fresh rounds out


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """How much is measured before a verdict."""

    rounds: int = 5
    double: bool = True  # once, unless all is clearly well
    confirm: bool = True  # measure again what has regressed


def judge(family: Mapping[SeriesKey, Series]) -> dict[SeriesKey, Decision]:
    """A verdict on each; what is formal is one family, so that many tests together cry wolf no oftener than one."""
    formal = {key: series for key, series in family.items() if not series.informal}
    informal = {key: series for key, series in family.items() if series.informal}
    return {**_judge(formal), **_judge(informal)}


def _judge(family: Mapping[SeriesKey, Series]) -> dict[SeriesKey, Decision]:
    worse = ratios.holm([series.p_value_greater() for series in family.values()])
    better = ratios.holm([series.p_value_less() for series in family.values()])
    return {
        key: _decision(series, p_worse, p_better)
        for (key, series), p_worse, p_better in zip(family.items(), worse, better, strict=True)
    }


def _decision(series: Series, p_worse: float, p_better: float) -> Decision:
    allowed = math.log1p(series.threshold)
    is_clear = series.p_value_less(allowed) < ALPHA
    if p_worse < ALPHA and series.estimate > allowed:
        verdict = GateVerdict.REGRESSED
    elif p_better < ALPHA and series.estimate < -allowed:
        verdict = GateVerdict.IMPROVED
    else:
        verdict = GateVerdict.PASS if is_clear else GateVerdict.INCONCLUSIVE
    return Decision(verdict, series, is_clear)


def decide(measure: MeasureSeries, subjects: Collection[str], plan: RoundPlan) -> dict[SeriesKey, Decision]:
    """Measure and judge; double the rounds where needed; measure again what has regressed, and believe both or none."""
    decided = _decide(measure, subjects, plan)
    suspects = {key for key, decision in decided.items() if decision.verdict is GateVerdict.REGRESSED}
    if not plan.confirm or not suspects:
        return decided
    again = _decide(measure, _subjects(suspects), plan, only=suspects)
    for key in suspects:
        rerun = again.get(key)
        confirmed = rerun is not None and rerun.verdict is GateVerdict.REGRESSED
        verdict = GateVerdict.REGRESSED if confirmed else GateVerdict.INCONCLUSIVE
        decided[key] = replace(decided[key], verdict=verdict, rerun=rerun.series if rerun else None)
    return decided


def _decide(
    measure: MeasureSeries, subjects: Collection[str], plan: RoundPlan, only: Collection[SeriesKey] | None = None
) -> dict[SeriesKey, Decision]:
    def take(some: Collection[str]) -> dict[SeriesKey, Series]:
        return {key: series for key, series in measure(some, plan.rounds).items() if only is None or key in only}

    seen = take(subjects)
    decided = judge(seen)
    unclear = {key for key, decision in decided.items() if not decision.is_clear and not decision.series.informal}
    if not plan.double or not unclear:
        return decided
    more = take(_subjects(unclear))
    return judge({key: series.more(more.get(key)) for key, series in seen.items()})


def _subjects(keys: Collection[SeriesKey]) -> list[str]:
    """Each once, in a fixed order."""
    return sorted({key.subject for key in keys})


def min_detectable_effect(series: Series, plan: RoundPlan) -> float | None:
    """The least change that this plan calls in four cases of five; None where no noise is known, or no change is."""
    spread = series.spread
    if spread is None:
        return None
    if series.is_calibrated:
        least = ratios.min_detectable_effect(spread.stdev, 1, series.threshold, df=spread.df)
    else:
        least = ratios.min_detectable_effect(spread.stdev, plan.rounds * (1 + plan.double), series.threshold)
    return least if math.isfinite(least) else None
