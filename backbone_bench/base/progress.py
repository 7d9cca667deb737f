"""Progress callbacks of long work: one type for the whole program."""

from collections.abc import Callable
from typing import TypeAlias

# Called between timed parts, with the phase in words (`wall: warming up`) and the share of the work done, from 0 to 1.
ProgressCallback: TypeAlias = Callable[[str, float], None]


def within(on_progress: ProgressCallback, prefix: str, done: int, count: int) -> ProgressCallback:
    """A callback for one of `count` equal parts: it reports progress of all parts, of which `done` are finished."""
    return lambda phase, share: on_progress(f"{prefix}: {phase}", (done + share) / count)


def silent(phase: str, share: float) -> None:
    """A callback that ignores all progress."""
