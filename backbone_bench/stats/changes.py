"""Change points of a series: where its level becomes another, found by E-divisive means.

The split of a segment that maximises the energy distance of its two parts is
a candidate (Matteson and James 2014, "A Nonparametric Approach for Multiple
Change Point Analysis of Multivariate Data", JASA 109). It is one if Student's
t-test of the two parts is significant, and both parts are then searched.
Hunter, now Apache Otava, tests like this in place of permutations (Fleming and
others, ICPE 2023). Here the p-value is multiplied by the number of splits that
were tried, since the best of them was chosen.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from backbone_bench.stats.samples import t_beyond

ALPHA = 0.01  # of one segment, after the correction
FEWEST = 3  # values on either side of a change point


class ChangePoint(NamedTuple):
    """The place of the first value of a new level, the levels before and after, and the p-value."""

    start: int
    before: float  # mean of the values between this change point and the one before
    after: float
    p_value: float

    @property
    def ratio(self) -> float:
        """The new level over the old one."""
        return self.after / self.before


def change_points(values: Sequence[float], alpha: float = ALPHA) -> list[ChangePoint]:
    """The change points of a series in order; empty if there are none, or too few values."""
    found = sorted(_splits(values, 0, alpha))
    ends = [0, *(index for index, _ in found), len(values)]
    levels = [fmean(values[start:end]) for start, end in pairwise(ends) if start < end]
    return [ChangePoint(index, levels[n], levels[n + 1], p) for n, (index, p) in enumerate(found)]


def steps(values: Sequence[float]) -> list[ChangePoint]:
    """The places where a series without noise becomes another value."""
    pairs = enumerate(pairwise(values), start=1)
    return [ChangePoint(index, before, after, 0.0) for index, (before, after) in pairs if before != after]


def _splits(values: Sequence[float], start: int, alpha: float) -> Iterator[tuple[int, float]]:
    """Index and p-value of every significant split of a segment that begins at `start`."""
    if len(values) < 2 * FEWEST:
        return
    split = _best_split(values)
    p_value = min(1.0, _p_value(values[:split], values[split:]) * (len(values) - 2 * FEWEST + 1))
    if p_value > alpha:
        return
    yield start + split, p_value
    yield from _splits(values[:split], start, alpha)
    yield from _splits(values[split:], start + split, alpha)


def _best_split(values: Sequence[float]) -> int:
    """The split with the largest energy distance of its parts, weighted by their sizes."""
    count = len(values)
    left, right = 0.0, _within(values)
    cross, best, chosen = 0.0, -math.inf, FEWEST
    for size in range(1, count - FEWEST + 1):
        moved = values[size - 1]  # from the right part to the left one
        to_left = sum(abs(moved - one) for one in values[: size - 1])
        to_right = sum(abs(moved - one) for one in values[size:])
        left, right, cross = left + to_left, right - to_right, cross + to_right - to_left
        if size < FEWEST:
            continue
        rest = count - size
        within = 2 * left / (size * (size - 1)) + 2 * right / (rest * (rest - 1))
        weighted = size * rest / count * (2 * cross / (size * rest) - within)
        if weighted > best:
            best, chosen = weighted, size
    return chosen


def _within(values: Sequence[float]) -> float:
    """The sum of the distances of all pairs."""
    ordered = sorted(values)
    return sum((2 * rank - len(ordered) + 1) * value for rank, value in enumerate(ordered))


def _p_value(before: Sequence[float], after: Sequence[float]) -> float:
    """Two-sided p-value of Student's t-test of two independent samples; 0 if both are constant and differ."""
    low, high = fmean(before), fmean(after)
    squares = sum((one - low) ** 2 for one in before) + sum((one - high) ** 2 for one in after)
    df = len(before) + len(after) - 2
    error = math.sqrt(squares / df * (1 / len(before) + 1 / len(after)))
    if error == 0:
        return 0.0 if low != high else 1.0
    return min(1.0, 2 * t_beyond(abs(high - low) / error, df))
