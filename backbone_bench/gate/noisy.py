"""The decision rule for measured quantities, which are noisy.

A side of a round is one process; the rule tests the logarithms of the ratios of
the rounds (`stats.ratios`). Regressed: significantly worse (one-sided t-test at
95 % confidence, Holm correction over all quantities tested together) and worse
by more than the threshold. The rounds are doubled once unless every quantity is
clear, and a rerun on fresh processes must confirm a regression before the gate
fails.
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
    """Noise between rounds; a single round has none of its own and uses that of a calibration."""

    stdev: float  # of the logarithms of the ratios
    df: int  # degrees of freedom


@dataclass(frozen=True, slots=True)
class Series:
    """The rounds of one quantity, and how they are judged."""

    changes: tuple[float, ...]  # logarithms of head over base
    threshold: float  # the share by which it may get worse
    informal: bool = False  # informational: shown, but not part of the Holm family and never a failure
    known: Spread | None = None  # of a calibration

    def more(self, further: "Series | None") -> "Series":
        """This series with further rounds."""
        return self if further is None else replace(self, changes=self.changes + further.changes)

    @property
    def is_calibrated(self) -> bool:
        """Whether the noise comes from a calibration, because there is only one round."""
        return len(self.changes) == 1 and self.known is not None

    @property
    def spread(self) -> Spread | None:
        """The noise between rounds: their own, or the calibration's for a single round; None if there is neither."""
        if len(self.changes) < 2:
            return self.known
        return Spread(samples.stdev(self.changes), len(self.changes) - 1)

    def ratio(self) -> ratios.Ratio:
        """Head over base with one-sided 95 % confidence bounds."""
        if not self.is_calibrated or self.known is None:
            return ratios.log_ratio_ci(self.changes, 1 - 2 * ALPHA)
        half = samples.student_t(self.known.df, 1 - 2 * ALPHA) * self.known.stdev
        return ratios.Ratio(*(ratios.ratio_of(self.changes[0] + shift) for shift in (0, -half, half)))

    def p_value_greater(self, bound: float = 0.0) -> float:
        """One-sided p-value of H0: mean log-ratio ≤ bound."""
        if not self.is_calibrated or self.known is None or not self.known.stdev:
            return ratios.p_value_greater(self.changes, bound)
        return samples.t_beyond((self.changes[0] - bound) / self.known.stdev, self.known.df)

    @property
    def estimate(self) -> float:
        """The mean log-ratio."""
        return statistics.fmean(self.changes)

    def p_value_less(self, bound: float = 0.0) -> float:
        """One-sided p-value of H0: mean log-ratio ≥ bound."""
        return self.mirrored.p_value_greater(-bound)

    @property
    def mirrored(self) -> "Series":
        return replace(self, changes=tuple(-change for change in self.changes))


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one quantity, and the rounds behind it."""

    verdict: GateVerdict
    series: Series
    is_clear: bool  # significantly below the threshold: no further rounds are needed
    rerun: Series | None = None  # the confirming rounds of a first regression


MeasureSeries = Callable[[Collection[str], int], Mapping[SeriesKey, Series]]  # subjects and rounds in, fresh rounds out


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """How many rounds are measured before a verdict."""

    rounds: int = 5
    double: bool = True  # once, unless every quantity is clear
    confirm: bool = True  # measure regressions again


def judge(series: Mapping[SeriesKey, Series]) -> dict[SeriesKey, Decision]:
    """A verdict on each series.

    All non-informational series form one family: Holm keeps the family-wise error rate at ALPHA.
    """
    family = {key: one for key, one in series.items() if not one.informal}
    informational = {key: one for key, one in series.items() if one.informal}
    return {**_judge(family), **_judge(informational)}


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
    """Measure and judge; double the rounds if needed; measure regressions again, and keep those that are confirmed."""
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

    first = take(subjects)
    decided = judge(first)
    unclear = {key for key, decision in decided.items() if not decision.is_clear and not decision.series.informal}
    if not plan.double or not unclear:
        return decided
    more = take(_subjects(unclear))
    return judge({key: series.more(more.get(key)) for key, series in first.items()})


def _subjects(keys: Collection[SeriesKey]) -> list[str]:
    """The subjects of the keys, each once, in a fixed order."""
    return sorted({key.subject for key in keys})


def min_detectable_effect(series: Series, plan: RoundPlan) -> float | None:
    """Minimum detectable effect of this plan at 80 % power, as a share.

    None if the noise is unknown or so large that no change is detectable.
    """
    spread = series.spread
    if spread is None:
        return None
    if series.is_calibrated:
        least = ratios.min_detectable_effect(spread.stdev, 1, series.threshold, df=spread.df)
    else:
        least = ratios.min_detectable_effect(spread.stdev, plan.rounds * (1 + plan.double), series.threshold)
    return least if math.isfinite(least) else None
