"""Ratio of two sides measured in pairs: its confidence interval, p-value and minimum detectable effect.

A pair is one round: two sides, one process each. They are alive together and
take turns (`of_turns`), or run one right after the other, each measured by its
median, in an order that alternates from round to round (ABBA).
The assumptions, and no others:

- Rounds are independent: each starts new processes. Iterations within one
  process are not, and a test over them calls 40 % of identical programs
  different; never pass their samples as pairs.
- The logarithms of the ratios are roughly normal. What slows both sides of a
  round alike (heat, a neighbour, a slow drift) cancels; what changes within a
  round is noise, and the t confidence interval includes it.
- Values are positive and of one quantity, and less is better (or worse) on
  both sides. Pairs that were not run side by side are allowed: the confidence
  interval then includes the noise between processes, but not what changed on
  the machine in the meantime.
"""

import math
import statistics
import sys
from collections.abc import Sequence
from typing import NamedTuple

from backbone_bench.stats import samples


class Pair(NamedTuple):
    """One round: the measured value of each side. The ratio is numerator / denominator; `inverted` swaps the sides."""

    numerator: float
    denominator: float

    @property
    def inverted(self) -> "Pair":
        return Pair(self.denominator, self.numerator)


class Ratio(NamedTuple):
    """Ratio numerator / denominator with its confidence interval; the function that makes it sets the confidence."""

    estimate: float  # geometric mean of the rounds' ratios, or their Hodges-Lehmann estimate
    low: float
    high: float


def logs(pairs: Sequence[Pair]) -> list[float]:
    """Logarithm of each round's ratio. Raises ValueError for zero or negative values: no quantity has them."""
    if not all(pair.numerator > 0 and pair.denominator > 0 for pair in pairs):
        raise ValueError("a ratio needs positive values on both sides")
    return [math.log(pair.numerator / pair.denominator) for pair in pairs]


def of_turns(pair: Pair, turns: Sequence[tuple[float, float]]) -> Pair:
    """The pair of a live round: its ratio is the Hodges-Lehmann estimate of the ratios of its turns.

    Both values are moved alike, so that their geometric mean stays. The turns share their two processes: they are one
    pair together, and never pairs of a test. Without turns it is the pair itself.
    """
    if not turns:
        return pair
    half = (samples.centre(logs([Pair(*turn) for turn in turns])) - logs([pair])[0]) / 2
    return Pair(pair.numerator * math.exp(half), pair.denominator * math.exp(-half))


_MOST_LOGARITHM = math.log(sys.float_info.max)
CONFIDENCE = 0.99  # joint confidence of all interim analyses, which are made while rounds are added
MOST_INTERIMS = 2


def interim_ratio(pairs: Sequence[Pair], interims: int = MOST_INTERIMS) -> Ratio:
    """`signed_rank_ratio` at one of several interim analyses; their joint confidence is `CONFIDENCE` (Bonferroni).

    Analyses of several ratios count like further analyses of one.
    """
    return signed_rank_ratio(pairs, 1 - (1 - CONFIDENCE) / interims)


def ratio_of(logarithm: float) -> float:
    """Ratio from its logarithm; infinite if too large for a float, as an end of a very wide interval can be."""
    return math.exp(logarithm) if logarithm < _MOST_LOGARITHM else math.inf


def ratio(pairs: Sequence[Pair], confidence: float = 0.95) -> Ratio:
    """Geometric mean ratio with its two-sided t confidence interval; a single round leaves it open (0 to infinity).

    The ends of the 90 % confidence interval are the one-sided 95 % bounds.
    """
    return log_ratio_ci(logs(pairs), confidence)


def log_ratio_ci(changes: Sequence[float], confidence: float = 0.95) -> Ratio:
    """Geometric mean ratio with its t confidence interval, like `ratio`, from the logarithms of the ratios."""
    mean = statistics.fmean(changes)
    if len(changes) < 2:
        return Ratio(ratio_of(mean), 0.0, math.inf)
    half = samples.student_t(len(changes) - 1, confidence) * samples.stdev(changes) / math.sqrt(len(changes))
    return Ratio(*map(ratio_of, (mean, mean - half, mean + half)))


def signed_rank_ratio(pairs: Sequence[Pair], confidence: float = 0.95) -> Ratio:
    """Hodges-Lehmann estimate of the ratio with the confidence interval of Wilcoxon's signed-rank test.

    A few disturbed rounds do not ruin it. It assumes less than the t-interval:
    only that the logarithms are symmetric about the true one, as those of two
    equal programs are in either order. With too few rounds it is the t-interval.
    """
    by_ranks = samples.hodges_lehmann(logs(pairs), confidence)
    if by_ranks is None:
        return ratio(pairs, confidence)
    estimate, interval = by_ranks
    return Ratio(*map(ratio_of, (estimate, *interval)))


def p_value_greater(changes: Sequence[float], bound: float = 0.0) -> float:
    """One-sided p-value of the null hypothesis that the true mean of the logarithms is at most `bound` (t-test).

    1 for a single round, which proves nothing.
    """
    if len(changes) < 2:
        return 1.0
    error = samples.stdev(changes) / math.sqrt(len(changes))
    distance = statistics.fmean(changes) - bound
    if error == 0:  # a count, or a clock too coarse to show any noise
        return 0.0 if distance > 0 else 1.0
    return samples.t_beyond(distance / error, len(changes) - 1)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values after the Holm correction (Holm 1979), in the given order.

    Rejecting those below alpha keeps the family-wise error rate at alpha.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = floor
    return tuple(adjusted)


def min_detectable_effect(
    stdev: float, rounds: int, threshold: float, *, df: int | None = None, power: float = 0.8
) -> float:
    """Minimum detectable effect, as a share: the smallest change that is found with this power.

    To be found, a change must be both significant and above `threshold`.
    Significant: one-sided at 95 % confidence, by the usual approximation to
    the noncentral t. Above the threshold: the mean of the rounds exceeds it
    with this power. `stdev` is that of the logarithms from round to round,
    with `df` degrees of freedom (None: estimated from these rounds).
    """
    error = stdev / math.sqrt(rounds)
    freedom = rounds - 1 if df is None else df
    significant = samples.student_t(freedom, 0.90) + samples.student_t(freedom, 2 * power - 1)
    above = math.log1p(threshold) + statistics.NormalDist().inv_cdf(power) * error
    effect = max(significant * error, above)
    return math.expm1(effect) if effect < _MOST_LOGARITHM else math.inf
