"""Energy of a window, from the readings of an energy counter or a power sensor.

A counter stays constant and then jumps, so its windows run from jump to jump. A
sensor keeps its value until the next reading, so its integral is a zero-order
hold: it keeps unchanged readings and covers both ends of the window. A monitor
that drops duplicates and interpolates between the others computes 0 J for a
steady load.
"""

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from backbone_bench.records import Known, Missing

LONGEST_GAP_S, LONGEST_GAP_TICKS = 0.5, 3


class Reading(NamedTuple):
    """One reading of a source, in joules or watts, with the start and end of the call."""

    begun_s: float
    ended_s: float
    value: float

    @property
    def at_s(self) -> float:
        return (self.begun_s + self.ended_s) / 2


class Tick(NamedTuple):
    """A change of a reading, at `at_s` ± `slack_s` / 2."""

    at_s: float
    slack_s: float
    value: float


class Window(NamedTuple):
    """Energy between two moments. `edge_j`: uncertainty due to the two ends."""

    window_j: float
    window_s: float
    ticks: int
    edge_j: float


def ticks(readings: Sequence[Reading], tick_s: float = float("inf")) -> list[Tick]:
    """All changes, each at the middle of its possible time: after the last old value, and at most one tick ago.

    A value may be of any moment of its reading, so a slow reading places a change less closely.
    """
    return [_tick(before, after, tick_s) for before, after in pairwise(readings) if after.value != before.value]


def _tick(before: Reading, after: Reading, tick_s: float) -> Tick:
    slack_s = after.ended_s - max(before.begun_s, after.begun_s - tick_s)
    return Tick(after.ended_s - slack_s / 2, slack_s, after.value)


def period_s(readings: Sequence[Reading]) -> Known[float]:
    """Refresh period of a source: mean time between changes, from at least two such times. Some may be missed."""
    changes = ticks(readings)
    if len(changes) < 3:
        return Missing("too_steady", "The reading changed too rarely to find its refresh period.")
    usual_s = statistics.median(later.at_s - sooner.at_s for sooner, later in pairwise(changes))
    return (changes[-1].at_s - changes[0].at_s) / sum(periods(changes, usual_s))


def periods(changes: Sequence[Tick], usual_s: float) -> list[int]:
    """Number of periods from each change to the next one, where a period takes about so long.

    One, if the time may be that of one: where readings are seldom, changes seem to come after one period and a half.
    """
    return [
        max(1, round((later.at_s - sooner.at_s - (sooner.slack_s + later.slack_s) / 2) / usual_s))
        for sooner, later in pairwise(changes)
    ]


def counted(readings: Sequence[Reading], tick_s: float) -> Known[Window]:
    """Energy of a counter from its first change to its last.

    A counter that is read near its first and last tick only has ticked in between too: their number follows from the
    time and the period.
    """
    if any(after.value < before.value for before, after in pairwise(readings)):
        return Missing("counter_back", "The energy counter went backwards (driver reload?).")
    changes = ticks(readings, tick_s)
    if len(changes) < 2:
        return Missing("counter_still", "The energy counter did not move in the window.")
    first, last = changes[0], changes[-1]
    window_j, window_s = last.value - first.value, last.at_s - first.at_s
    count = max(len(changes) - 1, round(window_s / tick_s))
    return Window(window_j, window_s, count, (first.slack_s + last.slack_s) / 2 * window_j / window_s)


def zero_order_hold(readings: Sequence[Reading], start_s: float, end_s: float, tick_s: float) -> Known[Window]:
    """Zero-order-hold integral of a power sensor from `start_s` to `end_s`: each value counts until the next reading.

    A reading may be one tick old, so the ends are uncertain by one tick times the range of the readings.
    """
    inside = [reading for reading in readings if start_s <= reading.at_s <= end_s]
    if not inside:
        return Missing("no_readings", "The power sensor was not read in the window.")
    gap_s = max(later - sooner for sooner, later in pairwise((start_s, *(reading.at_s for reading in inside), end_s)))
    if gap_s > max(LONGEST_GAP_S, LONGEST_GAP_TICKS * tick_s):
        return Missing("gap", f"The power sensor was not read for {gap_s:.2f} s.")
    # The first value also counts back to the start.
    moments = [start_s, *(reading.at_s for reading in inside[1:]), end_s]
    watts = [reading.value for reading in inside]
    if min(watts) <= 0:  # a device that runs never draws 0 W, so the sensor is wrong
        return Missing("reads_zero", f"The power sensor reads {min(watts):g} W.")
    joules = sum(value * (later - sooner) for value, (sooner, later) in zip(watts, pairwise(moments), strict=True))
    changes = sum(later != earlier for earlier, later in pairwise(watts))
    return Window(joules, end_s - start_s, changes, tick_s * (max(watts) - min(watts)))
