"""Statistics of timings, on plain floats and the standard library alone.

Samples of a running device depend on each other, so an interval of their
median is made from medians of contiguous blocks, not from a bootstrap that
takes them for independent (research: 81 % instead of 95 % at lag-1 0.5).
Nothing here drops a sample.
"""

import math
import statistics
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple

FEWEST = 6  # with fewer samples even [min, max] covers the median less than 95 % of the time
FEWEST_FOR_BLOCKS = 20
FEWEST_FOR_DRIFT = 8


class Interval(NamedTuple):
    """Where a quantity lies with the confidence that the maker names."""

    low: float
    high: float


# --- the median and its interval -------------------------------------------------------------------------------------

MOST_BLOCKS, FEWEST_BLOCKS = 20, 5
_LENGTH = 4  # a block is at least so many times 1/(1 − lag1) long


def median_interval(samples: Sequence[float]) -> Interval | None:
    """A 95 % interval of the median, or None with fewer than six samples.

    From 20 samples on: the t-interval of the medians of up to 20 contiguous
    blocks; fewer and longer ones where neighbours resemble each other (batch
    means, Schmeiser 1982, with medians). Below 20: the order statistics whose
    ranks cover the median with at least 95 % (binomial).
    """
    if len(samples) < FEWEST:
        return None
    if len(samples) < FEWEST_FOR_BLOCKS:
        return _order_statistics(samples)
    count = min(MOST_BLOCKS, max(FEWEST_BLOCKS, independent_blocks(samples)))
    medians = [statistics.median(block) for block in _blocks(samples, count)]
    middle, half = statistics.median(samples), student_t(count - 1) * stdev(medians) / math.sqrt(count)
    return Interval(middle - half, middle + half)


def independent_blocks(samples: Sequence[float]) -> int:
    """Into how many blocks the samples can be cut whose medians hardly depend on each other.

    Ten of them are twenty of half the length, 2/(1 − lag1), the least that the
    research asks for; this length brings the coverage at lag-1 0.5 from 90 to
    94 % at 100 samples. The estimate of lag-1 is low by about (1 + 3ρ)/n (Kendall 1954).
    """
    n, seen = len(samples), max(0.0, lag1(samples))
    likely = min(0.99, seen + (1 + 3 * seen) / n)
    return int(n * (1 - likely) / _LENGTH)


def _blocks(samples: Sequence[float], count: int) -> list[Sequence[float]]:
    edges = [len(samples) * i // count for i in range(count + 1)]
    return [samples[start:end] for start, end in pairwise(edges)]


def _order_statistics(samples: Sequence[float]) -> Interval:
    ordered, n = sorted(samples), len(samples)
    below, rank, ways = 0.0, 0, 1.0  # P(at most `rank` samples lie below the median)
    while (below := below + ways / 2**n) <= 0.025:
        ways = ways * (n - rank) / (rank + 1)
        rank += 1
    return Interval(ordered[rank - 1], ordered[n - rank])


# --- the mean of a few independent values ---------------------------------------------------------------------------


@cache
def student_t(df: int, confidence: float = 0.95) -> float:
    """The t that a variable of so many degrees of df stays within, either side, with this confidence.

    Found by halving over the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < confidence else (low, middle)
    return math.sqrt(df) * math.tan(low)


def _within(angle: float, df: int) -> float:
    """P(|t| < sqrt(df) · tan(angle))."""
    odd = df % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for k in range(1 + odd, df, 2):
        total += term
        term *= math.cos(angle) ** 2 * k / (k + 1)
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def t_beyond(t: float, df: int) -> float:
    """P(T > t) of Student's t with so many degrees of df: a one-sided p-value, to about 1e-15."""
    within = min(1.0, _within(math.atan(abs(t) / math.sqrt(df)), df))
    return (1 - within) / 2 if t > 0 else (1 + within) / 2


def stdev(values: Sequence[float]) -> float:
    """The standard deviation of two values at least; ten times as quick as `statistics.stdev`, which adds fractions."""
    middle = statistics.fmean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def mean_half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % t-interval of the mean of independent values; None with fewer than two."""
    if len(values) < 2:
        return None
    return student_t(len(values) - 1) * stdev(values) / math.sqrt(len(values))


def hodges_lehmann(values: Sequence[float], confidence: float = 0.95) -> tuple[float, Interval] | None:
    """The middle of independent values that lie evenly about it, with an interval; None with too few values.

    The Hodges-Lehmann estimate, the median of the means of all pairs, and the
    interval that Wilcoxon's signed-rank test gives, from its exact distribution
    (Hollander, Wolfe and Chicken 2014, section 3.3). A few wild values move them
    little, where they would ruin a t-interval.
    """
    rank = _least_rank_sum(len(values), confidence)
    if rank == 0:
        return None
    means = sorted((one + other) / 2 for place, one in enumerate(values) for other in values[place:])
    return statistics.median(means), Interval(means[rank - 1], means[-rank])


@cache
def _least_rank_sum(count: int, confidence: float) -> int:
    """The least sum of the ranks 1 to `count` with random signs that is not too rare; 0 where none is rare enough."""
    ways = [1]  # to come to each sum
    for rank in range(1, count + 1):
        ways = [without + with_ for without, with_ in zip([*ways, *[0] * rank], [*[0] * rank, *ways], strict=True)]
    rare = (1 - confidence) / 2 * 2**count
    return next(place for place, below in enumerate(accumulate(ways)) if below > rare)


# --- how the samples depend on each other and on time ----------------------------------------------------------------


def lag1(samples: Sequence[float]) -> float:
    """The correlation of each sample with the next, 0 where nothing varies.

    Samples further than three robust deviations out count as three: one
    preemption in a hundred would otherwise hide a correlation of 0.9.
    """
    middle, deviation = _middle_and_spread(samples)
    reach = 3 * 1.4826 * deviation or math.inf  # more than half are equal (a coarse clock): nothing to clip by
    held = [min(reach, max(-reach, sample - middle)) for sample in samples]
    mean = sum(held) / len(held)
    held = [value - mean for value in held]
    total = sum(value * value for value in held)
    if total == 0:
        return 0.0
    return sum(one * two for one, two in pairwise(held)) / total


def drift(samples: Sequence[float]) -> float | None:
    """The median of the last quarter over that of the first; None with fewer than eight samples."""
    if len(samples) < FEWEST_FOR_DRIFT:
        return None
    quarter = len(samples) // 4
    first = statistics.median(samples[:quarter])
    return statistics.median(samples[-quarter:]) / first if first else None


# --- the tails ------------------------------------------------------------------------------------------------------

_CONFIDENCE = 0.99


def samples_needed(share: float) -> int:
    """How many samples show the `share` quantile: two lie above it with 99 % confidence (MLPerf's early stopping)."""
    n = 1
    while share**n + n * share ** (n - 1) * (1 - share) > 1 - _CONFIDENCE:
        n += 1
    return n


def quantile(samples: Sequence[float], share: float) -> float:
    """The least sample that at least `share` of the samples do not exceed."""
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


def iqr(samples: Sequence[float]) -> float:
    """The distance between the quartiles."""
    return quantile(samples, 0.75) - quantile(samples, 0.25)


_FAR = 14.826  # in median absolute deviations: ten standard deviations of a normal distribution (hyperfine's choice)
_LEAST_SPREAD = 1e-3  # of the median: where a coarse clock makes most samples equal, each other one would be far


def outliers(samples: Sequence[float]) -> tuple[int, ...]:
    """Where the samples far from the rest are (modified z-score, Iglewicz and Hoaglin 1993)."""
    middle, deviation = _middle_and_spread(samples)
    reach = _FAR * max(deviation, _LEAST_SPREAD * abs(middle))
    return tuple(place for place, sample in enumerate(samples) if abs(sample - middle) > reach)


def _middle_and_spread(samples: Sequence[float]) -> tuple[float, float]:
    """The median and the median absolute deviation from it."""
    middle = statistics.median(samples)
    return middle, statistics.median([abs(sample - middle) for sample in samples])
