"""Job: the request for one row of `bench run`, as plain data that is sent from process to process.

A `Job` is the request, a `Workload` its result: what really ran, with the
inputs as the model received them.
"""

from dataclasses import KW_ONLY, replace
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import (
    HALF_TYPES,
    EnergyOf,
    EnergyProtocol,
    EnergyRequest,
    Mode,
    Optimizer,
    SourceRequest,
    is_host,
)
from backbone_bench.base.errors import UserError
from backbone_bench.records import (
    STRICT,
    Known,
    Latencies,
    Missing,
    Record,
    Setting,
    TensorSpec,
    Workload,
    was_requested,
)
from backbone_bench.records.setting import unusual

_NO_EXTRA = ConfigDict(**STRICT, extra="forbid")  # a misspelt field is a bug and must not be ignored


@dataclass(frozen=True, slots=True, config=_NO_EXTRA)
class Job(Setting):
    """Request to profile one model under one setting."""

    _: KW_ONLY
    inputs: tuple[str, ...] = ()  # `TensorSpec`s without the batch; empty: the model's default
    input_size: int | None = None  # side length of a square image, if no inputs are given
    batch: int | Literal["auto"] = 1  # auto: the largest power of two that fits
    device: str = "auto"
    latency: bool = True
    quick: bool = False
    budget_s: float | None = None  # time limit for the latency of this row
    wait_for_cool_s: float | None = None  # the longest that samples of a card that is held back are taken again
    energy: EnergyRequest = "auto"
    energy_of: EnergyOf = "graph"  # wall where there is no graph
    energy_window_s: float | None = None  # duration of one trial; None: the plan's default
    energy_source: SourceRequest = "auto"
    protocol: EnergyProtocol = "steady"
    allow_whole_card: bool = False  # for a MIG slice, use the power of the whole card
    locked_clock_hz: float | Literal["base"] | None = None  # clock that the parent process locks during this job
    cross_check: bool = False
    layers: bool = False  # time every operation too, in a pass of its own
    trace: str | None = None  # the file that gets the profile of that pass

    @property
    def on_host(self) -> bool:
        return is_host(self.device)

    def __str__(self) -> str:
        """The model with the main settings of the job: `resnet18 (fp16, cuda, batch 8)`."""
        phrases = (
            self.precision,
            self.device,
            f"batch {self.batch}" if self.batch != 1 else "",
            " ".join(self.inputs) or (f"size {self.input_size}" if self.input_size else ""),
            *unusual(self, "precision", "arguments"),
        )
        arguments = "".join(f" {name}={value}" for name, value in self.arguments.items())
        return f"{self.model}{arguments} ({', '.join(filter(None, phrases))})"

    @classmethod
    def from_record(cls, record: Record) -> "Job":
        """The job that requests a record like this one: the same inputs in full, the same batch and device."""
        workload = record.workload
        return cls(
            **workload.setting,
            inputs=tuple(str(replace(spec, shape=spec.shape[1:])) for spec in workload.specs),
            batch=workload.batch,
            device=record.environment.device,
            latency=was_requested(record.latency),
            quick=is_quick(record.latency),
            energy="auto" if was_requested(record.energy) else "off",
            energy_of=_energy_of(record),
            layers=record.layer_times is not None,
        )

    def asks_for(self, workload: Workload) -> bool:
        """Whether a workload satisfies this job; what the job leaves open may have any value."""
        requested = self.setting
        if self.threads is None:
            del requested["threads"]
        if self.batch != "auto" and not self._leaves_batch_to(workload):
            requested["batch"] = self.batch
        same = all(getattr(workload, name) == value for name, value in requested.items())
        return same and self._inputs_match(workload)

    def _leaves_batch_to(self, workload: Workload) -> bool:
        """Whether the batch is that of the example inputs of the user's model."""
        return self.batch == 1 and workload.names_code and not self.inputs and self.input_size is None

    def _inputs_match(self, workload: Workload) -> bool:
        if self.inputs:
            return workload.inputs == tuple(str(self._as_run(spec).batched(workload.batch)) for spec in self.inputs)
        return self.input_size is None or any(spec.square == self.input_size for spec in workload.specs[:1])

    def _as_run(self, text: str) -> TensorSpec:
        """An input as the model receives it: a floating-point one has the job's half precision, if it requests one."""
        spec, half = TensorSpec.parse(text), HALF_TYPES.get(self.precision)
        return replace(spec, dtype=half) if half and "float" in spec.dtype else spec


def mode_of(*, train: bool, optimizer: Optimizer | None) -> Mode:
    """The mode of a job. Raises UserError for an optimizer without training."""
    if optimizer is not None and not train:
        raise UserError("--optimizer is a part of a training step: give --train too.")
    return "train" if train else "eval"


def _energy_of(record: Record) -> EnergyOf:
    """The runs whose energy a record has; replays if it has none."""
    if record.wall_energy is not None:
        return "both"
    mode = record.energy_mode
    return "graph" if isinstance(mode, Missing) or record.environment.is_host else mode


def is_quick(latency: Known[Latencies]) -> bool:
    """Whether any mode has only a quick result from few samples."""
    modes = () if isinstance(latency, Missing) else (latency.wall, latency.device, latency.graph)
    return any(not isinstance(mode, Missing) and mode.status == "quick" for mode in modes)
