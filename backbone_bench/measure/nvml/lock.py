"""Locked clocks of a GPU: only on request, for one measurement, and released on every exit except `kill -9`."""

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
    """Lock the SM clock at `clock_hz`, or at the base clock if it is None. Raises UserError if that is not allowed."""
    release = _Release(card)
    atexit.register(release)
    try:
        with _on_signals(release):
            release.due = True  # before the lock: a signal may arrive between the two
            try:
                _lock(card, clock_hz, release)
                yield
            finally:
                release()
    finally:
        atexit.unregister(release)


class _Release:
    """Unlocks the clocks once, if they are locked."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.due = False

    def __call__(self) -> None:
        if not self.due:
            return
        try:
            self._card.unlock_clocks()
        except SourceFailed as failure:
            # At exit and in a signal handler nobody can catch an error, so it is printed here.
            print(f"The clocks may stay locked: {failure} Try: sudo nvidia-smi -rgc", file=sys.stderr)
        self.due = False  # last: if the call above is interrupted, the next call still unlocks


def _lock(card: Card, clock_hz: float | None, release: _Release) -> None:
    try:
        card.lock_clocks(clock_hz)
    except SourceFailed as failure:
        release.due = False
        if failure.missing.missing != "no_permission":
            raise UserError(f"--lock-clocks: {failure}") from None
        clocks = "tdp,tdp" if clock_hz is None else f"{clock_hz / 1e6:.0f}"
        raise UserError(f"--lock-clocks needs root: sudo nvidia-smi -lgc {clocks}") from None


@contextmanager
def _on_signals(release: Callable[[], None]) -> Iterator[None]:
    """On a signal, unlock the clocks first and then run the previous handler."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread can set handlers
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        previous = before[signal.Signals(number)]
        if previous is signal.SIG_IGN:
            return
        release()
        if callable(previous):
            previous(number, frame)
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
