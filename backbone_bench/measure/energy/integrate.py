"""From readings of a counter or a sensor to the energy of a window.

A counter stands still and then jumps, so its windows run from jump to jump. A
sensor holds its value until the next reading, so its integral holds the last
value, keeps readings that did not change, and reaches both ends of the window.
A monitor that drops duplicates and draws straight lines between the rest makes
0 J of a steady load.
"""

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from backbone_bench.records import Known, Missing

LONGEST_GAP_S, LONGEST_GAP_TICKS = 0.5, 3


class Reading(NamedTuple):
    """One look at a source, in joules or watts, and when the call began and ended."""

    begun_s: float
    ended_s: float
    value: float

    @property
    def at_s(self) -> float:
        return (self.begun_s + self.ended_s) / 2


class Tick(NamedTuple):
    """A change of a reading: somewhere within `slack_s` around `at_s`."""

    at_s: float
    slack_s: float
    value: float


class Window(NamedTuple):
    """Energy between two moments, and what the ends may add or hide."""

    window_j: float
    window_s: float
    ticks: int
    edge_j: float


def ticks(readings: Sequence[Reading], tick_s: float = float("inf")) -> list[Tick]:
    """Every change, placed in the middle of where it can have been: after the last old value, at most a tick ago."""
    return [_tick(before, after, tick_s) for before, after in pairwise(readings) if after.value != before.value]


def _tick(before: Reading, after: Reading, tick_s: float) -> Tick:
    slack_s = min(after.ended_s - before.begun_s, tick_s)
    return Tick(after.ended_s - slack_s / 2, slack_s, after.value)


def period_s(readings: Sequence[Reading]) -> Known[float]:
    """How often the reading changes: the median time between changes; two such times are the fewest."""
    gaps = [later.at_s - earlier.at_s for earlier, later in pairwise(ticks(readings))]
    if len(gaps) < 2:
        return Missing("too_steady", "The reading changed too seldom to tell how often it is refreshed.")
    return statistics.median(gaps)


def counted(readings: Sequence[Reading], tick_s: float) -> Known[Window]:
    """Energy from the first change of a counter to the last."""
    if any(after.value < before.value for before, after in pairwise(readings)):
        return Missing("counter_back", "The energy counter went backwards (driver reload?).")
    changes = ticks(readings, tick_s)
    if len(changes) < 2:
        return Missing("counter_still", "The energy counter did not move in the window.")
    first, last = changes[0], changes[-1]
    window_j, window_s = last.value - first.value, last.at_s - first.at_s
    return Window(window_j, window_s, len(changes) - 1, (first.slack_s + last.slack_s) / 2 * window_j / window_s)


def zero_order_hold(readings: Sequence[Reading], start_s: float, end_s: float, tick_s: float) -> Known[Window]:
    """The integral of a power sensor from `start_s` to `end_s`, each value held until the next reading.

    A reading is as old as a tick, so the ends may hide a tick's worth of the range of the readings.
    """
    inside = [reading for reading in readings if start_s <= reading.at_s <= end_s]
    if not inside:
        return Missing("no_readings", "The power sensor was not read in the window.")
    gap_s = max(later - sooner for sooner, later in pairwise((start_s, *(reading.at_s for reading in inside), end_s)))
    if gap_s > max(LONGEST_GAP_S, LONGEST_GAP_TICKS * tick_s):
        return Missing("gap", f"The power sensor was not read for {gap_s:.2f} s.")
    moments = [start_s, *(reading.at_s for reading in inside[1:]), end_s]  # the first value reaches back to the start
    watts = [reading.value for reading in inside]
    if min(watts) <= 0:  # what draws nothing does not tell what it draws
        return Missing("reads_zero", f"The power sensor reads {min(watts):g} W.")
    joules = sum(value * (later - sooner) for value, (sooner, later) in zip(watts, pairwise(moments), strict=True))
    changes = sum(later != earlier for earlier, later in pairwise(watts))
    return Window(joules, end_s - start_s, changes, tick_s * (max(watts) - min(watts)))
