"""Statistics of timings, on plain floats and the standard library alone.

Samples of a running device are autocorrelated, so the confidence interval of
their median comes from the medians of contiguous blocks. A bootstrap, which
assumes independent samples, covers the median in 81 % of cases instead of 95 %
at a lag-1 autocorrelation of 0.5. No function here drops a sample.
"""

import math
import statistics
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, pairwise
from operator import mul
from typing import NamedTuple

FEWEST = 6  # with fewer samples even [min, max] covers the median less than 95 % of the time
FEWEST_FOR_BLOCKS = 20
FEWEST_FOR_DRIFT = 8


class Interval(NamedTuple):
    """A confidence interval; the function that makes it names the confidence."""

    low: float
    high: float


# --- the median and its confidence interval --------------------------------------------------------------------------

MOST_BLOCKS, FEWEST_BLOCKS = 20, 5
_LENGTH = 4  # a block is at least this many times 1/(1 − lag1) samples long


def median_interval(samples: Sequence[float]) -> Interval | None:
    """95 % confidence interval of the median; None with fewer than six samples.

    From 20 samples on: the t-interval of the medians of up to 20 contiguous
    blocks; fewer and longer blocks if samples are autocorrelated (batch means,
    Schmeiser 1982, with medians). Below 20: the order statistics whose ranks
    cover the median with at least 95 % (binomial).
    """
    if len(samples) < FEWEST:
        return None
    if len(samples) < FEWEST_FOR_BLOCKS:
        return _order_statistics(samples)
    count = min(MOST_BLOCKS, max(FEWEST_BLOCKS, independent_blocks(samples)))
    medians = [statistics.median(block) for block in _blocks(samples, count)]
    median, half = statistics.median(samples), student_t(count - 1) * stdev(medians) / math.sqrt(count)
    return Interval(median - half, median + half)


def independent_blocks(samples: Sequence[float]) -> int:
    """Number of blocks that the samples can be cut into so that the block medians are nearly independent.

    A block has at least 4/(1 − lag1) samples: ten of them are as long as
    twenty of the shortest useful length, 2/(1 − lag1), and at 100 samples and a
    lag-1 autocorrelation of 0.5 they raise the coverage from 90 to 94 %. The
    estimate of lag-1 is too low by about (1 + 3ρ)/n (Kendall 1954), which is added.
    """
    n, estimate = len(samples), max(0.0, lag1(samples))
    corrected = min(0.99, estimate + (1 + 3 * estimate) / n)
    return int(n * (1 - corrected) / _LENGTH)


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
    """Two-sided critical value of Student's t: |t| with `df` degrees of freedom is below it with this confidence.

    Found by bisection over the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
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
    """One-sided p-value P(T > t) of Student's t with `df` degrees of freedom, accurate to about 1e-15."""
    within = min(1.0, _within(math.atan(abs(t) / math.sqrt(df)), df))
    return (1 - within) / 2 if t > 0 else (1 + within) / 2


def stdev(values: Sequence[float]) -> float:
    """Standard deviation of at least two values; ten times as fast as `statistics.stdev`, which adds fractions."""
    mean = statistics.fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def mean_half_width(values: Sequence[float]) -> float | None:
    """Half width of the 95 % t confidence interval of the mean of independent values; None with fewer than two."""
    if len(values) < 2:
        return None
    return student_t(len(values) - 1) * stdev(values) / math.sqrt(len(values))


def hodges_lehmann(values: Sequence[float], confidence: float = 0.95) -> tuple[float, Interval] | None:
    """Hodges-Lehmann estimate of the centre of independent, symmetric values, with its confidence interval.

    The estimate is the median of the means of all pairs. The confidence
    interval inverts Wilcoxon's signed-rank test with its exact distribution
    (Hollander, Wolfe and Chicken 2014, section 3.3). A few extreme values move
    both little, but would ruin a t-interval. None with too few values.
    """
    rank = _critical_rank_sum(len(values), confidence)
    if rank == 0:
        return None
    means = _walsh_means(values)
    return statistics.median(means), Interval(means[rank - 1], means[-rank])


def centre(values: Sequence[float]) -> float:
    """Hodges-Lehmann estimate of the centre, of any number of values: the median of the means of all pairs."""
    return statistics.median(_walsh_means(values))


def _walsh_means(values: Sequence[float]) -> list[float]:
    """The means of all pairs, each value with itself too, in order."""
    return sorted((first + second) / 2 for place, first in enumerate(values) for second in values[place:])


@cache
def _critical_rank_sum(count: int, confidence: float) -> int:
    """Critical value of Wilcoxon's signed-rank statistic for this two-sided confidence; 0 with too few values."""
    ways = [1]  # in how many ways the signs of the ranks make each sum
    for rank in range(1, count + 1):
        ways = [without + with_ for without, with_ in zip([*ways, *[0] * rank], [*[0] * rank, *ways], strict=True)]
    rare = (1 - confidence) / 2 * 2**count
    return next(place for place, below in enumerate(accumulate(ways)) if below > rare)


# --- how the samples depend on each other and on time ----------------------------------------------------------------


def lag1(samples: Sequence[float]) -> float:
    """Lag-1 autocorrelation: the correlation of each sample with the next; 0 if all samples are equal.

    Samples are clipped at three robust standard deviations from the median: one
    preemption in a hundred would otherwise hide an autocorrelation of 0.9.
    """
    median, deviation = _median_and_deviation(samples)
    reach = 3 * 1.4826 * deviation or math.inf  # 0 if more than half are equal (a coarse clock): no scale to clip by
    centred = [sample - median for sample in samples]
    if max(centred) > reach or min(centred) < -reach:
        centred = [value if -reach <= value <= reach else math.copysign(reach, value) for value in centred]
    mean = sum(centred) / len(centred)
    centred = [value - mean for value in centred]
    total = sum(map(mul, centred, centred))
    return sum(map(mul, centred, centred[1:])) / total if total else 0.0


def drift(samples: Sequence[float]) -> float | None:
    """Median of the last quarter divided by that of the first; None if that is 0, or with fewer than eight samples."""
    if len(samples) < FEWEST_FOR_DRIFT:
        return None
    quarter = len(samples) // 4
    first = statistics.median(samples[:quarter])
    return statistics.median(samples[-quarter:]) / first if first else None


# --- the tails ------------------------------------------------------------------------------------------------------

_CONFIDENCE = 0.99


@cache
def samples_needed(share: float) -> int:
    """Samples needed for the `share` quantile: two lie above it with 99 % confidence (MLPerf's early stopping)."""
    n = 1
    while share**n + n * share ** (n - 1) * (1 - share) > 1 - _CONFIDENCE:
        n += 1
    return n


def quantile(samples: Sequence[float], share: float) -> float:
    """The `share` quantile: the smallest sample that at least this share of the samples do not exceed."""
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


def iqr(samples: Sequence[float]) -> float:
    """Interquartile range."""
    return quantile(samples, 0.75) - quantile(samples, 0.25)


_FAR = 14.826  # in median absolute deviations: ten standard deviations of a normal distribution (hyperfine's choice)
_LEAST_SPREAD = 1e-3  # of the median: if a coarse clock makes most samples equal, every other one would be an outlier


def outliers(samples: Sequence[float]) -> tuple[int, ...]:
    """Indices of the outliers, by the modified z-score (Iglewicz and Hoaglin 1993)."""
    median, deviation = _median_and_deviation(samples)
    reach = _FAR * max(deviation, _LEAST_SPREAD * abs(median))
    return tuple(place for place, sample in enumerate(samples) if abs(sample - median) > reach)


def _median_and_deviation(samples: Sequence[float]) -> tuple[float, float]:
    """The median, and the median absolute deviation from it."""
    median = statistics.median(samples)
    return median, statistics.median([abs(sample - median) for sample in samples])
