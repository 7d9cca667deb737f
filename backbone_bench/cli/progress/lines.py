"""What is being done, on stderr: a moving bar on a terminal, a line a row elsewhere."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from backbone_bench.base.progress import ProgressCallback, silent
from backbone_bench.base.units import span
from backbone_bench.report.tables import escape


def say(line: str) -> None:
    """A line on stderr; that nobody can read it there (full, closed, gone) changes nothing of what is found."""
    with suppress(OSError):
        print(escape.lines(line), file=sys.stderr, flush=True)


class Progress(Protocol):
    """Shows a person what is being done."""

    def row(self, title: str, number: int, count: int) -> ProgressCallback:
        """A row of a sweep begins; what is returned takes its phases, each with its own share."""

    def whole(self, title: str) -> ProgressCallback:
        """One piece of work begins; what is returned takes its phases, with the share of all of it."""

    def say(self, line: str) -> None:
        """Show a line that stays."""


class Silent:
    """Progress for `--quiet`; what went wrong is said all the same."""

    def row(self, title: str, number: int, count: int) -> ProgressCallback:
        return silent

    def whole(self, title: str) -> ProgressCallback:
        return silent

    def say(self, line: str) -> None:
        say(line)


class ProgressLines:
    """A line when a row begins, and where more is wanted a line a phase: for logs."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._left, self._verbose = TimeLeft(), verbose

    def say(self, line: str) -> None:
        say(line)

    def row(self, title: str, number: int, count: int) -> ProgressCallback:
        left = self._left.words((number - 1) / count)
        self.say(f"[{number}/{count}] {title}{left and f' ({left} left)'}")
        said = ""

        def tell(phase: str, share: float) -> None:
            nonlocal said
            if phase != said:
                self.say(f"  {phase}")
            said = phase

        return tell if self._verbose else silent

    def whole(self, title: str) -> ProgressCallback:
        self.say(title)
        said, clock = "", TimeLeft()  # a piece of work of its own: the time of those before is not its time

        def tell(phase: str, share: float) -> None:
            nonlocal said
            step = phase.partition(":")[0]
            if step != said:
                left = clock.words(share)
                self.say(f"{step}{left and f' ({left} left)'}")
            said = step

        return tell


class TimeLeft:
    """How long the rest takes, if it goes on as it has until now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start_s = clock, clock()

    def words(self, share: float) -> str:
        """`about 2 min`; empty while nothing is over."""
        if share <= 0:
            return ""
        return f"about {span((self._clock() - self._start_s) * (1 - share) / share)}"
