"""Prediction of the ticks of an energy counter, from its period and the ticks that were caught.

A reading of a counter may take milliseconds and hold up the load. So the counter
is read near its predicted ticks and nowhere else. A wrong prediction costs
readings, never validity: the counter is then read until it changes.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from backbone_bench.measure.energy.integrate import Tick, periods

CLOSE = 1 / 8  # of a period: a tick that is predicted less closely is approached by catching an earlier one first


@dataclass(slots=True)
class Ticking:
    """Period and last known tick of a counter, with their uncertainties. Each caught tick refines them."""

    first: Tick
    last: Tick
    count: int  # periods from the first tick to the last
    period_s: float
    period_slack_s: float  # uncertainty (±) of the period
    jitter_s: float  # deviation (±) of single ticks from the period
    usual_slack_s: float  # of a tick that no unusually slow reading has placed
    lead_s: float  # polling begins so much earlier: the time of a reading, and of a call that it must wait for

    @classmethod
    def seen(cls, ticks: Sequence[Tick], tick_s: float, lead_s: float) -> Self:
        """Ticking of a counter with about this period, from two or more of its ticks. Some may have been missed."""
        counts = periods(ticks, tick_s)
        first, last, count = ticks[0], ticks[-1], sum(counts)
        period_s = (last.at_s - first.at_s) / count
        beyond_slack_s = (
            abs(later.at_s - sooner.at_s - n * period_s) - (sooner.slack_s + later.slack_s) / 2
            for n, (sooner, later) in zip(counts, pairwise(ticks), strict=True)
        )
        jitter_s = max(0.0, *beyond_slack_s)
        usual_s = statistics.median(tick.slack_s for tick in ticks)
        slack_s = _period_slack_s(first, last, count, jitter_s)
        return cls(first, last, count, period_s, slack_s, jitter_s, usual_s, lead_s)

    def tick(self, tick: Tick) -> None:
        """Take note of a tick that was caught. It refines the period if the number of periods until then is certain."""
        passed = round((tick.at_s - self.last.at_s) / self.period_s)
        if self._margin_s(passed) < self.period_s / 2:
            self.count += passed
            slack_s = _period_slack_s(self.first, tick, self.count, self.jitter_s)
            if slack_s < self.period_slack_s:
                self.period_s, self.period_slack_s = (tick.at_s - self.first.at_s) / self.count, slack_s
        else:
            self.first, self.count = tick, 0
        self.last = tick

    def is_placed(self) -> bool:
        """Whether the last tick is placed about as closely as most: no unusually slow reading was near it."""
        return self.last.slack_s <= 2 * self.usual_slack_s

    def end_s(self, window_s: float) -> float:
        """Predicted end of a window from the last tick on: the first tick that is not much before its length."""
        return self.last.at_s + max(1, math.ceil(window_s / self.period_s - CLOSE)) * self.period_s

    def next_poll_s(self, now_s: float) -> float:
        """When to begin polling for the next tick after now."""
        count = math.ceil((now_s + self.lead_s - self.last.at_s) / self.period_s)
        if self._margin_s(count) >= self.period_s / 2:
            return now_s
        return self._poll_s(count if self._poll_s(count) >= now_s else count + 1)

    def poll_towards_s(self, end_s: float) -> float:
        """When to begin polling for the tick at `end_s`, or for the last one before it that is predicted closely."""
        count = max(1, round((end_s - self.last.at_s) / self.period_s))
        if not self._is_close(count) and self._is_close(1):
            count = max(1, math.floor((CLOSE * self.period_s - self._margin_s(0)) / self.period_slack_s))
        return self._poll_s(count)

    def _is_close(self, count: int) -> bool:
        return self._margin_s(count) <= CLOSE * self.period_s

    def _poll_s(self, count: int) -> float:
        margin_s = min(self._margin_s(count), self.period_s / 2)
        return self.last.at_s + count * self.period_s - margin_s - self.lead_s

    def _margin_s(self, count: int) -> float:
        """Uncertainty (±) of the tick `count` periods after the last one."""
        return self.last.slack_s / 2 + self.jitter_s + count * self.period_slack_s


def _period_slack_s(first: Tick, last: Tick, count: int, jitter_s: float) -> float:
    return ((first.slack_s + last.slack_s) / 2 + jitter_s) / count if count else math.inf
