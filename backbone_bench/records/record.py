"""A record: one model, one workload, one process."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, computed_field
from pydantic.dataclasses import dataclass

from backbone_bench.records.cost import CrossCheck, ModelCost
from backbone_bench.records.energy import Energy
from backbone_bench.records.environment import Environment
from backbone_bench.records.latency import CLOCK_STOOD, Latencies, Latency
from backbone_bench.records.missing import STRICT, Count, Known, MeasuredValue, MeasuredValues, Missing
from backbone_bench.records.workload import Workload

SCHEMA_VERSION: Literal["1"] = "1"


@dataclass(frozen=True, slots=True, config=STRICT)
class Tool:
    version: str
    git: str | None
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=STRICT)
class Memory:
    """Memory that running the model took."""

    peak_allocated_bytes: Known[Count]  # of the accelerator's allocator
    peak_reserved_bytes: Known[Count]
    peak_resident_bytes: Known[Count]  # of the process, above what it held before the first call


@dataclass(frozen=True, slots=True, config=STRICT)
class Watch:
    """What the device went through while it was measured: tags, never discards. One value a look, in order."""

    sm_clock_hz: Known[MeasuredValues]
    memory_clock_hz: Known[MeasuredValues]
    temperature_c: Known[MeasuredValues]
    power_capped_fraction: Known[MeasuredValue]  # of the time between the first and the last look
    throttle_reasons: tuple[str, ...]  # every reason seen at any look, in the driver's words
    other_processes: Known[Count]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, config=STRICT)
class Rate:
    """What a device gets done in a second, by one of the latencies."""

    images_per_s: float
    flops_per_s: Known[float]  # a multiply-add counts once
    traffic_bytes_per_s: Known[float]


@dataclass(frozen=True, slots=True, config=STRICT)
class Rates:
    """The rate by each of the three latencies."""

    wall: Known[Rate]
    device: Known[Rate]
    graph: Known[Rate]


@dataclass(frozen=True, slots=True, config=STRICT)
class Turn:
    """Which half of which round of a paired comparison: the two halves of a round ran one right after the other."""

    comparison: str  # the same in all records of the comparison
    round: Annotated[int, Field(ge=1)]
    side: Literal["A", "B"]


@dataclass(frozen=True, slots=True, config=STRICT)
class Record:
    """One model, one workload, one process."""

    id: str
    started_utc: str  # ISO 8601, ends in Z
    tool: Tool
    workload: Workload
    environment: Environment
    cost: Known[ModelCost]
    latency: Known[Latencies]
    memory: Known[Memory]
    energy: Known[Energy]
    watch: Known[Watch]
    flags: tuple[str, ...] = ()
    cross_check: Known[CrossCheck] | None = None  # None where it was not asked for
    turn: Turn | None = None  # None where it was run for itself
    schema_version: Literal["1"] = SCHEMA_VERSION

    @computed_field
    @property
    def rates(self) -> Known[Rates]:
        """Images, multiply-adds and bytes of traffic per second."""
        if isinstance(self.latency, Missing):
            return self.latency
        return Rates(self._rate(self.latency.wall), self._rate(self.latency.device), self._rate(self.latency.graph))

    def _rate(self, latency: Known[Latency]) -> Known[Rate]:
        if isinstance(latency, Missing):
            return latency
        if latency.median_s == 0:
            return CLOCK_STOOD
        images_per_s = self.workload.batch / latency.median_s
        if isinstance(self.cost, Missing):
            return Rate(images_per_s, self.cost, self.cost)
        if self.workload.mode == "train":
            forward = Missing("backward_not_counted", "the counts are those of the forward pass, the time is of both")
            return Rate(images_per_s, forward, forward)
        return Rate(images_per_s, self.cost.flops / latency.median_s, self.cost.traffic_bytes / latency.median_s)

    @computed_field
    @property
    def per_gflop_j(self) -> Known[float]:
        """Gross joules per 10⁹ multiply-adds."""
        return self._per(lambda cost: cost.flops / self.workload.batch / 1e9)

    @computed_field
    @property
    def per_million_access_elems_j(self) -> Known[float]:
        """Gross joules per 10⁶ elements of the papers' memory access cost."""
        return self._per(lambda cost: cost.access_elems / 1e6)

    def _per(self, per_image: Callable[[ModelCost], float]) -> Known[float]:
        if isinstance(self.energy, Missing):
            return self.energy
        if isinstance(self.cost, Missing):
            return self.cost
        count = per_image(self.cost)
        return self.energy.gross_per_image_j / count if count else Missing("no_layers", "nothing was counted")
