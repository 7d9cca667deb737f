"""Statistics of timings, on plain floats and the standard library alone.

Samples of a running device depend on each other, so an interval of their
median is made from medians of contiguous blocks, not from a bootstrap that
takes them for independent (research: 81 % instead of 95 % at lag-1 0.5).
"""

import statistics
from collections.abc import Sequence
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
