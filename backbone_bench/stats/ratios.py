"""The ratio of two things that were measured side by side: by how much, how sure, and what could have been seen.

A pair is one round: two sides, each the median of a fresh process of
its own, one right after the other, the order turned round from round to round
(ABBA). What is assumed, and nothing else:

- Rounds are independent of each other: another process each time. Iterations
  within one process are not, and a test over them calls 40 % of identical
  programs different; never hand their samples in here as pairs.
- The logarithms of the ratios are roughly normal. What slows both halves of a
  round alike (heat, a neighbour, a slow drift) cancels; what comes and goes
  within a round is noise, and the t-interval holds it.
- Values are positive and of one quantity, where less is better or worse on
  both sides alike. Pairs that were not taken side by side may be handed in:
  the interval then holds the noise of processes, but not what the machine did in
  between.
"""

import math
import statistics
import sys
from collections.abc import Sequence
from typing import NamedTuple

from backbone_bench.stats import samples


class Pair(NamedTuple):
    """One round: what each side measured. The ratio is the first over the second, and nobody turns it round by hand."""

    numerator: float
    denominator: float

    @property
    def inverted(self) -> "Pair":
        return Pair(self.denominator, self.numerator)


class Ratio(NamedTuple):
    """Numerator over denominator, with the confidence interval that its maker asks for."""

    estimate: float  # the middle of the rounds' ratios: their geometric mean, or by ranks
    low: float
    high: float


def logs(pairs: Sequence[Pair]) -> list[float]:
    """The logarithm of each round's ratio; raise ValueError for what no quantity of ours can be."""
    if not all(pair.numerator > 0 and pair.denominator > 0 for pair in pairs):
        raise ValueError("a ratio needs positive values on both sides")
    return [math.log(pair.numerator / pair.denominator) for pair in pairs]


_MOST_LOGARITHM = math.log(sys.float_info.max)
CONFIDENCE = 0.99  # of an answer that is looked for while rounds are added, over all looks together
MOST_INTERIMS = 2


def interim_ratio(pairs: Sequence[Pair], interims: int = MOST_INTERIMS) -> Ratio:
    """The ratio with the interval of one of so many looks; together they hold at `CONFIDENCE` (Bonferroni)."""
    return signed_rank_ratio(pairs, 1 - (1 - CONFIDENCE) / interims)


def ratio_of(logarithm: float) -> float:
    """The ratio itself, infinite where it is more than a number can hold: wild rounds leave an end open."""
    return math.exp(logarithm) if logarithm < _MOST_LOGARITHM else math.inf


def ratio(pairs: Sequence[Pair], confidence: float = 0.95) -> Ratio:
    """The ratio with its two-sided t-interval; one round alone leaves the interval open (0 to infinity).

    The ends of the interval at 0.90 are the one-sided bounds at 95 %.
    """
    return log_ratio_ci(logs(pairs), confidence)


def log_ratio_ci(changes: Sequence[float], confidence: float = 0.95) -> Ratio:
    """The same from the logarithms of the ratios."""
    middle = statistics.fmean(changes)
    if len(changes) < 2:
        return Ratio(ratio_of(middle), 0.0, math.inf)
    half = samples.student_t(len(changes) - 1, confidence) * samples.stdev(changes) / math.sqrt(len(changes))
    return Ratio(*map(ratio_of, (middle, middle - half, middle + half)))


def signed_rank_ratio(pairs: Sequence[Pair], confidence: float = 0.95) -> Ratio:
    """The ratio with an interval that a few disturbed rounds do not ruin; the t-interval where rounds are too few.

    It assumes less of the logarithms: that they lie evenly about the true
    ratio, as those of equal things do, whichever way round they are taken.
    """
    found = samples.hodges_lehmann(logs(pairs), confidence)
    if found is None:
        return ratio(pairs, confidence)
    middle, interval = found
    return Ratio(*map(ratio_of, (middle, *interval)))


def p_value_greater(changes: Sequence[float], bound: float = 0.0) -> float:
    """How likely rounds like these are where the true mean of the logarithms is no more than `bound` (one-sided).

    1 for a single round: it proves nothing.
    """
    if len(changes) < 2:
        return 1.0
    error = samples.stdev(changes) / math.sqrt(len(changes))
    distance = statistics.fmean(changes) - bound
    if error == 0:  # a count, or a clock too coarse to see any noise
        return 0.0 if distance > 0 else 1.0
    return samples.t_beyond(distance / error, len(changes) - 1)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Each p-value raised so that, all tests together, a false alarm is as rare as promised (Holm 1979).

    In the order given; what is below alpha then may be rejected.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return tuple(adjusted)


def min_detectable_effect(
    stdev: float, rounds: int, threshold: float, *, df: int | None = None, power: float = 0.8
) -> float:
    """The least change, as a share, that is called with this power: it must be both certain and above `threshold`.

    `stdev` is that of the logarithms from round to round, known with
    `df` degrees (None: from these rounds themselves). Certain: one-sided
    at 95 %, by the usual approximation to the noncentral t. Above the
    threshold: the mean of the rounds exceeds it often enough.
    """
    error = stdev / math.sqrt(rounds)
    known = rounds - 1 if df is None else df
    certain = samples.student_t(known, 0.90) + samples.student_t(known, 2 * power - 1)
    above = math.log1p(threshold) + statistics.NormalDist().inv_cdf(power) * error
    least = max(certain * error, above)
    return math.expm1(least) if least < _MOST_LOGARITHM else math.inf
