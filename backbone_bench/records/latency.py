"""Latency: raw samples, warm-up and status of each mode, and the statistics derived from them."""

import statistics
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, computed_field
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import DeviceMethod
from backbone_bench.base.identity import Identical
from backbone_bench.records.missing import STRICT, Count, Known, MeasuredValue, Missing, SomeTimes, Times
from backbone_bench.stats import samples
from backbone_bench.stats.samples import Interval

WarmUpStatus = Literal["steady", "not_steady", "cut_short"]
CLOCK_TOO_COARSE = Missing("clock_too_coarse", "the clock reads 0 s for one call: raise --batch-size")

EAGER_EVENTS = Missing(
    "eager_events", "events around an eager call hold the time of a slow host too: they are not the device's work"
)


_Samples: TypeAlias = Identical[tuple[float, ...]]
_KEPT = 4096  # medians and intervals: as many as a report of a thousand records asks for again and again


@lru_cache(_KEPT)
def _interval_of(samples_s: _Samples) -> Interval | None:
    """The interval of a median, computed once: grade, digits, mark and column of a value all need it."""
    return samples.median_interval(samples_s.value)


@lru_cache(_KEPT)
def _median_of(samples_s: _Samples) -> float:
    return statistics.median(samples_s.value)


@dataclass(frozen=True, slots=True, config=STRICT)
class WarmUp:
    """Warm-up of the device before sampling: whether it reached a steady state, its duration and its calls.

    `cut_short`: it ended, because of a budget, before there was enough of it to tell.
    """

    status: WarmUpStatus
    spent_s: MeasuredValue
    calls: Count


@dataclass(frozen=True, slots=True, config=STRICT)
class Cooling:
    """Samples that were taken again because a limit of power or temperature held the clocks back meanwhile."""

    repeated: Count
    spent_s: MeasuredValue  # on these samples and on the waits after them
    gave_up: bool  # the limit was reached: later samples were kept as they came


@dataclass(frozen=True, slots=True, config=STRICT)
class Latency:
    """Latency of one call in one mode. The samples are in order and none is dropped, but for `cooling`."""

    samples_s: SomeTimes
    first_calls_s: Times  # one by one, before the warm-up; for a graph, its capture and first replay
    warmup: WarmUp
    status: Literal["converged", "timeout", "quick"]
    host_load: Known[MeasuredValue]  # share of this process's cores that other processes kept busy
    calls_per_sample: Count = 1  # calls of a short graph are replayed together, and a sample is their mean
    flags: tuple[str, ...] = ()
    method: DeviceMethod | None = None  # of a device latency; None in other modes and in records before 2026-11-28
    not_filled: Missing | None = None  # why the launch queue was not filled first, if it was not
    cooling: Cooling | None = None  # None if not requested
    per_burst: Annotated[int, Field(ge=1)] | None = None  # samples of one burst, if the process took turns with others

    @property
    def bursts_s(self) -> tuple[float, ...]:
        """The mean of each burst; empty if the process took no turns."""
        if self.per_burst is None:
            return ()
        starts = range(0, len(self.samples_s) - self.per_burst + 1, self.per_burst)
        return tuple(statistics.fmean(self.samples_s[start : start + self.per_burst]) for start in starts)

    @computed_field
    @property
    def n(self) -> int:
        return len(self.samples_s)

    @computed_field
    @property
    def median_s(self) -> float:
        return _median_of(Identical(self.samples_s))

    @computed_field
    @property
    def ci95_s(self) -> tuple[float, float] | Missing:
        """95 % confidence interval of the median, valid under autocorrelation (`samples.median_interval`)."""
        interval = _interval_of(Identical(self.samples_s))
        if interval is None:
            return self._too_few("a 95 % confidence interval", samples.FEWEST)
        return interval.low, interval.high

    @computed_field
    @property
    def min_s(self) -> float:
        return min(self.samples_s)

    @computed_field
    @property
    def p90_s(self) -> Known[float]:
        return self._quantile_s(0.90)

    @computed_field
    @property
    def p95_s(self) -> Known[float]:
        return self._quantile_s(0.95)

    @computed_field
    @property
    def p99_s(self) -> Known[float]:
        return self._quantile_s(0.99)

    @computed_field
    @property
    def iqr_s(self) -> float:
        return samples.iqr(self.samples_s)

    @computed_field
    @property
    def lag1(self) -> float:
        """Lag-1 autocorrelation: 0 for independent samples, near 1 for a slow drift."""
        return samples.lag1(self.samples_s)

    @computed_field
    @property
    def drift(self) -> Known[float]:
        """Median of the last quarter divided by that of the first: it shows changes slower than the warm-up."""
        ratio = samples.drift(self.samples_s)
        return self._too_few("the drift", samples.FEWEST_FOR_DRIFT) if ratio is None else ratio

    @computed_field
    @property
    def outliers(self) -> tuple[int, ...]:
        """Indices of the outliers in `samples_s`; they count like all other samples."""
        return samples.outliers(self.samples_s)

    def _quantile_s(self, share: float) -> Known[float]:
        needed = samples.samples_needed(share)
        if self.n < needed:
            return self._too_few(f"p{share * 100:.0f}", needed)
        return samples.quantile(self.samples_s, share)

    def _too_few(self, statistic: str, needed: int) -> Missing:
        lacking = needed - self.n
        return Missing("few_samples", f"{statistic} needs {needed} samples: {lacking} more than the {self.n} taken")


@dataclass(frozen=True, slots=True, config=STRICT)
class Latencies:
    """The three latencies, never merged: synchronised calls, device time per call, replay of a captured graph."""

    wall: Known[Latency]
    device: Known[Latency]
    graph: Known[Latency]

    @computed_field
    @property
    def launch_bound(self) -> Known[float]:
        """Launch-bound share: the part of a call in which the device waits for the host, 1 − device work/wall."""
        work = self.device_work
        if isinstance(work, Missing):
            return work
        if isinstance(self.wall, Missing):
            return self.wall
        if self.wall.median_s == 0:
            return CLOCK_TOO_COARSE
        return 1 - work.median_s / self.wall.median_s

    @property
    def device_work(self) -> Known[Latency]:
        """The device's own work in a call: the replay of its graph, else the device latency with a filled queue.

        Missing if there are only events around an eager call: where the host is slow, the time between them is its own.
        """
        return self.filled_device if isinstance(self.graph, Missing) else self.graph

    @property
    def filled_device(self) -> Known[Latency]:
        """The device latency if its queue was filled first; Missing if it was taken by events around an eager call."""
        if isinstance(self.device, Missing) or self.device.method == "filled_queue":
            return self.device
        return EAGER_EVENTS
