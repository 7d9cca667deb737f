"""How work tells what it is doing: one callback type for the whole program."""

from collections.abc import Callable
from typing import TypeAlias

# Called between timed parts with the phase in words, `wall: warming up`, and the share of the work done, from 0 to 1.
ProgressCallback: TypeAlias = Callable[[str, float], None]


def within(on_progress: ProgressCallback, prefix: str, done: int, count: int) -> ProgressCallback:
    """The progress of one of `count` equal pieces, of which `done` are over, as that of all of them."""
    return lambda phase, share: on_progress(f"{prefix}: {phase}", (done + share) / count)


def silent(phase: str, share: float) -> None:
    """Progress that nobody watches."""
