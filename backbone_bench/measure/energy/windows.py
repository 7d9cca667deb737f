"""Windows of energy under a load that never stops: settling, probing, catching ticks.

What the readings mean is `integrate`'s business; here it is decided when to look.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.measure.energy.idle import PROBE_S
from backbone_bench.measure.energy.integrate import Window, counted, period_s, ticks, zero_order_hold
from backbone_bench.measure.energy.load import COARSEST_S, Looking, Steady, Tape, Witness
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
class Bench:
    """A steady load and a clock."""

    steady: Steady
    clock: Clock
    plan: EnergyPlan

    def run_for(self, seconds: float, looking: Looking | None = None) -> None:
        """Keep the load going, looking if anybody does."""
        end_s = self.clock.now_s() + seconds
        self.steady.run_until(lambda: self.clock.now_s() >= end_s, looking or Looking(self.clock, (), math.inf))

    def settle(self) -> None:
        """Let clocks and heat settle, and learn how long a run takes."""
        self.steady.drain()
        begun_s = self.clock.now_s()
        self.run_for(self.plan.settle_s)
        self.steady.drain()
        self.steady.run_s = (self.clock.now_s() - begun_s) / self.steady.runs

    def probe(self, source: PowerSource) -> Tape:
        """Look often for a second, for two where the reading hardly changes.

        With the settling before it, that is also twice the longest average of any sensor: what it remembers is load.
        """
        tape, begun_s = Tape(source, self.clock), self.clock.now_s()

        def enough() -> bool:
            spent_s = self.clock.now_s() - begun_s
            return len(tape.readings) >= 3 and spent_s >= (PROBE_S if tape.changes > 2 else STILL_S)

        self.steady.run_until(enough, Looking(self.clock, (tape,), self.plan.poll_s))
        return tape

    def window(self, aim: WindowPlan) -> Known[WindowPart]:
        """One window, in as many shifted parts as aimed at."""
        parts: list[WindowPart] = []
        for shift in range(aim.shifts):
            if shift:
                self.clock.sleep_s(SHIFT_S)
                self.lead(aim.source)
            part = self._part(aim, aim.window_s / aim.shifts)
            if isinstance(part, Missing):
                return part
            parts.append(part)
        return self._enough(_sum(parts), aim)

    def lead(self, source: PowerSource) -> None:
        """Run until a sensor has forgotten what was before; a counter remembers nothing."""
        if source.unit == "W":
            averaging = averaging_s(source)
            self.run_for(averaging + max(averaging, source.period_s or 0))  # a reading is also as old as its period

    def _enough(self, part: WindowPart, aim: WindowPlan) -> Known[WindowPart]:
        # A slow load hides ticks from a quick look: what the probed tick promises counts as well.
        ticks = max(part.window.ticks, part.window.window_s / aim.tick_s)
        if aim.source.unit == "W" or ticks >= self.plan.min_ticks:
            return part
        return Missing(
            "few_ticks",
            f"Only {part.window.ticks} counter updates in the window, {self.plan.min_ticks} needed: "
            "raise --energy-window.",
        )

    def _part(self, aim: WindowPlan, window_s: float) -> Known[WindowPart]:
        tape = Tape(aim.source, self.clock)
        other = Witness(aim.other, self.clock) if aim.other else None
        self.steady.drain()
        begun_s, runs = self.clock.now_s(), self.steady.runs
        if aim.source.unit == "J":
            window = self._by_ticks(aim, window_s, tape, other)
        else:
            window = self._by_time(aim, window_s, tape)
        self.steady.drain()
        if isinstance(window, Missing):
            return window
        return WindowPart(
            window, _beside(tape, other, aim.tick_s), self.clock.now_s() - begun_s, self.steady.runs - runs
        )

    def _by_ticks(self, aim: WindowPlan, window_s: float, tape: Tape, other: Witness | None) -> Known[Window]:
        tapes = (tape, other) if other else (tape,)
        if not self._catch(tape):
            return STILL
        self.run_for(window_s, Looking(self.clock, tapes, self._every_s(aim.tick_s)))
        if not self._catch(tape):
            return STILL
        return counted(tape.readings, aim.tick_s)

    def _by_time(self, aim: WindowPlan, window_s: float, tape: Tape) -> Known[Window]:
        start_s = self.clock.now_s()
        self.run_for(window_s, Looking(self.clock, (tape,), self._every_s(aim.tick_s)))
        return zero_order_hold(tape.readings, start_s, self.clock.now_s(), aim.tick_s)

    def _catch(self, tape: Tape) -> bool:
        """Look closely until the reading changes; whether it did."""
        looking = Looking(self.clock, (tape,), self.plan.poll_s)
        looking.look()  # a change since the last coarse look has no good place in time
        changes, looks, end_s = tape.changes, len(tape.readings), self.clock.now_s() + STILL_S

        def enough() -> bool:
            waited = self.clock.now_s() >= end_s and len(tape.readings) > looks + 1
            return tape.changes > changes or waited

        self.steady.run_until(enough, looking)
        return tape.changes > changes

    def _every_s(self, tick_s: float) -> float:
        return min(COARSEST_S, max(tick_s / 4, self.plan.poll_s))


def averaging_s(source: PowerSource) -> float:
    """What a sensor averages; the longest known where nothing is."""
    return STEADIEST_S if source.averaging_s is None else source.averaging_s


def tick_s(*tapes: Tape) -> Known[float]:
    """How often a source's reading changes: the quickest of its tapes."""
    periods = [period_s(tape.readings) for tape in tapes]
    found = [period for period in periods if not isinstance(period, Missing)]
    return min(found) if found else periods[-1]


def _beside(tape: Tape, other: Witness | None, tick_s: float) -> Known[float]:
    """The other sensor's joules between the counter's first and last tick."""
    if other is None:
        return Missing("one_source", "There is no second source to check against.")
    if other.failure is not None:
        return other.failure
    changed = ticks(tape.readings, tick_s)
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
