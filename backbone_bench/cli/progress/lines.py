"""The protocol of progress on stderr, and its two simple kinds: one line per row, and silent."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from backbone_bench.base.progress import ProgressCallback, StepPhase, silent
from backbone_bench.base.units import span
from backbone_bench.report.tables import escape


def say(line: str) -> None:
    """Print a line on stderr. An error of the stream (full, closed) is ignored: it must not change the result."""
    with suppress(OSError):
        print(escape.lines(line), file=sys.stderr, flush=True)


class Progress(Protocol):
    """Shows the user which row, round or phase is running."""

    def row(self, title: str, number: int, count: int) -> ProgressCallback:
        """A row of a sweep begins. Returns the callback for its phases; the share is that of the phase."""

    def whole(self, title: str) -> ProgressCallback:
        """One piece of work begins. Returns the callback for its phases; the share is that of the whole work."""

    def say(self, line: str) -> None:
        """Print a line that stays on the screen."""


class Silent:
    """Progress for `--quiet`: `say` still prints, since it reports errors."""

    def row(self, title: str, number: int, count: int) -> ProgressCallback:
        return silent

    def whole(self, title: str) -> ProgressCallback:
        return silent

    def say(self, line: str) -> None:
        say(line)


class ProgressLines:
    """Progress for logs: a line when a row begins, with `verbose` also a line per phase."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._left, self._verbose = TimeLeft(), verbose

    def say(self, line: str) -> None:
        say(line)

    def row(self, title: str, number: int, count: int) -> ProgressCallback:
        left = self._left.text((number - 1) / count)
        self.say(f"[{number}/{count}] {title}{left and f' ({left} left)'}")
        last = ""

        def on_progress(phase: str, share: float) -> None:
            nonlocal last
            if phase != last:
                self.say(f"  {phase}")
            last = phase

        return on_progress if self._verbose else silent

    def whole(self, title: str) -> ProgressCallback:
        self.say(title)
        last, clock = "", TimeLeft()  # a new clock: the time of earlier work must not count

        def on_progress(phase: str, share: float) -> None:
            nonlocal last
            step = phase.step if isinstance(phase, StepPhase) else phase
            if step != last:
                left = clock.text(share)
                self.say(f"{step}{left and f' ({left} left)'}")
            last = step

        return on_progress


class TimeLeft:
    """Estimates the remaining time from the pace so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start_s = clock, clock()

    def text(self, share: float) -> str:
        """`about 2 min`; empty while nothing is done."""
        if share <= 0:
            return ""
        return f"about {span((self._clock() - self._start_s) * (1 - share) / share)}"
