"""Windows of an energy counter, from tick to tick.

The counter is read near its ticks and nowhere else, because a reading may hold up the load.
"""

from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.measure.energy.integrate import Window, counted, ticks, zero_order_hold
from backbone_bench.measure.energy.load import OptionalTrace, Poller, Steady, TickPoller, Together, Trace, every_s
from backbone_bench.measure.energy.ticking import Ticking
from backbone_bench.measure.protocols import Clock
from backbone_bench.records import Known, Missing

STILL_S = 2.0  # a counter that does not change for so long is not usable
CATCHES = 3  # ticks that are tried for one end of a window, while slow readings place them badly
STILL = Missing("counter_still", f"The energy counter did not move in {STILL_S:.0f} s.")
ONE_SOURCE = Missing("one_source", "There is no second power source to compare with.")


class Seen(NamedTuple):
    """One window as its source saw it, the joules by the second source, and when the window began and ended."""

    window: Window
    second_j: Known[float]
    from_s: float
    to_s: float


@dataclass(slots=True)
class Counting:
    """One window of a counter, with a second source that is read all the time."""

    steady: Steady
    clock: Clock
    poll_s: float
    trace: Trace
    second: OptionalTrace | None
    ticking: Ticking

    def window(self, window_s: float) -> Known[Seen]:
        """Energy of a window of about this length.

        Catches a first tick, then the one at the end; in between only a tick that the prediction of the end needs.
        """
        if not self._catch_well(self.ticking.next_poll_s(self.clock.now_s())):
            return STILL
        start = len(self.trace.readings) - 2  # the reading before the first tick
        end_s = self.ticking.end_s(window_s)
        while self.ticking.last.at_s < end_s - self.ticking.period_s / 2:
            if not self._catch_well(self.ticking.poll_towards_s(end_s)):
                return STILL
        readings, period_s = self.trace.readings[start:], self.ticking.period_s
        window = counted(readings, period_s)
        if isinstance(window, Missing):
            return window
        first, *_, last = ticks(readings, period_s)
        return Seen(window, self._second_j(first.at_s, last.at_s), first.at_s, last.at_s)

    def _catch_well(self, poll_s: float) -> bool:
        """Catch a tick, or a later one if unusually slow readings place it badly; False if the counter stands still."""
        for _ in range(CATCHES):
            if not self._catch(poll_s):
                return False
            if self.ticking.is_placed():
                break
            poll_s = self.ticking.next_poll_s(self.clock.now_s())
        return True

    def _catch(self, poll_s: float) -> bool:
        """Poll fast from a moment on until the counter changes; False if it does not."""
        tick_poller = TickPoller(self.clock, self.trace, self.poll_s, poll_s)
        every = every_s(self.ticking.period_s, self.poll_s)
        beside = (Poller(self.clock, (self.second,), every),) if self.second else ()
        still_s = max(poll_s, self.clock.now_s()) + STILL_S

        def is_done() -> bool:
            return tick_poller.caught or (self.clock.now_s() >= still_s and tick_poller.polls > 2)

        self.steady.run_until(is_done, Together((tick_poller, *beside)))
        if tick_poller.caught:
            self.ticking.tick(*ticks(self.trace.readings[-2:], self.ticking.period_s))
        return tick_poller.caught

    def _second_j(self, from_s: float, to_s: float) -> Known[float]:
        if self.second is None:
            return ONE_SOURCE
        if self.second.failure is not None:
            return self.second.failure
        window = zero_order_hold(self.second.readings, from_s, to_s, self.ticking.period_s)
        return window if isinstance(window, Missing) else window.window_j
