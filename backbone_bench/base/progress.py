"""Progress callbacks of long work: one type for the whole program."""

from collections.abc import Callable
from typing import Self, TypeAlias

# Called between timed parts, with the phase in words (`wall: warming up`) and the share of the work done, from 0 to 1.
ProgressCallback: TypeAlias = Callable[[str, float], None]


class StepPhase(str):
    """A phase inside one step of longer work: it reads `step: phase`, and `step` keeps the step alone."""

    __slots__ = ("step",)
    step: str

    def __new__(cls, step: str, phase: str) -> Self:
        text = super().__new__(cls, f"{step}: {phase}")
        text.step = step
        return text


def within(on_progress: ProgressCallback, step: str, done: int, count: int) -> ProgressCallback:
    """A callback for one of `count` equal steps: it reports progress of all steps, of which `done` are finished."""
    return lambda phase, share: on_progress(StepPhase(step, phase), (done + share) / count)


def of_whole(on_progress: ProgressCallback, done: int, count: int, part: int = 1) -> ProgressCallback:
    """A callback for `part` of `count` equal steps that keeps the phases and reports the share of all steps."""
    return lambda phase, share: on_progress(phase, (done + part * share) / count)


def silent(phase: str, share: float) -> None:
    """A callback that ignores all progress."""
