"""Signals that ask the program to end: each raises `Interrupted`, at once or at the end of a `deferred` block.

The first signal is deferred to the end of such a block; another one a second later interrupts the block too. A repeat
within that second is the same request: `timeout` signals a process and then its whole process group. This module
imports nothing slow, so that signals are handled while the rest of the program is still loading.
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
PATIENCE_S = 1.0  # a repeat within this time is the same request


class Interrupted(BaseException):
    """A signal that asks the program to end, as an exception; its exit code is 128 + the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number, self.exit_code = number, 128 + number


class SignalState:
    """State of the signal handler: the first signal received, and whether it is deferred."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.received: Interrupted | None = None  # the first signal; other code may have caught the exception
        self._clock, self._came_s = clock, 0.0
        self._depth, self._waits = 0, False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: raise `Interrupted` at once, or at the end of the current `deferred` block."""
        now_s = self._clock()
        if self.received is None:
            self.received, self._came_s = Interrupted(number), now_s
            if self._depth:
                self._waits = True
                return
            raise self.received
        if now_s - self._came_s >= PATIENCE_S:
            raise Interrupted(number)

    def redeliver(self, interrupted: Interrupted) -> None:
        """Send the signal again a moment later: its exception was raised in a finalizer and lost there."""
        self.received = None
        again = threading.Timer(0.01, os.kill, (os.getpid(), interrupted.number))
        again.daemon = True
        again.start()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer a signal that arrives within the block to the end of the block."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self.received is not None and self._waits and not self._depth:
            self._waits = False
            raise self.received


_installed: list[SignalState] = []  # signal handlers belong to the whole process, and so does their state


@contextmanager
def handled() -> Iterator[SignalState]:
    """Install the signal handlers; an ignored signal (nohup) stays ignored. A nested block shares the outer state."""
    if _installed:
        yield _installed[-1]
        return
    state = SignalState()
    numbers = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, state.handle) for number in numbers}
    hook = sys.unraisablehook

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        if isinstance(args.exc_value, Interrupted):
            state.redeliver(args.exc_value)
        else:
            hook(args)

    sys.unraisablehook = unraisable
    _installed.append(state)
    try:
        yield state
    finally:
        _installed.pop()
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """Defer signals to the end of the block; without installed handlers, signals act as usual."""
    if not _installed:
        yield
        return
    with _installed[-1].deferred():
        yield
