"""What one row of `bench run` is asked to be: plain data that crosses from process to process.

A `Job` is the question, a `Workload` its answer: what was really run, with the
inputs as the model took them.
"""

from dataclasses import KW_ONLY, replace
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import EnergyProtocol, EnergyWish, SourceName, is_host
from backbone_bench.records import STRICT, Known, Latencies, Missing, Record, Setting, TensorSpec, Workload, was_asked
from backbone_bench.records.setting import unusual

_WHOLE = ConfigDict(**STRICT, extra="forbid")  # a misspelt field is a bug, and not ignored


@dataclass(frozen=True, slots=True, config=_WHOLE)
class Job(Setting):
    """One model under one setting."""

    _: KW_ONLY
    inputs: tuple[str, ...] = ()  # `TensorSpec`s without the batch; empty: the model's own
    input_size: int | None = None  # of a square image, where no inputs are given
    batch: int | Literal["auto"] = 1  # auto: the largest power of two that fits
    device: str = "auto"
    latency: bool = True
    quick: bool = False
    budget_s: float | None = None  # the most that the latency of this row may take
    energy: EnergyWish = "auto"
    energy_window_s: float | None = None  # of one trial; None: as the plan has it
    energy_source: SourceName | Literal["auto"] = "auto"
    protocol: EnergyProtocol = "steady"
    allow_whole_card: bool = False  # of a MIG slice, the power of the card that it is a part of
    locked_clock_hz: float | Literal["base"] | None = None  # what the parent holds the clocks at while this runs
    cross_check: bool = False

    @property
    def on_host(self) -> bool:
        return is_host(self.device)

    def __str__(self) -> str:
        """The model with what is worth saying of its setting: `resnet18 (fp16, cuda, batch 8)`."""
        told = (
            self.precision,
            self.device,
            f"batch {self.batch}" if self.batch != 1 else "",
            " ".join(self.inputs) or (f"size {self.input_size}" if self.input_size else ""),
            *unusual(self, "precision", "arguments"),
        )
        arguments = "".join(f" {name}={value}" for name, value in self.arguments.items())
        return f"{self.model}{arguments} ({', '.join(filter(None, told))})"

    @classmethod
    def from_record(cls, record: Record) -> "Job":
        """The job that the record is the answer to, with its inputs spelt out, at its batch, on its device."""
        workload = record.workload
        return cls(
            **workload.setting,
            inputs=tuple(str(replace(spec, shape=spec.shape[1:])) for spec in workload.specs),
            batch=workload.batch,
            device=record.environment.device,
            latency=was_asked(record.latency),
            quick=is_quick(record.latency),
            energy="auto" if was_asked(record.energy) else "off",
        )

    def asks_for(self, workload: Workload) -> bool:
        """Whether that workload is an answer to this job; what the job leaves open may be anything."""
        asked = self.setting
        if self.threads is None:
            del asked["threads"]
        if self.batch != "auto":
            asked["batch"] = self.batch
        return all(getattr(workload, name) == value for name, value in asked.items()) and self._fits(workload)

    def _fits(self, workload: Workload) -> bool:
        if self.inputs:
            return workload.inputs == tuple(str(self._given(spec).batched(workload.batch)) for spec in self.inputs)
        return self.input_size is None or any(spec.square == self.input_size for spec in workload.specs[:1])

    def _given(self, spec: str) -> TensorSpec:
        """An input as the model is given it: of half precision, where that is asked for and it is floating."""
        asked, half = TensorSpec.parse(spec), _HALVES.get(self.precision)
        return replace(asked, dtype=half) if half and "float" in asked.dtype else asked


_HALVES = {"fp16": "float16", "bf16": "bfloat16"}


def is_quick(latency: Known[Latencies]) -> bool:
    """Whether any mode was only given a first answer."""
    modes = () if isinstance(latency, Missing) else (latency.wall, latency.device, latency.graph)
    return any(not isinstance(mode, Missing) and mode.status == "quick" for mode in modes)
