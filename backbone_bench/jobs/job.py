"""What one row of `bench run` is asked to be: plain data that crosses from process to process.

A `Job` is the question, a `Workload` its answer: what was really run, with the
inputs as the model took them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic.dataclasses import dataclass

from backbone_bench.records import STRICT, Known, Latencies, Missing, Record, Scalar, SourceName, TensorSpec, Workload


@dataclass(frozen=True, slots=True, config=STRICT)
class Job:
    """One model under one setting."""

    model: str
    arguments: Mapping[str, Scalar]
    inputs: tuple[str, ...] = ()  # `TensorSpec`s without the batch; empty: the model's own
    size: int | None = None  # of a square image, where no inputs are given
    batch: int | Literal["auto"] = 1  # auto: the largest power of two that fits
    device: str = "auto"
    precision: Literal["fp32", "tf32", "fp16", "bf16", "amp"] = "fp32"
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    compile: str | None = None
    train: bool = False
    cache: Literal["warm", "cold"] = "warm"
    threads: int | None = None  # None: as torch chooses
    seed: int = 0
    latency: bool = True
    quick: bool = False
    budget_s: float | None = None  # the most that the latency of this row may take
    energy: Literal["auto", "off", "required"] = "auto"
    energy_window_s: float | None = None  # of one trial; None: as the plan has it
    energy_source: SourceName | Literal["auto"] = "auto"
    energy_protocol: Literal["steady", "paper"] = "steady"  # paper: also as the VoVNet paper took it
    whole_card: bool = False  # of a MIG slice, the power of the card that it is a part of
    locked_clock_hz: float | Literal["base"] | None = None  # what the parent holds the clocks at while this runs
    cross_check: bool = False

    def __str__(self) -> str:
        """The model with what is worth saying of its setting: `resnet18 (fp16, cuda, batch 8)`."""
        unusual = (
            self.precision,
            self.device,
            f"batch {self.batch}" if self.batch != 1 else "",
            " ".join(self.inputs) or (f"size {self.size}" if self.size else ""),
            "channels last" if self.memory_format == "channels_last" else "",
            f"compile {self.compile}" if self.compile else "",
            "train" if self.train else "",
            "cold cache" if self.cache == "cold" else "",
            f"{self.threads} thread{'s' * (self.threads > 1)}" if self.threads else "",
            f"seed {self.seed}" if self.seed else "",
        )
        arguments = "".join(f" {name}={value}" for name, value in self.arguments.items())
        return f"{self.model}{arguments} ({', '.join(filter(None, unusual))})"

    @classmethod
    def again(cls, record: Record) -> "Job":
        """The job that the record is the answer to, with its inputs spelt out, at its batch, on its device."""
        workload = record.workload
        specs = (TensorSpec.parse(text) for text in workload.inputs)
        return cls(
            model=workload.model,
            arguments=workload.arguments,
            inputs=tuple(str(replace(spec, shape=spec.shape[1:])) for spec in specs),
            batch=workload.batch,
            device=record.environment.device,
            precision=workload.precision,
            memory_format=workload.memory_format,
            compile=workload.compile,
            train=workload.mode == "train",
            cache=workload.cache,
            threads=workload.threads,
            seed=workload.seed,
            latency=not _unasked(record.latency),
            quick=hasty(record.latency),
            energy="off" if _unasked(record.energy) else "auto",
        )

    def asks_for(self, workload: Workload) -> bool:
        """Whether that workload is an answer to this job; what the job leaves open may be anything."""
        asked = {
            "model": self.model, "arguments": dict(self.arguments), "precision": self.precision,
            "memory_format": self.memory_format, "compile": self.compile, "cache": self.cache, "seed": self.seed,
            "mode": "train" if self.train else "eval",
        }  # fmt: skip
        if self.batch != "auto":
            asked["batch"] = self.batch
        if self.threads is not None:
            asked["threads"] = self.threads
        return all(getattr(workload, name) == value for name, value in asked.items()) and self._fits(workload)

    def _fits(self, workload: Workload) -> bool:
        if self.inputs:
            return workload.inputs == tuple(str(self._given(spec).batched(workload.batch)) for spec in self.inputs)
        square = f"x{self.size}x{self.size}"
        return self.size is None or any(spec.partition(":")[0].endswith(square) for spec in workload.inputs[:1])

    def _given(self, spec: str) -> TensorSpec:
        """An input as the model is given it: of half precision, where that is asked for and it is floating."""
        asked, half = TensorSpec.parse(spec), _HALVES.get(self.precision)
        return replace(asked, dtype=half) if half and "float" in asked.dtype else asked


_HALVES = {"fp16": "float16", "bf16": "bfloat16"}


def _unasked(part: object) -> bool:
    return isinstance(part, Missing) and part.missing == "not_asked"


def hasty(latency: Known[Latencies]) -> bool:
    """Whether any mode was only given a first answer."""
    modes = () if isinstance(latency, Missing) else (latency.wall, latency.device, latency.graph)
    return any(not isinstance(mode, Missing) and mode.status == "quick" for mode in modes)
