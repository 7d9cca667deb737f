"""Signals that ask the program to end: an exception where it stands, put off while something must not be cut.

The first signal waits for the end of a `held` block; one that comes a second later ends that too. Within a second it
is the same wish told again: `timeout` tells a process and then its whole group. Nothing here imports
anything that takes time, so that signals can be heard while the rest is still being loaded.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 1.0


class Interrupted(BaseException):
    """A signal asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number, self.exit_code = number, 128 + number


class SignalState:
    """What has come, and whether it has to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.came: Interrupted | None = None  # the first; code of others may have caught it
        self._clock, self._came_s = clock, 0.0
        self._depth, self._waits = 0, False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        now_s = self._clock()
        if self.came is None:
            self.came, self._came_s = Interrupted(number), now_s
            if self._depth:
                self._waits = True
                return
            raise self.came
        if now_s - self._came_s >= PATIENCE_S:
            raise Interrupted(number)

    def redeliver(self, stopped: Interrupted) -> None:
        """It was raised in a finalizer, where nothing can be raised: the signal comes again a moment later."""
        self.came = None
        again = threading.Timer(0.01, os.kill, (os.getpid(), stopped.number))
        again.daemon = True
        again.start()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A signal that comes meanwhile waits until the end."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self.came is not None and self._waits and not self._depth:
            self._waits = False
            raise self.came


_heard: list[SignalState] = []  # handlers belong to the whole process, and so does what they hear


@contextmanager
def handled() -> Iterator[SignalState]:
    """Handle the signals; one that is ignored (nohup) stays so. Within another such block it is that one."""
    if _heard:
        yield _heard[-1]
        return
    stops = SignalState()
    ours = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stops.handle) for number in ours}
    hook = sys.unraisablehook

    def unraisable(told: "sys.UnraisableHookArgs") -> None:
        if isinstance(told.exc_value, Interrupted):
            stops.redeliver(told.exc_value)
        else:
            hook(told)

    sys.unraisablehook = unraisable
    _heard.append(stops)
    try:
        yield stops
    finally:
        _heard.pop()
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """`Stops.held` of whoever hears the signals; where nobody does, they do what they always do."""
    if not _heard:
        yield
        return
    with _heard[-1].deferred():
        yield
