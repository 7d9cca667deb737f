"""A calibration as data: what was measured, under which conditions, the constants, and how far they can be trusted.

A file of it is TOML, complete in itself: the rows that the constants were fitted to are in it, so that anybody can
fit them again. A constant has its unit in its name; a band is a half-width in natural logarithms.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import MemoryFormat, Precision
from backbone_bench.base.reading import revive, toml
from backbone_bench.predictor.counts import Counts, TimeKind
from backbone_bench.records import STRICT, TensorSpec
from backbone_bench.records.missing import Batch, Count, PositiveValue
from backbone_bench.records.workload import SpecText

# A file may be from anybody: within these bounds no prediction overflows a float.
_Cost = Annotated[float, Field(ge=0, le=1)]  # seconds or joules of one
_LogWidth = Annotated[float, Field(ge=0, le=20)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Error = Annotated[float, Field(ge=0, le=1e6)]

_WHOLE = ConfigDict(**STRICT, extra="forbid")  # a misspelt key is an error

BandOf = Literal["time", "wall", "energy"]
OriginKind = Literal["measured", "published"]


@dataclass(frozen=True, slots=True, config=_WHOLE)
class CalibrationOrigin:
    """Where the rows of a calibration are from."""

    kind: OriginKind
    source: str
    licence: str | None = None  # of a published table


@dataclass(frozen=True, slots=True, kw_only=True, config=_WHOLE)
class CalibrationConditions:
    """The device and the setting that a calibration holds for. What is None was not told."""

    device: str  # its name
    precision: Precision
    memory_format: MemoryFormat
    compile: str | None = None  # the mode of torch.compile
    counted_in: Precision  # the precision in which networks are counted for it
    torch: str
    cpu: str | None = None  # of the host, whose time wall latency is made of
    threads: Count | None = None  # of the CPU
    cuda: str | None = None
    cudnn: str | None = None
    driver: str | None = None
    power_limit_w: PositiveValue | None = None

    @property
    def setting(self) -> str:
        """Precision, memory format and compilation in words: `fp32, contiguous, eager`."""
        compiled = "eager" if self.compile is None else f"compile {self.compile}"
        threads = [] if self.threads is None else [f"{self.threads} thread{'s' * (self.threads != 1)}"]
        return ", ".join((self.precision, self.memory_format, compiled, *threads))

    @property
    def in_words(self) -> str:
        """All conditions in one line."""
        versions = (
            ("torch", self.torch), ("CUDA", self.cuda), ("cuDNN", self.cudnn), ("driver", self.driver),
            ("host", self.cpu), ("limit", None if self.power_limit_w is None else f"{self.power_limit_w:g} W"),
        )  # fmt: skip
        told = (f"{name} {value}" for name, value in versions if value)
        return ", ".join((self.device, self.setting, *told))


@dataclass(frozen=True, slots=True, config=_WHOLE)
class Constants:
    """What one of each count costs, in seconds; None if no row has any of it."""

    step_s: _Cost | None = None  # of the reduction depth
    launch_s: _Cost | None = None  # an operation
    dense_flop_s: _Cost | None = None  # a multiply-add counts once
    grouped_flop_s: _Cost | None = None
    byte_s: _Cost | None = None  # read or written by any operation

    def of(self, name: str) -> float:
        """The constant of this name; 0 if no row has any of its count, so that nothing is known of it."""
        value = getattr(self, name)
        return 0.0 if value is None else float(value)


@dataclass(frozen=True, slots=True, config=_WHOLE)
class HostConstants:
    """What a launch costs the host's processor, for the wall latency of eager calls."""

    launch_s: Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, slots=True, config=_WHOLE)
class EnergyConstants:
    """Energy of a call: idle power as long as it takes, and what a multiply-add and a byte add."""

    idle_w: PositiveValue
    flop_j: _Cost
    byte_j: _Cost


@dataclass(frozen=True, slots=True, kw_only=True, config=_WHOLE)
class Band:
    """How far predictions of networks of unseen families were off, at one batch size.

    Half-widths are of natural logarithms: 0.1 is a factor of 1.105 either way.
    """

    of: BandOf
    batch: Batch
    half_width: _LogWidth
    rows: Count
    families: Count
    mean_error: _Error  # mean of |predicted/measured - 1|, each family predicted without its own rows
    coverage: _Share | None = None  # share of rows inside a band that was made without their family
    ratio_half_width: _LogWidth | None = None  # of the ratio of two networks of different families
    borrowed: bool = False  # too few rows for a band of their own: at least as wide as that of a shipped calibration


@dataclass(frozen=True, slots=True, kw_only=True, config=_WHOLE)
class CalibrationRow:
    """One measured call: its counts and its time."""

    model: str
    family: str
    inputs: Annotated[tuple[SpecText, ...], Field(min_length=1)]  # the batch included
    batch: Batch
    shapes_sha256: str | None = None  # of the names and shapes of the state dictionary
    record: str | None = None  # the id of the record
    reduction_depth: Count
    ops: Count
    flops: Count
    grouped_flops: Count
    traffic_bytes: Count
    time_s: PositiveValue  # one call, of the kind that the calibration predicts
    wall_s: PositiveValue | None = None
    image_j: PositiveValue | None = None  # gross energy of one image

    @property
    def counts(self) -> Counts:
        return Counts(self.reduction_depth, self.ops, self.flops, self.grouped_flops, self.traffic_bytes)

    @property
    def side(self) -> int | None:
        """The side of a square image; None for other inputs."""
        return TensorSpec.parse(self.inputs[0]).square


@dataclass(frozen=True, slots=True, kw_only=True, config=_WHOLE)
class DeviceCalibration:
    """The constants that predict time and energy on one device in one setting, with their bands and their rows."""

    schema_version: Literal["1"] = "1"
    name: str  # of the device, as `--on` takes it
    time: TimeKind
    origin: CalibrationOrigin
    conditions: CalibrationConditions
    kinds: tuple[str, ...]  # the operations that its networks have
    groups: Count  # the most groups of a convolution in its networks
    constants: Constants
    host: HostConstants | None = None
    energy: EnergyConstants | None = None
    bands: tuple[Band, ...]
    rows: Annotated[tuple[CalibrationRow, ...], Field(min_length=1)]

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes of the rows, the smallest first."""
        return tuple(sorted({row.batch for row in self.rows}))

    def band(self, of: BandOf, batch: int) -> Band | None:
        """The band at a batch, or the wider of the bands at the next smaller and larger one; None outside of them."""
        bands = sorted((band for band in self.bands if band.of == of), key=lambda band: band.batch)
        below = [band for band in bands if band.batch <= batch]
        above = [band for band in bands if band.batch >= batch]
        if not below or not above:
            return None
        return max(below[-1], above[0], key=lambda band: band.half_width)

    def __str__(self) -> str:
        return f"{self.name} ({self.conditions.setting})"


def loads(text: str, name: str) -> DeviceCalibration:
    """Read a calibration from TOML; error messages begin with `name`. Raises UserError."""
    return revive(DeviceCalibration, toml(text, name), name)


def dumps(calibration: DeviceCalibration) -> str:
    """Write a calibration as TOML that `loads` reads, one line for each row and six digits for each measured number."""
    return "".join(_lines(asdict(calibration)))


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, tuple) and any(isinstance(item, dict) for item in value):
            yield f"{key} = [\n{''.join(f'  {_value(item)},{chr(10)}' for item in value)}]\n"
        elif value is not None:
            yield f"{key} = {_value(value)}\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items() if one is not None) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return json.dumps(float(f"{value:.6g}"))  # a fit has other last digits on another processor
    return json.dumps(value)  # text, numbers and booleans are written in TOML as in JSON
