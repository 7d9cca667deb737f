"""A record: everything that one process counted and measured of one model under one workload."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Literal

from pydantic import computed_field
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import EnergyMode
from backbone_bench.base.units import BILLIONS, M_ELEMENTS, MILLIJOULES, MILLIONS, MILLISECONDS, Unit, readable
from backbone_bench.records.cost import CrossCheck, ModelCost
from backbone_bench.records.energy import Energy
from backbone_bench.records.environment import Environment
from backbone_bench.records.latency import CLOCK_TOO_COARSE, Latencies, Latency
from backbone_bench.records.layers import Ceilings, LayerTimes
from backbone_bench.records.missing import STRICT, Count, Known, MeasuredValue, MeasuredValues, Missing
from backbone_bench.records.placement import Placement
from backbone_bench.records.turn import LiveTurns, Turn
from backbone_bench.records.workload import Workload

SCHEMA_VERSION: Literal["1"] = "1"


@dataclass(frozen=True, slots=True, config=STRICT)
class Tool:
    version: str
    git: str | None
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=STRICT)
class ModelCommit:
    """The commit of the user's repository that holds the model's file, and whether anything differed from it."""

    commit: str
    dirty: bool  # a tracked file had changes, or the model's own was not tracked

    def __str__(self) -> str:
        return f"{self.commit[:12]}{'+' * self.dirty}"


@dataclass(frozen=True, slots=True, config=STRICT)
class Memory:
    """Peak memory of running the model."""

    peak_allocated_bytes: Known[Count]  # by the accelerator's allocator
    peak_reserved_bytes: Known[Count]
    peak_resident_bytes: Known[Count]  # of the process, above its resident memory before the first call


def clocks_varied(polled_hz: Sequence[float]) -> bool:
    """Whether the clock differed between polls under load, or was not polled there; the first poll may be at rest."""
    return len(set(polled_hz[1:])) != 1


@dataclass(frozen=True, slots=True, config=STRICT)
class Watch:
    """Clocks, temperature, throttling and other processes of the device, polled during the measurement.

    One value per poll, in order. They set flags; no sample is discarded.
    """

    sm_clock_hz: Known[MeasuredValues]
    memory_clock_hz: Known[MeasuredValues]
    temperature_c: Known[MeasuredValues]
    power_capped_fraction: Known[MeasuredValue]  # share of the time between the first and the last poll
    throttle_reasons: tuple[str, ...]  # every reason at any poll, in the driver's words
    other_processes: Known[Count]
    flags: tuple[str, ...] = ()

    @property
    def clocks_varied(self) -> bool:
        """Whether the clock differed between polls under load, or is not known; the first poll may be at rest."""
        return isinstance(self.sm_clock_hz, Missing) or clocks_varied(self.sm_clock_hz)


@dataclass(frozen=True, slots=True, config=STRICT)
class Rate:
    """Throughput: the work that a device does per second, by one of the latencies."""

    images_per_s: float
    flops_per_s: Known[float]  # a multiply-add counts once
    traffic_bytes_per_s: Known[float]


@dataclass(frozen=True, slots=True, config=STRICT)
class Rates:
    """Throughput by each of the three latencies."""

    wall: Known[Rate]
    device: Known[Rate]
    graph: Known[Rate]


@dataclass(frozen=True, slots=True, config=STRICT)
class Record:
    """Everything that one process counted and measured of one model under one workload."""

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
    cross_check: Known[CrossCheck] | None = None  # None if not requested
    turn: Turn | None = None  # None outside a paired comparison
    live: LiveTurns | None = None  # None if the process ran alone
    wall_energy: Known[Energy] | None = None  # of calls that are waited for; None if not requested beside `energy`
    layer_times: Known[LayerTimes] | None = None  # None if not requested
    model_commit: ModelCommit | None = None  # None if the model's file is in no repository, or the model in no file
    placement: Placement | None = None  # None if no fleet ran it
    schema_version: Literal["1"] = SCHEMA_VERSION

    def __repr__(self) -> str:
        """One line: what ran where and when; the fields have the rest."""
        workload = self.workload
        what = f"{workload.model}, {' '.join(workload.inputs)}, {workload.precision}, {workload.mode}"
        return f"<Record {self.id[:8]}: {what} on {self.environment.device_name}, {self.started_utc}>"

    def _repr_html_(self) -> str:
        """A small table for a notebook: the workload and the figures that say most."""
        wall = self.latency if isinstance(self.latency, Missing) else self.latency.wall
        joules = self.energy if isinstance(self.energy, Missing) else self.energy.gross_per_image_j
        figures: tuple[tuple[str, Known[float], Unit], ...] = (
            ("parameters", self._counted("params"), MILLIONS),
            ("FLOPs", self._counted("flops"), BILLIONS),
            ("memory access", self._counted("access_elems"), M_ELEMENTS),
            ("wall latency", _median_s(wall), MILLISECONDS),
            ("device work", _median_s(self.device_work), MILLISECONDS),
            ("energy per image", joules, MILLIJOULES),
        )
        rows = "".join(f"<tr><th>{title}</th><td>{_in_words(value, unit)}</td></tr>" for title, value, unit in figures)
        return f"<table><caption>{escape(repr(self)[1:-1])}</caption>{rows}</table>"

    def _counted(self, name: str) -> Known[int]:
        return self.cost if isinstance(self.cost, Missing) else getattr(self.cost, name)

    @property
    def commit(self) -> str:
        """The commit of the model's repository, `+` for changes; without one, that of this program, or empty."""
        return str(self.model_commit) if self.model_commit is not None else self.tool.git or ""

    @computed_field
    @property
    def rates(self) -> Known[Rates]:
        """Throughput: images, FLOPs and bytes of traffic per second."""
        if isinstance(self.latency, Missing):
            return self.latency
        return Rates(self._rate(self.latency.wall), self._rate(self.latency.device), self._rate(self.latency.graph))

    @property
    def ceilings(self) -> Ceilings | None:
        """The rates of a large product and a large copy, if they were measured with the layers."""
        times = self.layer_times
        return times.ceilings if isinstance(times, LayerTimes) and isinstance(times.ceilings, Ceilings) else None

    @property
    def device_work(self) -> Known[Latency]:
        """The device's own work in one call; on a CPU, which returns when its work is done, the wall latency."""
        if isinstance(self.latency, Missing):
            return self.latency
        return self.latency.wall if self.environment.is_host else self.latency.device_work

    @property
    def energy_mode(self) -> Known[EnergyMode]:
        """The runs that `energy` is of. Records from before it was noted: replays, if there was a graph."""
        if isinstance(self.energy, Missing):
            return self.energy
        if self.energy.mode is not None:
            return self.energy.mode
        if not isinstance(self.latency, Missing) and not isinstance(self.latency.graph, Missing):
            return "graph"
        return "wall" if self.environment.is_host else Missing("mode_not_noted", "which runs it is of was not noted")

    def _rate(self, latency: Known[Latency]) -> Known[Rate]:
        if isinstance(latency, Missing):
            return latency
        if latency.median_s == 0:
            return CLOCK_TOO_COARSE
        images_per_s = self.workload.batch / latency.median_s
        cost = self._cost_of_a_call
        if isinstance(cost, Missing):
            return Rate(images_per_s, cost, cost)
        return Rate(images_per_s, cost.flops / latency.median_s, cost.traffic_bytes / latency.median_s)

    @property
    def _cost_of_a_call(self) -> Known[ModelCost]:
        """The cost, if it is the cost of all that a call runs."""
        if isinstance(self.cost, Missing) or self.workload.mode == "eval" or self.cost.has_backward:
            return self.cost
        reason = (
            "a call includes the backward pass, but the version that made this record counted the forward pass only"
        )
        return Missing("backward_not_counted", reason)

    @computed_field
    @property
    def per_gflop_j(self) -> Known[float]:
        """Gross energy per 10⁹ FLOPs (a multiply-add counts once)."""
        return self._per(lambda cost: cost.flops / self.workload.batch / 1e9)

    @computed_field
    @property
    def per_million_access_elems_j(self) -> Known[float]:
        """Gross energy per 10⁶ elements of memory access (the papers' memory access cost)."""
        return self._per(lambda cost: cost.access_elems / 1e6)

    def _per(self, per_image: Callable[[ModelCost], float]) -> Known[float]:
        if isinstance(self.energy, Missing):
            return self.energy
        cost = self._cost_of_a_call
        if isinstance(cost, Missing):
            return cost
        count = per_image(cost)
        if not count:
            return Missing("no_layers", "the count is 0: the model has no layers of this kind")
        return self.energy.gross_per_image_j / count


def _median_s(latency: Known[Latency]) -> Known[float]:
    return latency if isinstance(latency, Missing) else latency.median_s


def _in_words(value: Known[float], unit: Unit) -> str:
    """A figure with its unit, or why it is missing, as HTML."""
    if isinstance(value, Missing):
        return f"<i>{escape(value.message)}</i>"
    shown = readable(unit, [value])
    return escape(f"{shown.write(value)} {shown.name}".rstrip())
