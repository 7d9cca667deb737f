"""Samples of a card that is too hot, or at its power limit, taken again after a wait: `--wait-for-cool`.

NVIDIA's nvbench discards such samples too. Here none is discarded unless this is asked for, and the record has their
number.
"""

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.latency.timers import Timer
from backbone_bench.measure.protocols import Clock, Watcher
from backbone_bench.records import Cooling, Missing

_LOOK_S = 1.0  # between two looks at a card that cools down
_WARM_S = 0.2  # of calls that are no samples: a card that has rested begins at a low clock


class Cooler:
    """Takes samples, and takes those again during which the clocks were held back, for at most `limit_s` in all."""

    def __init__(self, watch: Watcher, limit_s: float, clock: Clock | None = None) -> None:
        """Raises CouldNotMeasure if the device does not say when its clocks are held back."""
        self._watch, self._limit_s, self._clock = watch, limit_s, clock or HostClock()
        self.repeated, self.spent_s = 0, 0.0
        self._held_back_s()

    def take(self, timer: Timer, calls: int) -> list[float]:
        """Samples of so many calls, all with clocks that nothing held back, if the limit allows that."""
        while True:
            before_s, start_s = self._held_back_s(), self._clock.now_s()
            samples_s = list(timer.take(calls))
            if self._held_back_s() <= before_s or self.gave_up:
                return samples_s
            self.repeated += len(samples_s)
            self._cool(start_s)
            self._warm(timer, calls)
            self.spent_s += self._clock.now_s() - start_s

    @property
    def gave_up(self) -> bool:
        """Whether the limit is spent, so that samples are kept as they come."""
        return self.spent_s >= self._limit_s

    def since(self, repeated: int, spent_s: float) -> Cooling:
        """What was done since these numbers of this cooler."""
        return Cooling(self.repeated - repeated, self.spent_s - spent_s, self.gave_up)

    def _held_back_s(self) -> float:
        held_s = self._watch.held_back_s()
        if isinstance(held_s, Missing):
            raise CouldNotMeasure(
                f"--wait-for-cool needs a card that says when its clocks are held back: {held_s.message}"
            )
        return held_s

    def _cool(self, start_s: float) -> None:
        """Wait until nothing holds the clocks back, or the limit is reached."""
        self._clock.sleep_s(_LOOK_S)
        while self._watch.holds_back() and self.spent_s + self._clock.now_s() - start_s < self._limit_s:
            self._clock.sleep_s(_LOOK_S)

    def _warm(self, timer: Timer, calls: int) -> None:
        start_s = self._clock.now_s()
        while self._clock.now_s() - start_s < _WARM_S:
            timer.take(calls)
