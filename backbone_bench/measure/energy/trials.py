"""Trials of one energy measurement, and what they say of its validity: cross-check, slowdown and flags."""

import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backbone_bench.measure.energy.integrate import Window
from backbone_bench.measure.energy.windows import WindowPart, second_j
from backbone_bench.records import CardActivity, EnergyTrial, Flag, Known, Missing

DISAGREE = 0.05  # relative difference of a counter and the integral of a sensor
SLOWED = 0.005  # share by which readings may slow the load


class Trial(NamedTuple):
    """One window, and the time of a run just before it."""

    undisturbed_s: float  # time of a run while nothing is read
    part: WindowPart
    temperature_c: Known[tuple[float, float]]
    activity: Known[CardActivity]

    @property
    def run_s(self) -> float:
        """Time of a run while the sources are read."""
        return self.part.span_s / self.part.runs

    def record(self, calls: int, idle_w: Known[float]) -> EnergyTrial:
        """The record of the trial. A run holds so many calls of the model."""
        window = _without_rests(self.part.window, self.part.rest_s, idle_w)
        return EnergyTrial(
            window.window_j,
            window.window_s,
            self.run_s / calls,
            window.ticks,
            window.edge_j,
            self.temperature_c,
            self.activity,
        )


def _without_rests(window: Window, rest_s: float, idle_w: Known[float]) -> Window:
    """The window without the time in which the device rested because it was read between two calls.

    Power was then at idle or, just after a call, somewhat above it: what this may be is added to `edge_j`. If idle
    power is not known, the rests stay in the window.
    """
    mean_w = window.window_j / window.window_s
    if isinstance(idle_w, Missing):
        return window._replace(edge_j=window.edge_j + rest_s * mean_w)
    return window._replace(
        window_j=window.window_j - rest_s * idle_w,
        window_s=window.window_s - rest_s,
        edge_j=window.edge_j + rest_s * abs(mean_w - idle_w),
    )


def cross_check(trials: Sequence[Trial]) -> Known[float]:
    """Joules by the counter over joules by the second source, in the windows of all trials."""
    parts = [trial.part for trial in trials]
    reference_j = second_j(parts)
    if isinstance(reference_j, Missing):
        return reference_j
    return sum(part.window.window_j for part in parts) / reference_j


def slowdown(trials: Sequence[Trial]) -> float:
    """Share by which readings slowed the load: time of a run under readings over its time without any, less 1."""
    undisturbed_s = statistics.mean(trial.undisturbed_s for trial in trials)
    return statistics.mean(trial.run_s for trial in trials) / undisturbed_s - 1


def flags(trials: Sequence[Trial], cross: Known[float], idle_w: Known[float]) -> Iterator[Flag]:
    """What a reader should know of these trials."""
    if not isinstance(cross, Missing) and abs(cross - 1) > DISAGREE:
        yield "sources_disagree"
    if slowdown(trials) > SLOWED and _told_apart(trials):
        yield "load_slowed"
    if not isinstance(idle_w, Missing) and _mean_w(trials) < idle_w:
        yield "below_idle"


def _told_apart(trials: Sequence[Trial]) -> bool:
    """Whether every run under readings was slower than every undisturbed one: else the times may differ by chance."""
    return min(trial.run_s for trial in trials) > max(trial.undisturbed_s for trial in trials)


def _mean_w(trials: Sequence[Trial]) -> float:
    windows = [trial.part.window for trial in trials]
    return sum(window.window_j for window in windows) / sum(window.window_s for window in windows)
