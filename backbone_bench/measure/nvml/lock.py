"""Clocks held for the length of a measurement, only when asked for, and released on every way out but `kill -9`."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backbone_bench.base.errors import UserError
from backbone_bench.measure.nvml.card import Card
from backbone_bench.measure.protocols import SourceFailed

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))


@contextmanager
def lock_clocks(card: Card, clock_hz: float | None = None) -> Iterator[None]:
    """Hold the SM clock at `clock_hz`, at the base clock where None; raise UserError where that is not allowed."""
    release = _Release(card)
    atexit.register(release)
    try:
        with _on_signals(release):
            release.due = True  # before the lock: a signal may come between the two
            try:
                _lock(card, clock_hz, release)
                yield
            finally:
                release()
    finally:
        atexit.unregister(release)


class _Release:
    """Unlocks, once, if there is something to unlock."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.due = False

    def __call__(self) -> None:
        if not self.due:
            return
        try:
            self._card.unlock_clocks()
        except SourceFailed as failure:
            # Nobody can catch anything at exit or in a signal handler, so that this is said here.
            print(f"The clocks may stay locked: {failure} Try: sudo nvidia-smi -rgc", file=sys.stderr)
        self.due = False  # last: whatever interrupts the call above leaves it to the next to do


def _lock(card: Card, clock_hz: float | None, release: _Release) -> None:
    try:
        card.lock_clocks(clock_hz)
    except SourceFailed as failure:
        release.due = False
        if failure.missing.missing != "no_permission":
            raise UserError(f"--lock-clocks: {failure}") from None
        wish = "tdp,tdp" if clock_hz is None else f"{clock_hz / 1e6:.0f}"
        raise UserError(f"--lock-clocks needs root: sudo nvidia-smi -lgc {wish}") from None


@contextmanager
def _on_signals(release: Callable[[], None]) -> Iterator[None]:
    """Release first, then let the signal do what it would have done."""
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        then = before[signal.Signals(number)]
        if then is signal.SIG_IGN:
            return
        release()
        if callable(then):
            then(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
