"""Energy windows under a load that never stops: warm-up, probe of the source, and windows from tick to tick.

This module decides when to poll; `integrate` computes the energy from the readings.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.measure.energy.counting import ONE_SOURCE, STILL_S, Counting, Seen
from backbone_bench.measure.energy.idle import PROBE_S
from backbone_bench.measure.energy.integrate import Window, period_s, ticks, zero_order_hold
from backbone_bench.measure.energy.load import NO_READING, OptionalTrace, Poller, Polling, Steady, Trace, every_s
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import LONGEST_AVERAGING_S
from backbone_bench.measure.energy.ticking import Ticking
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Known, Missing

ASSUMED_TICK_S = 0.1  # tick of a sensor whose readings do not change
# Pauses that shift the load against a sensor that samples only part of the time (arXiv 2312.02741).
SHIFTS, SHIFT_S = 8, 0.025


class WindowPlan(NamedTuple):
    """Plan of the windows of one source."""

    source: PowerSource
    tick_s: float
    ticking: Ticking | None  # None for a sensor, which is read all the time
    window_s: float
    shifts: int  # number of parts of a window, each with the load shifted against the sensor
    second_source: PowerSource | None  # a sensor that is read along with a counter, as a cross-check


class WindowPart(NamedTuple):
    """One window, the energy by the second source, and the time and number of the runs around it."""

    window: Window
    second_j: Known[float]
    span_s: float  # without the readings between two calls
    runs: int
    rest_s: float  # time of the readings within the window that fell between two calls


@dataclass(frozen=True, slots=True)
class Measurement:
    """One energy measurement in progress: a steady load, a clock and a plan."""

    steady: Steady
    clock: Clock
    plan: EnergyPlan

    def run_for(self, seconds: float, polling: Polling = NO_READING) -> None:
        """Run the load for so many seconds, and poll meanwhile."""
        end_s = self.clock.now_s() + seconds
        self.steady.run_until(lambda: self.clock.now_s() >= end_s, polling)

    def warm_up(self) -> None:
        """Warm up until clocks and temperature are steady, and measure the time of one run."""
        self.steady.run_s = self.undisturbed_run_s(self.plan.warm_up_s)

    def undisturbed_run_s(self, seconds: float) -> float:
        """Mean time of a run while nothing is read, over a stretch that is drained at both ends."""
        self.steady.drain()
        begun_s, runs = self.clock.now_s(), self.steady.runs
        self.run_for(seconds)
        self.steady.drain()
        return (self.clock.now_s() - begun_s) / (self.steady.runs - runs)

    def probe(self, source: PowerSource) -> Trace:
        """Poll a source fast for 1 s, or for 2 s if its reading hardly changes.

        Together with the warm-up this is at least twice the longest averaging time of any sensor, so that its average
        holds nothing but load. From here on the queue also bridges the longest reading under load.
        """
        trace, begun_s = Trace(source, self.clock), self.clock.now_s()

        def is_done() -> bool:
            spent_s = self.clock.now_s() - begun_s
            return len(trace.readings) >= 3 and spent_s >= (PROBE_S if trace.changes > 2 else STILL_S)

        self.steady.run_until(is_done, Poller(self.clock, (trace,), self.plan.poll_s))
        self.steady.reading_s = max(self.steady.reading_s, *trace.took_s())
        return trace

    def ticking(self, probe: Trace, tick_s: float) -> Ticking | None:
        """Ticking of a counter, from its probe of two ticks or more. None for a sensor."""
        if probe.source.unit == "W":
            return None
        call_s = self.steady.run_s if self.steady.mode == "wall" else 0.0
        return Ticking.seen(ticks(probe.readings, tick_s), tick_s, statistics.median(probe.took_s()) + call_s)

    def window(self, window_plan: WindowPlan) -> Known[WindowPart]:
        """Measure one window, in as many shifted parts as planned."""
        parts: list[WindowPart] = []
        for shift in range(window_plan.shifts):
            if shift:
                self.clock.sleep_s(SHIFT_S)
                self.fill_average(window_plan.source)
            part = self._part(window_plan, window_plan.window_s / window_plan.shifts)
            if isinstance(part, Missing):
                return part
            parts.append(part)
        return self._with_enough_ticks(_sum(parts), window_plan)

    def fill_average(self, source: PowerSource) -> None:
        """Run until the average of a sensor holds nothing but load. A counter has no average."""
        if source.unit == "W":
            averaging = averaging_s(source)
            self.run_for(averaging + max(averaging, source.period_s or 0))  # a reading may also be one period old

    def _with_enough_ticks(self, part: WindowPart, window_plan: WindowPlan) -> Known[WindowPart]:
        if window_plan.source.unit == "W" or part.window.ticks >= self.plan.min_ticks:
            return part
        return Missing(
            "few_ticks",
            f"Only {part.window.ticks} counter updates in the window, {self.plan.min_ticks} needed: "
            "raise --energy-window.",
        )

    def _part(self, window_plan: WindowPlan, window_s: float) -> Known[WindowPart]:
        self.steady.drain()
        begun_s, runs = self.clock.now_s(), self.steady.runs
        seen = self._seen(window_plan, window_s)
        self.steady.drain()
        ended_s, runs = self.clock.now_s(), self.steady.runs - runs
        if isinstance(seen, Missing):
            return seen
        span_s = ended_s - begun_s - self.steady.rest_s(begun_s, ended_s)
        return WindowPart(seen.window, seen.second_j, span_s, runs, self.steady.rest_s(seen.from_s, seen.to_s))

    def _seen(self, window_plan: WindowPlan, window_s: float) -> Known[Seen]:
        trace, poll_s = Trace(window_plan.source, self.clock), self.plan.poll_s
        if window_plan.ticking is not None:
            second = OptionalTrace(window_plan.second_source, self.clock) if window_plan.second_source else None
            return Counting(self.steady, self.clock, poll_s, trace, second, window_plan.ticking).window(window_s)
        start_s = self.clock.now_s()
        self.run_for(window_s, Poller(self.clock, (trace,), every_s(window_plan.tick_s, poll_s)))
        end_s = self.clock.now_s()
        window = zero_order_hold(trace.readings, start_s, end_s, window_plan.tick_s)
        return window if isinstance(window, Missing) else Seen(window, ONE_SOURCE, start_s, end_s)


def averaging_s(source: PowerSource) -> float:
    """Averaging time of a sensor; the longest known one if it is unknown."""
    return LONGEST_AVERAGING_S if source.averaging_s is None else source.averaging_s


def tick_s(*traces: Trace) -> Known[float]:
    """Refresh period of a source: the shortest one found in its traces."""
    periods = [period_s(trace.readings) for trace in traces]
    found = [period for period in periods if not isinstance(period, Missing)]
    return min(found) if found else periods[-1]


def _sum(parts: Sequence[WindowPart]) -> WindowPart:
    windows = [part.window for part in parts]
    window = Window(
        math.fsum(each.window_j for each in windows),
        math.fsum(each.window_s for each in windows),
        sum(each.ticks for each in windows),
        math.hypot(*(each.edge_j for each in windows)),
    )
    return WindowPart(
        window,
        second_j(parts),
        math.fsum(part.span_s for part in parts),
        sum(part.runs for part in parts),
        math.fsum(part.rest_s for part in parts),
    )


def second_j(parts: Sequence[WindowPart]) -> Known[float]:
    """Joules by the second source over all parts; Missing if one part lacks them."""
    total_j = 0.0
    for part in parts:
        if isinstance(part.second_j, Missing):
            return part.second_j
        total_j += part.second_j
    return total_j
