"""How long it takes."""

import statistics
from typing import Annotated, Literal

from pydantic import Field, computed_field
from pydantic.dataclasses import dataclass

from backbone_bench.records.missing import STRICT, Count, Known, MeasuredValue, Missing, Times
from backbone_bench.stats import samples

CLOCK_STOOD = Missing("clock_too_coarse", "the clock reads 0 s for one call: raise --batch-size")


@dataclass(frozen=True, slots=True, config=STRICT)
class WarmUp:
    """How the device was brought to a steady state before samples counted."""

    status: Literal["steady", "not_steady"]
    spent_s: MeasuredValue
    calls: Count


@dataclass(frozen=True, slots=True, config=STRICT)
class Latency:
    """Time of one call in one mode. Samples are in order and none is dropped."""

    samples_s: Annotated[Times, Field(min_length=1)]
    first_calls_s: Times  # one by one, before the warm-up; of a graph, its capture and first replay
    warmup: WarmUp
    status: Literal["converged", "timeout", "quick"]
    host_load: Known[MeasuredValue]  # the share of this process's cores that others kept busy meanwhile
    calls_per_sample: Count = 1  # of a short graph, so many calls are replayed together and a sample is their mean
    flags: tuple[str, ...] = ()

    @computed_field
    @property
    def n(self) -> int:
        return len(self.samples_s)

    @computed_field
    @property
    def median_s(self) -> float:
        return statistics.median(self.samples_s)

    @computed_field
    @property
    def ci95_s(self) -> tuple[float, float] | Missing:
        """The 95 % interval of the median, honest under autocorrelation (`samples.median_interval`)."""
        interval = samples.median_interval(self.samples_s)
        if interval is None:
            return self._too_few("an interval", samples.FEWEST)
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
        """How much a sample resembles the next: 0 for independent ones, 1 for a slow drift."""
        return samples.lag1(self.samples_s)

    @computed_field
    @property
    def drift(self) -> Known[float]:
        """The last quarter's median over the first's: what settles slower than the warm-up shows here."""
        ratio = samples.drift(self.samples_s)
        return self._too_few("a drift", samples.FEWEST_FOR_DRIFT) if ratio is None else ratio

    @computed_field
    @property
    def outliers(self) -> tuple[int, ...]:
        """Where in `samples_s` those far from the rest are; they count like all others."""
        return samples.outliers(self.samples_s)

    def _quantile_s(self, share: float) -> Known[float]:
        needed = samples.samples_needed(share)
        if self.n < needed:
            return self._too_few(f"p{share * 100:.0f}", needed)
        return samples.quantile(self.samples_s, share)

    def _too_few(self, wanted: str, needed: int) -> Missing:
        lacking = needed - self.n
        return Missing("few_samples", f"{wanted} needs {needed} samples: {lacking} more than the {self.n} taken")


@dataclass(frozen=True, slots=True, config=STRICT)
class Latencies:
    """Three latencies, never one: synchronised calls, device time per call, replay of a captured graph."""

    wall: Known[Latency]
    device: Known[Latency]
    graph: Known[Latency]

    @computed_field
    @property
    def launch_bound(self) -> Known[float]:
        """The share of a call's time that is spent outside the device's work: 1 − graph/wall."""
        if isinstance(self.graph, Missing):
            return self.graph
        if isinstance(self.wall, Missing):
            return self.wall
        if self.wall.median_s == 0:
            return CLOCK_STOOD
        return 1 - self.graph.median_s / self.wall.median_s
