"""What one profile of one model is, as data.

The unit is in the name, base units inside, raw observations kept. What can be
derived is a property: it is written out for readers and never read back. What
was not measured is a `Missing` with its reason, never 0, -1 or an absent key;
`None` means that the question does not apply (no compile mode, say).
"""

import hashlib
import json
import math
import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Literal, Self, TypeAlias, TypeVar

from pydantic import ConfigDict, Field, computed_field
from pydantic.dataclasses import dataclass

from backbone_bench import stats
from backbone_bench.errors import UserError

SCHEMA_VERSION: Literal["1"] = "1"

# Nothing is coerced ("3" is no number), and what is not finite is no measurement.
STRICT = ConfigDict(strict=True, allow_inf_nan=False)

Scalar: TypeAlias = str | int | float | bool | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True, config=STRICT)
class Missing:
    """Why something is not there: a stable id for programs, a sentence for people."""

    missing: str
    message: str


Known: TypeAlias = T | Missing


@dataclass(frozen=True, slots=True, config=STRICT)
class TensorSpec:
    """Shape and type of one input, batch first: `1x3x224x224:float32`, with a keyword's name `mask=1x16:bool`."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str | None = None

    _FORM = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*)(?::(?P<dtype>\w+))?")

    def __str__(self) -> str:
        name = f"{self.name}=" if self.name else ""
        return f"{name}{'x'.join(map(str, self.shape))}:{self.dtype}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[name=]DxDx…[:dtype]`; raise UserError where it is anything else."""
        match = re.fullmatch(cls._FORM, text)
        if match is None:
            raise UserError(f"{text!r} is no input shape: write it as 3x224x224 or 3x224x224:float16.")
        shape = tuple(int(size) for size in match["shape"].split("x"))
        return cls(shape, match["dtype"] or "float32", match["name"])

    def batched(self, images: int) -> Self:
        """The same with a batch in front."""
        return replace(self, shape=(images, *self.shape))


@dataclass(frozen=True, slots=True, config=STRICT)
class Workload:
    """Everything that changes what runs: two records of equal workloads can be laid side by side."""

    model: str  # as typed: `vovnet39`, `timm:resnet50`, `path/to/file.py:factory`
    source: Literal["zoo", "timm", "torchvision", "import", "file", "exported"]
    arguments: Mapping[str, Scalar]
    inputs: tuple[str, ...]  # of `TensorSpec`, the batch included
    batch: int
    mode: Literal["eval", "train"] = "eval"
    precision: Literal["fp32", "tf32", "fp16", "bf16", "amp"] = "fp32"
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    compile: str | None = None
    cache: Literal["warm", "cold"] = "warm"
    threads: int | None = None  # of the host; None where only counted
    seed: int = 0

    @property
    def key(self) -> str:
        """A short name of the workload, the same in every process."""
        fields = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, config=STRICT)
class Gpu:
    """The accelerator as its driver describes it."""

    name: str
    uuid: Known[str]
    pci: Known[str]
    multiprocessors: Known[int]
    compute_capability: Known[str]
    memory_bytes: Known[int]
    memory_bus_bits: Known[int]
    l2_bytes: Known[int]
    driver: Known[str]
    nvml: Known[str]
    vbios: Known[str]
    ecc: Known[bool]
    mig: Known[bool]
    virtualization: Known[str]
    persistence: Known[bool]
    power_limit_w: Known[float]
    default_power_limit_w: Known[float]
    max_sm_clock_hz: Known[float]
    max_memory_clock_hz: Known[float]
    locked_clock_hz: Known[float]  # the driver does not tell what others have locked


@dataclass(frozen=True, slots=True, config=STRICT)
class Environment:
    """Where a record was made; the gate refuses to compare unlike ones."""

    device: str  # `cpu`, `cuda:0`; `meta` where only counted
    device_name: str
    torch: str
    python: str
    os: str
    cpu: str
    cpu_capability: str  # the widest vector instructions torch uses, e.g. AVX512
    cores: int
    affinity: int  # the cores that this process may use
    memory_bytes: Known[int]
    conv_fp32: str  # `ieee` or `tf32`: how a float32 convolution is really computed
    matmul_fp32: str
    cudnn_benchmark: bool | None
    deterministic: bool
    numpy: str | None = None
    cuda: str | None = None  # the version torch was built for
    cudnn: str | None = None
    triton: str | None = None
    governor: Known[str] = Missing("not_read", "not read")
    kernel: str | None = None
    host: str | None = None  # a digest of its name: enough to tell two hosts apart
    container: str | None = None
    wsl: bool = False
    ci: str | None = None  # the provider and, where it has one, the runner's name
    gpu: Known[Gpu] | None = None
    variables: Mapping[str, str] | None = None  # environment variables that change what torch does


@dataclass(frozen=True, slots=True, config=STRICT)
class OpCost:
    """What one kind of operation costs within one module, in one pass at the workload's batch.

    `access_elems` and `cio_elems` are those of batch 1, whatever the workload's batch.
    """

    module: str  # dotted path; empty for the model itself
    op: str
    calls: int
    flops: Known[int]  # Missing where no formula is known for the operation
    access_elems: int
    cio_elems: int
    traffic_elems: int
    traffic_bytes: int


def _known(counts: "tuple[OpCost, ...]") -> int:
    return sum(row.flops for row in counts if not isinstance(row.flops, Missing))


@dataclass(frozen=True, slots=True, config=STRICT)
class Uncounted:
    """An operation whose arithmetic is not known, with the share of the model's traffic that it moves."""

    op: str
    calls: int
    traffic_share: float


@dataclass(frozen=True, slots=True, config=STRICT)
class ModelCost:
    """What a model costs on paper: `by_op` as it was counted, totals computed from it."""

    params: int
    params_bytes: int
    peak_activation_bytes: Known[int]
    path: Literal["meta", "cpu"]  # where the counting pass ran
    by_op: tuple[OpCost, ...]
    shapes_sha256: Known[str] = Missing("not_read", "not read")  # of the names and shapes of the state dictionary

    def _convolutions(self) -> tuple[OpCost, ...]:
        return tuple(row for row in self.by_op if row.op.endswith("convolution"))

    @computed_field
    @property
    def flops(self) -> int:
        """Multiply-adds of convolutions and matrix products; a lower bound where `uncounted` names any."""
        return _known(self.by_op)

    @computed_field
    @property
    def conv_flops(self) -> int:
        return _known(self._convolutions())

    @computed_field
    @property
    def access_elems(self) -> int:
        """The papers' memory access cost of convolutions and linear layers (VoVNet, Eq. 1), at batch 1."""
        return sum(row.access_elems for row in self.by_op)

    @computed_field
    @property
    def conv_access_elems(self) -> int:
        return sum(row.access_elems for row in self._convolutions())

    @computed_field
    @property
    def cio_elems(self) -> int:
        """Inputs and outputs of the convolutions, each at its own size (CSPNet, HarDNet), at batch 1."""
        return sum(row.cio_elems for row in self.by_op)

    @computed_field
    @property
    def traffic_elems(self) -> int:
        """Elements read and written by every operation."""
        return sum(row.traffic_elems for row in self.by_op)

    @computed_field
    @property
    def traffic_bytes(self) -> int:
        return sum(row.traffic_bytes for row in self.by_op)

    @computed_field
    @property
    def ops(self) -> int:
        """Operations that launch work; views do not."""
        return sum(row.calls for row in self.by_op)

    @computed_field
    @property
    def uncounted(self) -> tuple[Uncounted, ...]:
        unknown: dict[str, tuple[int, int]] = {}
        for row in self.by_op:
            if isinstance(row.flops, Missing):
                calls, traffic = unknown.get(row.op, (0, 0))
                unknown[row.op] = calls + row.calls, traffic + row.traffic_elems
        total = self.traffic_elems or 1
        return tuple(Uncounted(op, calls, traffic / total) for op, (calls, traffic) in unknown.items())


@dataclass(frozen=True, slots=True, config=STRICT)
class Difference:
    """Why another counter's FLOPs are not ours, and by how much: its figure minus ours."""

    cause: str
    flops: int


@dataclass(frozen=True, slots=True, config=STRICT)
class CrossCheck:
    """A second, independent count of the same model."""

    counter: str  # with its version
    flops: int
    differences: tuple[Difference, ...]
    residue_flops: int  # what no cause explains
    twins: Mapping[str, str]  # the same network in other libraries, and whether it is the same

    @computed_field
    @property
    def explanation(self) -> str:
        """One line for people."""
        known = [f"{difference.cause} ({difference.flops:+d})" for difference in self.differences]
        rest = [f"unexplained ({self.residue_flops:+d})"] if self.residue_flops else []
        return "; ".join((*known, *rest, *(f"{name}: {told}" for name, told in self.twins.items()))) or "the same"


@dataclass(frozen=True, slots=True, config=STRICT)
class WarmUp:
    """How the device was brought to a steady state before samples counted."""

    status: Literal["steady", "not_steady"]
    spent_s: float
    calls: int


@dataclass(frozen=True, slots=True, config=STRICT)
class Latency:
    """Time of one call in one mode. Samples are in order and none is dropped."""

    samples_s: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
    first_calls_s: tuple[float, ...]  # one by one, before the warm-up; of a graph, its capture and first replay
    warmup: WarmUp
    status: Literal["converged", "timeout", "quick"]
    host_load: Known[float]  # the share of this process's cores that others kept busy meanwhile
    calls_per_sample: int = 1  # of a short graph, so many calls are replayed together and a sample is their mean
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
        """The 95 % interval of the median, honest under autocorrelation (`stats.median_interval`)."""
        interval = stats.median_interval(self.samples_s)
        if interval is None:
            return self._too_few("an interval", stats.FEWEST)
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
        return stats.iqr(self.samples_s)

    @computed_field
    @property
    def lag1(self) -> float:
        """How much a sample resembles the next: 0 for independent ones, 1 for a slow drift."""
        return stats.lag1(self.samples_s)

    @computed_field
    @property
    def drift(self) -> Known[float]:
        """The last quarter's median over the first's: what settles slower than the warm-up shows here."""
        ratio = stats.drift(self.samples_s)
        return self._too_few("a drift", 8) if ratio is None else ratio

    @computed_field
    @property
    def outliers(self) -> tuple[int, ...]:
        """Where in `samples_s` those far from the rest are; they count like all others."""
        return stats.outliers(self.samples_s)

    def _quantile_s(self, share: float) -> Known[float]:
        needed = stats.samples_needed(share)
        if self.n < needed:
            return self._too_few(f"p{share * 100:.0f}", needed)
        return stats.quantile(self.samples_s, share)

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
        for mode in (self.graph, self.wall):
            if isinstance(mode, Missing):
                return mode
        assert isinstance(self.graph, Latency)
        assert isinstance(self.wall, Latency)
        return 1 - self.graph.median_s / self.wall.median_s


@dataclass(frozen=True, slots=True, config=STRICT)
class Memory:
    """Memory that running the model took."""

    peak_allocated_bytes: Known[int]  # of the accelerator's allocator
    peak_reserved_bytes: Known[int]
    peak_resident_bytes: Known[int]  # of the process, above what it held before the first call


SourceName = Literal["counter", "power_instant", "power_usage", "rapl"]
_Positive = Annotated[float, Field(gt=0)]  # a window of no joules or no seconds is no measurement


@dataclass(frozen=True, slots=True, config=STRICT)
class EnergyTrial:
    """One window of back-to-back runs: from tick to tick of a counter, or over a sensor's readings."""

    window_j: _Positive
    window_s: _Positive
    run_s: _Positive  # time of one run under the same load
    ticks: int  # changes of the reading that were seen in the window
    edge_j: float  # what the two ends of the window may add or hide
    temperature_c: Known[tuple[float, float]]  # before and after

    @computed_field
    @property
    def run_j(self) -> float:
        """Mean power times the time of a run, so that no run is cut in half by the window's ends."""
        return self.window_j / self.window_s * self.run_s


@dataclass(frozen=True, slots=True, config=STRICT)
class PaperEnergy:
    """Energy as the VoVNet paper took it (section 4.1): a reading every 100 ms, their mean over images per second."""

    source: SourceName
    readings_w: tuple[float, ...]
    run_s: _Positive
    batch: int

    @computed_field
    @property
    def per_image_j(self) -> float:
        """Nothing is taken off for idle, and what one reading averages is the sensor's own affair."""
        return statistics.mean(self.readings_w) * self.run_s / self.batch


@dataclass(frozen=True, slots=True, config=STRICT)
class Energy:
    """Energy of running the model back to back, gross and net of the measured idle."""

    source: SourceName
    skipped: tuple[Missing, ...]  # better sources that did not answer, and why
    tick_s: Known[float]  # how often the reading changes, as probed
    averaging_s: Known[float]  # how much of the past one reading averages
    batch: int
    trials: Annotated[tuple[EnergyTrial, ...], Field(min_length=1)]
    idle_w: Known[float]
    sensor_relative: Known[float]  # the sensor's own proportional error: a gain, the same in every trial
    cross_check_j_per_j: Known[float]  # the counter over the integral of the power sensor, in the same windows
    paper: Known[PaperEnergy] | None = None  # None where it was not asked for
    flags: tuple[str, ...] = ()

    @computed_field
    @property
    def mean_w(self) -> float:
        return statistics.mean(trial.window_j / trial.window_s for trial in self.trials)

    @computed_field
    @property
    def gross_per_image_j(self) -> float:
        return statistics.mean(trial.run_j for trial in self.trials) / self.batch

    @computed_field
    @property
    def net_per_image_j(self) -> Known[float]:
        """What is left when the idle power over the same time is taken off."""
        if isinstance(self.idle_w, Missing):
            return self.idle_w
        idle_j = self.idle_w * statistics.mean(trial.run_s for trial in self.trials) / self.batch
        if idle_j >= self.gross_per_image_j:
            return Missing("idle_above_load", f"no less was drawn when idle ({self.idle_w:.1f} W) than under load")
        return self.gross_per_image_j - idle_j

    @computed_field
    @property
    def repeat_relative(self) -> Known[float]:
        """Half of the 95 % interval of the gross joules, as a share: trials' t-interval and window ends, as one."""
        per_run_j = [trial.run_j for trial in self.trials]
        half = stats.mean_half_width(per_run_j)
        if half is None:
            return Missing("one_trial", "no interval from one trial: two are the fewest")
        ends = [trial.edge_j / trial.window_s * trial.run_s for trial in self.trials]
        return math.hypot(half, math.hypot(*ends) / len(ends)) / statistics.mean(per_run_j)


@dataclass(frozen=True, slots=True, config=STRICT)
class Watch:
    """What the device went through while it was measured: tags, never discards. One value a look, in order."""

    sm_clock_hz: Known[tuple[float, ...]]
    memory_clock_hz: Known[tuple[float, ...]]
    temperature_c: Known[tuple[float, ...]]
    power_capped_fraction: Known[float]  # of the time between the first and the last look
    throttle_reasons: tuple[str, ...]  # every reason seen at any look, in the driver's words
    other_processes: Known[int]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, config=STRICT)
class Tool:
    version: str
    git: str | None
    argv: tuple[str, ...]


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
            return Missing("clock_too_coarse", "the clock reads 0 s for one call")
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
