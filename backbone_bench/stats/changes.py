"""Change points of a series: where its level becomes another, found by E-divisive means.

Two neighbouring parts of a segment that have the largest energy distance have a
candidate between them (Matteson and James 2014, "A Nonparametric Approach for
Multiple Change Point Analysis of Multivariate Data", JASA 109). As in Hunter,
now Apache Otava (Fleming and others, ICPE 2023), Student's t-test replaces
permutations, segments are windows that overlap, so that a level of a few values
is not lost in a long series, and candidates are taken at a relaxed threshold and
tested again between their neighbours: the weakest is dropped until all are
significant. Here that p-value is multiplied by the number of splits between the
neighbours, since the best of them was chosen.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

import numpy as np

from backbone_bench.stats.samples import t_beyond

ALPHA = 0.01  # of one change point, after the correction
FEWEST = 3  # values on either side of a change point
_WINDOW, _STEP = 50, 25  # values
_WEAK = 0.01  # p-value of a candidate, without the correction


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
    places = _apart(candidate for start in range(0, len(values), _STEP) for candidate in _candidates(values, start))
    while places:
        ends = [0, *places, len(values)]
        parts = [values[start:end] for start, end in pairwise(ends)]
        p_values = [_corrected(before, after) for before, after in pairwise(parts)]
        weakest = max(range(len(places)), key=p_values.__getitem__)
        if p_values[weakest] <= alpha:
            levels = [fmean(part) for part in parts]
            return [ChangePoint(place, levels[n], levels[n + 1], p_values[n]) for n, place in enumerate(places)]
        del places[weakest]
    return []


def steps(values: Sequence[float]) -> list[ChangePoint]:
    """The places where a series without noise becomes another value."""
    pairs = enumerate(pairwise(values), start=1)
    return [ChangePoint(index, before, after, 0.0) for index, (before, after) in pairs if before != after]


class _Candidate(NamedTuple):
    """A place that may be a change point, and the energy distance of the parts beside it."""

    place: int
    distance: float


def _candidates(values: Sequence[float], start: int) -> Iterator[_Candidate]:
    """The candidates in the window of a series that begins at `start`."""
    return _split(values, start, min(start + _WINDOW, len(values)))


def _split(values: Sequence[float], start: int, end: int) -> Iterator[_Candidate]:
    """The candidate of a segment and, if its parts differ, those on either side of it."""
    if end - start < 2 * FEWEST:
        return
    size, right, distance = _best_split(values[start:end])
    place = start + size
    if _p_value(values[start:place], values[place : start + right]) > _WEAK:
        return
    yield from _split(values, start, place)
    yield _Candidate(place, distance)
    yield from _split(values, place, end)


def _apart(candidates: Iterable[_Candidate]) -> list[int]:
    """The places of candidates in order; of those that are too near to one another, the one between the unlikest."""
    kept: list[int] = []
    for place, _ in sorted(candidates, key=lambda one: -one.distance):
        if all(abs(place - other) >= FEWEST for other in kept):
            kept.append(place)
    return sorted(kept)


def _best_split(values: Sequence[float]) -> tuple[int, int, float]:
    """The ends of the first and of the second part whose energy distance, weighted by their sizes, is the largest.

    The first part begins at the first value; the second one follows, and need not reach the last value.
    """
    count = len(values)
    series = np.asarray(values, dtype=float)
    sums = np.zeros((count + 1, count + 1))  # of the distances of all pairs of the first i and the first j values
    sums[1:, 1:] = np.abs(series[:, None] - series[None, :]).cumsum(axis=0).cumsum(axis=1)
    left, end = np.arange(FEWEST, count - FEWEST + 1)[:, None], np.arange(2 * FEWEST, count + 1)[None, :]
    right = end - left
    enough = right >= FEWEST
    size = np.where(enough, right, FEWEST)  # any other, where there are too few
    within_left, cross = sums[left, left] / 2, sums[left, end] - sums[left, left]
    within_right = (sums[end, end] - 2 * sums[left, end] + sums[left, left]) / 2
    inside = 2 * within_left / (left * (left - 1)) + 2 * within_right / (size * (size - 1))
    distance = left * size / (left + size) * (2 * cross / (left * size) - inside)
    row, column = np.unravel_index(np.argmax(np.where(enough, distance, -np.inf)), distance.shape)
    return int(left[row, 0]), int(end[0, column]), float(distance[row, column])


def _corrected(before: Sequence[float], after: Sequence[float]) -> float:
    """The p-value of two parts, times the number of splits of both together; 1 if one of them is too short."""
    if min(len(before), len(after)) < FEWEST:
        return 1.0
    return min(1.0, _p_value(before, after) * (len(before) + len(after) - 2 * FEWEST + 1))


def _p_value(before: Sequence[float], after: Sequence[float]) -> float:
    """Two-sided p-value of Student's t-test of two independent samples; 0 if both are constant and differ."""
    low, high = fmean(before), fmean(after)
    squares = sum((one - low) ** 2 for one in before) + sum((one - high) ** 2 for one in after)
    df = len(before) + len(after) - 2
    error = math.sqrt(squares / df * (1 / len(before) + 1 / len(after)))
    if error == 0:
        return 0.0 if low != high else 1.0
    return min(1.0, 2 * t_beyond(abs(high - low) / error, df))
