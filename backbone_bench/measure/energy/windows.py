"""Energy windows under a load that never stops: warm-up, probe of the source, and polling from tick to tick.

This module decides when to poll; `integrate` computes the energy from the readings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.measure.energy.idle import PROBE_S
from backbone_bench.measure.energy.integrate import Window, counted, period_s, ticks, zero_order_hold
from backbone_bench.measure.energy.load import COARSEST_S, OptionalTrace, Poller, Steady, Trace
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import LONGEST_AVERAGING_S
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Known, Missing

STILL_S = 2.0  # a counter that does not change for so long is not usable
ASSUMED_TICK_S = 0.1  # tick of a sensor whose readings do not change
# Pauses that shift the load against a sensor that samples only part of the time (arXiv 2312.02741).
SHIFTS, SHIFT_S = 8, 0.025
STILL = Missing("counter_still", f"The energy counter did not move in {STILL_S:.0f} s.")


class WindowPlan(NamedTuple):
    """Plan of the windows of one source."""

    source: PowerSource
    tick_s: float
    window_s: float
    shifts: int  # number of parts of a window, each with the load shifted against the sensor
    second_source: PowerSource | None  # a sensor that is read along with a counter, as a cross-check


class WindowPart(NamedTuple):
    """One window, the energy by the second source, and the time and number of the runs around it."""

    window: Window
    second_j: Known[float]
    span_s: float
    runs: int


@dataclass(frozen=True, slots=True)
class EnergyRun:
    """One energy measurement in progress: a steady load, a clock and a plan."""

    steady: Steady
    clock: Clock
    plan: EnergyPlan

    def run_for(self, seconds: float, poller: Poller | None = None) -> None:
        """Run the load for so many seconds, and poll meanwhile if a poller is given."""
        end_s = self.clock.now_s() + seconds
        self.steady.run_until(lambda: self.clock.now_s() >= end_s, poller or Poller(self.clock, (), math.inf))

    def warm_up(self) -> None:
        """Warm up until clocks and temperature are steady, and measure the time of one run."""
        self.steady.drain()
        begun_s = self.clock.now_s()
        self.run_for(self.plan.warm_up_s)
        self.steady.drain()
        self.steady.run_s = (self.clock.now_s() - begun_s) / self.steady.runs

    def probe(self, source: PowerSource) -> Trace:
        """Poll a source fast for 1 s, or for 2 s if its reading hardly changes.

        Together with the warm-up this is at least twice the longest averaging time of any sensor, so that its average
        holds nothing but load.
        """
        trace, begun_s = Trace(source, self.clock), self.clock.now_s()

        def is_done() -> bool:
            spent_s = self.clock.now_s() - begun_s
            return len(trace.readings) >= 3 and spent_s >= (PROBE_S if trace.changes > 2 else STILL_S)

        self.steady.run_until(is_done, Poller(self.clock, (trace,), self.plan.poll_s))
        return trace

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
        # Slow runs leave few polls, so ticks are missed: the number expected from the probed period counts too.
        ticks = max(part.window.ticks, part.window.window_s / window_plan.tick_s)
        if window_plan.source.unit == "W" or ticks >= self.plan.min_ticks:
            return part
        return Missing(
            "few_ticks",
            f"Only {part.window.ticks} counter updates in the window, {self.plan.min_ticks} needed: "
            "raise --energy-window.",
        )

    def _part(self, window_plan: WindowPlan, window_s: float) -> Known[WindowPart]:
        trace = Trace(window_plan.source, self.clock)
        second = OptionalTrace(window_plan.second_source, self.clock) if window_plan.second_source else None
        self.steady.drain()
        begun_s, runs = self.clock.now_s(), self.steady.runs
        if window_plan.source.unit == "J":
            window = self._by_ticks(window_plan, window_s, trace, second)
        else:
            window = self._by_time(window_plan, window_s, trace)
        self.steady.drain()
        if isinstance(window, Missing):
            return window
        return WindowPart(
            window, _second_j(trace, second, window_plan.tick_s), self.clock.now_s() - begun_s, self.steady.runs - runs
        )

    def _by_ticks(
        self, window_plan: WindowPlan, window_s: float, trace: Trace, second: OptionalTrace | None
    ) -> Known[Window]:
        traces = (trace, second) if second else (trace,)
        if not self._catch_tick(trace):
            return STILL
        self.run_for(window_s, Poller(self.clock, traces, self._every_s(window_plan.tick_s)))
        if not self._catch_tick(trace):
            return STILL
        return counted(trace.readings, window_plan.tick_s)

    def _by_time(self, window_plan: WindowPlan, window_s: float, trace: Trace) -> Known[Window]:
        start_s = self.clock.now_s()
        self.run_for(window_s, Poller(self.clock, (trace,), self._every_s(window_plan.tick_s)))
        return zero_order_hold(trace.readings, start_s, self.clock.now_s(), window_plan.tick_s)

    def _catch_tick(self, trace: Trace) -> bool:
        """Poll fast until the reading changes; False if it does not."""
        poller = Poller(self.clock, (trace,), self.plan.poll_s)
        poller.poll()  # the time of a change since the last slow poll is too uncertain
        changes, polls, end_s = trace.changes, len(trace.readings), self.clock.now_s() + STILL_S

        def is_done() -> bool:
            timed_out = self.clock.now_s() >= end_s and len(trace.readings) > polls + 1
            return trace.changes > changes or timed_out

        self.steady.run_until(is_done, poller)
        return trace.changes > changes

    def _every_s(self, tick_s: float) -> float:
        return min(COARSEST_S, max(tick_s / 4, self.plan.poll_s))


def averaging_s(source: PowerSource) -> float:
    """Averaging time of a sensor; the longest known one if it is unknown."""
    return LONGEST_AVERAGING_S if source.averaging_s is None else source.averaging_s


def tick_s(*traces: Trace) -> Known[float]:
    """Refresh period of a source: the shortest one found in its traces."""
    periods = [period_s(trace.readings) for trace in traces]
    found = [period for period in periods if not isinstance(period, Missing)]
    return min(found) if found else periods[-1]


def _second_j(trace: Trace, second: OptionalTrace | None, tick_s: float) -> Known[float]:
    """Joules by the second source, between the first and last tick of the counter."""
    if second is None:
        return Missing("one_source", "There is no second power source to compare with.")
    if second.failure is not None:
        return second.failure
    changed = ticks(trace.readings, tick_s)
    window = zero_order_hold(second.readings, changed[0].at_s, changed[-1].at_s, tick_s)
    return window if isinstance(window, Missing) else window.window_j


def _sum(parts: Sequence[WindowPart]) -> WindowPart:
    windows = [part.window for part in parts]
    window = Window(
        math.fsum(each.window_j for each in windows),
        math.fsum(each.window_s for each in windows),
        sum(each.ticks for each in windows),
        math.hypot(*(each.edge_j for each in windows)),
    )
    return WindowPart(
        window, second_j(parts), math.fsum(part.span_s for part in parts), sum(part.runs for part in parts)
    )


def second_j(parts: Sequence[WindowPart]) -> Known[float]:
    """Joules by the second source over all parts; Missing if one part lacks them."""
    total_j = 0.0
    for part in parts:
        if isinstance(part.second_j, Missing):
            return part.second_j
        total_j += part.second_j
    return total_j
