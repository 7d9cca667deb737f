"""What one profile of one model is, as data.

The unit is in the name, base units inside, raw observations kept. What can be
derived is a property: it is written out for readers and never read back. What
was not measured is a `Missing` with its reason, never 0, -1 or an absent key;
`None` means that the question does not apply (no compile mode, say).
"""

import hashlib
import json
import re
import statistics
from collections.abc import Mapping
from typing import Literal, Self, TypeAlias, TypeVar

from pydantic import ConfigDict, computed_field
from pydantic.dataclasses import dataclass

from backbone_bench import stats
from backbone_bench.errors import UserError

SCHEMA_VERSION: Literal["1"] = "1"

# Nothing is coerced ("3" is no number), and what is not finite is no measurement.
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)

Scalar: TypeAlias = str | int | float | bool | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True, config=_STRICT)
class Missing:
    """Why something is not there: a stable id for programs, a sentence for people."""

    missing: str
    message: str


Known: TypeAlias = T | Missing


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
class Gpu:
    """The accelerator as its driver describes it."""

    name: str
    uuid: Known[str]
    pci: Known[str]
    multiprocessors: Known[int]
    compute_capability: Known[str]
    memory_bytes: Known[int]
    l2_bytes: Known[int]
    driver: Known[str]
    vbios: Known[str]
    ecc: Known[bool]
    mig: Known[str | None]  # the profile; None where MIG is off
    virtualization: Known[str]
    persistence: Known[bool]
    power_limit_w: Known[float]
    default_power_limit_w: Known[float]
    max_sm_clock_hz: Known[float]
    max_memory_clock_hz: Known[float]
    locked_clock_hz: Known[float | None]  # None where the clocks are free


@dataclass(frozen=True, slots=True, config=_STRICT)
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
    container: str | None = None
    wsl: bool = False
    ci: str | None = None
    gpu: Known[Gpu] | None = None
    variables: Mapping[str, str] | None = None  # environment variables that change what torch does


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
class Uncounted:
    """An operation whose arithmetic is not known, with the share of the model's traffic that it moves."""

    op: str
    calls: int
    traffic_share: float


@dataclass(frozen=True, slots=True, config=_STRICT)
class ModelCost:
    """What a model costs on paper: `by_op` as it was counted, totals computed from it."""

    params: int
    params_bytes: int
    peak_activation_bytes: Known[int]
    path: Literal["meta", "cpu"]  # where the counting pass ran
    by_op: tuple[OpCost, ...]

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


@dataclass(frozen=True, slots=True, config=_STRICT)
class WarmUp:
    """How the device was brought to a steady state before samples counted."""

    status: Literal["steady", "not_steady", "skipped"]
    seconds_s: float
    calls: int


@dataclass(frozen=True, slots=True, config=_STRICT)
class Latency:
    """Time of one call in one mode. Samples are in order and none is dropped."""

    samples_s: tuple[float, ...]
    first_calls_s: tuple[float, ...]
    warmup: WarmUp
    status: Literal["converged", "timeout", "quick"]
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
            return Missing("few_samples", f"no interval from {self.n} samples: {stats.FEWEST} are needed")
        return interval.low, interval.high

    @computed_field
    @property
    def min_s(self) -> float:
        return min(self.samples_s)


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
class Memory:
    """Memory that running the model took."""

    peak_allocated_bytes: Known[int]  # of the accelerator's allocator
    peak_reserved_bytes: Known[int]
    peak_resident_bytes: Known[int]  # of the process, above what it held before the first call


SourceName = Literal["counter", "power_instant", "power_usage", "rapl"]


@dataclass(frozen=True, slots=True, config=_STRICT)
class EnergyTrial:
    """One window of back-to-back runs, from tick to tick of the source."""

    window_j: float
    window_s: float
    run_s: float  # time of one run under the same load
    ticks: int
    temperature_c: tuple[float, float] | None  # before and after


@dataclass(frozen=True, slots=True, config=_STRICT)
class Energy:
    """Energy of running the model back to back."""

    source: SourceName
    tick_s: float
    batch: int
    trials: tuple[EnergyTrial, ...]
    idle_w: Known[float]
    sensor_relative: float  # the sensor's own proportional error, apart from the repeat error
    cross_check_j_per_j: Known[float]  # the first source over the second, in the same window
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, config=_STRICT)
class Watch:
    """What the device went through while it was measured: tags, never discards."""

    sm_clock_hz: Known[tuple[float, float]]  # start, end
    temperature_c: Known[tuple[float, float]]
    power_capped_fraction: Known[float]
    throttle_reasons: tuple[str, ...]
    other_processes: Known[int]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Tool:
    version: str
    git: str | None
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=_STRICT)
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
    schema_version: Literal["1"] = SCHEMA_VERSION
