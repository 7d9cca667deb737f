"""Statistics of timings, on plain floats and the standard library alone.

Samples of a running device depend on each other, so an interval of their
median is made from medians of contiguous blocks, not from a bootstrap that
takes them for independent (research: 81 % instead of 95 % at lag-1 0.5).
"""

import math
import statistics
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

FEWEST = 6  # with fewer samples even [min, max] covers the median less than 95 % of the time


class Interval(NamedTuple):
    """Where a quantity lies with the confidence that the maker names."""

    low: float
    high: float


BLOCKS = 20
_T_975 = 2.0930240544  # Student's t, 19 degrees of freedom, 97.5 %


def median_interval(samples: Sequence[float]) -> Interval | None:
    """A 95 % interval of the median, or None with fewer than six samples.

    From 20 samples on: the t-interval of the medians of 20 contiguous blocks,
    which survives autocorrelation. Below: the order statistics whose ranks
    cover the median with at least 95 % (binomial), for which six samples are the fewest.
    """
    if len(samples) < FEWEST:
        return None
    if len(samples) < BLOCKS:
        return _order_statistics(samples)
    medians = [statistics.median(block) for block in _blocks(samples)]
    half = _T_975 * statistics.stdev(medians) / BLOCKS**0.5
    middle = statistics.median(samples)
    return Interval(middle - half, middle + half)


def _blocks(samples: Sequence[float]) -> list[Sequence[float]]:
    edges = [len(samples) * i // BLOCKS for i in range(BLOCKS + 1)]
    return [samples[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def _order_statistics(samples: Sequence[float]) -> Interval:
    ordered, n = sorted(samples), len(samples)
    below, rank, ways = 0.0, 0, 1.0  # P(at most `rank` samples lie below the median)
    while (below := below + ways / 2**n) <= 0.025:
        ways = ways * (n - rank) / (rank + 1)
        rank += 1
    return Interval(ordered[rank - 1], ordered[n - rank])


@cache
def student_t(freedom: int, confidence: float = 0.95) -> float:
    """The t that a variable of so many degrees of freedom stays within, either side, with this confidence.

    Found by halving over the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|t| < sqrt(freedom) · tan(angle))."""
    odd = freedom % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= math.cos(angle) ** 2 * k / (k + 1)
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def mean_half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % t-interval of the mean of independent values; None with fewer than two."""
    if len(values) < 2:
        return None
    return student_t(len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
