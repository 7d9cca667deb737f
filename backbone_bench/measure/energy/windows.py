"""Windows of energy under a load that never stops: settling, probing, catching ticks.

What the readings mean is `integrate`'s business; here it is decided when to look.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.measure.energy.idle import PROBE_S
from backbone_bench.measure.energy.integrate import Window, counted, period_s, ticks, zero_order_hold
from backbone_bench.measure.energy.load import COARSEST_S, OptionalTrace, Poller, Steady, Trace
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import STEADIEST_S
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Known, Missing

STILL_S = 2.0  # a counter that has not moved for so long does not count
ASSUMED_TICK_S = 0.1  # of a sensor whose readings do not change
SHIFTS, SHIFT_S = 8, 0.025  # pauses that move the load against a sensor that looks away (arXiv 2312.02741)
STILL = Missing("counter_still", f"The energy counter did not move in {STILL_S:.0f} s.")


class WindowPlan(NamedTuple):
    """How windows are taken by one source."""

    source: PowerSource
    tick_s: float
    window_s: float
    shifts: int  # parts of a window, each with the load moved against the sensor
    other: PowerSource | None  # a sensor read beside a counter


class WindowPart(NamedTuple):
    """A window, what the other sensor made of it, and how long how many runs took around it."""

    window: Window
    other_j: Known[float]
    span_s: float
    runs: int


@dataclass(frozen=True, slots=True)
class EnergyRun:
    """A steady load and a clock."""

    steady: Steady
    clock: Clock
    plan: EnergyPlan

    def run_for(self, seconds: float, poller: Poller | None = None) -> None:
        """Keep the load going for so many seconds, polling meanwhile where a poller is given."""
        end_s = self.clock.now_s() + seconds
        self.steady.run_until(lambda: self.clock.now_s() >= end_s, poller or Poller(self.clock, (), math.inf))

    def settle(self) -> None:
        """Let clocks and heat settle, and learn how long a run takes."""
        self.steady.drain()
        begun_s = self.clock.now_s()
        self.run_for(self.plan.settle_s)
        self.steady.drain()
        self.steady.run_s = (self.clock.now_s() - begun_s) / self.steady.runs

    def probe(self, source: PowerSource) -> Trace:
        """CardSnapshot often for a second, for two where the reading hardly changes.

        With the settling before it, that is also twice the longest average of any sensor: what it remembers is load.
        """
        trace, begun_s = Trace(source, self.clock), self.clock.now_s()

        def enough() -> bool:
            spent_s = self.clock.now_s() - begun_s
            return len(trace.readings) >= 3 and spent_s >= (PROBE_S if trace.changes > 2 else STILL_S)

        self.steady.run_until(enough, Poller(self.clock, (trace,), self.plan.poll_s))
        return trace

    def window(self, window_plan: WindowPlan) -> Known[WindowPart]:
        """One window, in as many shifted parts as aimed at."""
        parts: list[WindowPart] = []
        for shift in range(window_plan.shifts):
            if shift:
                self.clock.sleep_s(SHIFT_S)
                self.lead(window_plan.source)
            part = self._part(window_plan, window_plan.window_s / window_plan.shifts)
            if isinstance(part, Missing):
                return part
            parts.append(part)
        return self._enough(_sum(parts), window_plan)

    def lead(self, source: PowerSource) -> None:
        """Run until a sensor has forgotten what was before; a counter remembers nothing."""
        if source.unit == "W":
            averaging = averaging_s(source)
            self.run_for(averaging + max(averaging, source.period_s or 0))  # a reading is also as old as its period

    def _enough(self, part: WindowPart, window_plan: WindowPlan) -> Known[WindowPart]:
        # A slow load hides ticks from a quick look: what the probed tick promises counts as well.
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
        other = OptionalTrace(window_plan.other, self.clock) if window_plan.other else None
        self.steady.drain()
        begun_s, runs = self.clock.now_s(), self.steady.runs
        if window_plan.source.unit == "J":
            window = self._by_ticks(window_plan, window_s, trace, other)
        else:
            window = self._by_time(window_plan, window_s, trace)
        self.steady.drain()
        if isinstance(window, Missing):
            return window
        return WindowPart(
            window, _beside(trace, other, window_plan.tick_s), self.clock.now_s() - begun_s, self.steady.runs - runs
        )

    def _by_ticks(
        self, window_plan: WindowPlan, window_s: float, trace: Trace, other: OptionalTrace | None
    ) -> Known[Window]:
        traces = (trace, other) if other else (trace,)
        if not self._catch(trace):
            return STILL
        self.run_for(window_s, Poller(self.clock, traces, self._every_s(window_plan.tick_s)))
        if not self._catch(trace):
            return STILL
        return counted(trace.readings, window_plan.tick_s)

    def _by_time(self, window_plan: WindowPlan, window_s: float, trace: Trace) -> Known[Window]:
        start_s = self.clock.now_s()
        self.run_for(window_s, Poller(self.clock, (trace,), self._every_s(window_plan.tick_s)))
        return zero_order_hold(trace.readings, start_s, self.clock.now_s(), window_plan.tick_s)

    def _catch(self, trace: Trace) -> bool:
        """CardSnapshot closely until the reading changes; whether it did."""
        poller = Poller(self.clock, (trace,), self.plan.poll_s)
        poller.poll()  # a change since the last coarse look has no good place in time
        changes, looks, end_s = trace.changes, len(trace.readings), self.clock.now_s() + STILL_S

        def enough() -> bool:
            waited = self.clock.now_s() >= end_s and len(trace.readings) > looks + 1
            return trace.changes > changes or waited

        self.steady.run_until(enough, poller)
        return trace.changes > changes

    def _every_s(self, tick_s: float) -> float:
        return min(COARSEST_S, max(tick_s / 4, self.plan.poll_s))


def averaging_s(source: PowerSource) -> float:
    """What a sensor averages; the longest known where nothing is."""
    return STEADIEST_S if source.averaging_s is None else source.averaging_s


def tick_s(*traces: Trace) -> Known[float]:
    """How often a source's reading changes: the quickest of its traces."""
    periods = [period_s(trace.readings) for trace in traces]
    found = [period for period in periods if not isinstance(period, Missing)]
    return min(found) if found else periods[-1]


def _beside(trace: Trace, other: OptionalTrace | None, tick_s: float) -> Known[float]:
    """The other sensor's joules between the counter's first and last tick."""
    if other is None:
        return Missing("one_source", "There is no second source to check against.")
    if other.failure is not None:
        return other.failure
    changed = ticks(trace.readings, tick_s)
    window = zero_order_hold(other.readings, changed[0].at_s, changed[-1].at_s, tick_s)
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
        window, other_j(parts), math.fsum(part.span_s for part in parts), sum(part.runs for part in parts)
    )


def other_j(parts: Sequence[WindowPart]) -> Known[float]:
    """What the other sensor made of all the parts."""
    total_j = 0.0
    for part in parts:
        if isinstance(part.other_j, Missing):
            return part.other_j
        total_j += part.other_j
    return total_j
