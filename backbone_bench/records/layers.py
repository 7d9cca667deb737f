"""The time of every operation of one call, by the module that asked for it, and the rates that bound it."""

from typing import Literal

from pydantic.dataclasses import dataclass

from backbone_bench.records.missing import STRICT, Count, Known, MeasuredValue, PositiveValue

SHORT_S = 5e-6  # about what a GPU takes to launch a kernel: shorter work leaves it waiting


@dataclass(frozen=True, slots=True, config=STRICT)
class OpTime:
    """Time of one kind of operation within one module, in one call of the model.

    On a GPU it is the time of the kernels that the operation launched, on a CPU
    that of the operation itself.
    """

    module: str  # dotted path, as in `OpCost`; empty for the model itself
    op: str  # named as in `OpCost` if it is counted there, else as in torch
    form: str | None  # of a convolution module: `1x1`, `3x3 depthwise`; else None
    time_s: MeasuredValue
    launches: Count  # kernels on a GPU, operations on a CPU
    short_launches: Count  # those below `SHORT_S`
    short_s: MeasuredValue  # their time


@dataclass(frozen=True, slots=True, config=STRICT)
class Ceilings:
    """The rates of a large matrix product and of a large copy, under the conditions of the workload."""

    flops_per_s: PositiveValue  # a multiply-add counts once
    bytes_per_s: PositiveValue


@dataclass(frozen=True, slots=True, config=STRICT)
class LayerTimes:
    """Times of the operations, from a pass of its own under torch's profiler, which slows the host down."""

    source: Literal["kernels", "operations"]
    calls: Count  # of the pass: the times are means over them
    rows: tuple[OpTime, ...]
    unattributed_s: MeasuredValue  # of kernels that no operation launched, in one call
    ceilings: Known[Ceilings]
    spent_s: MeasuredValue  # duration of the pass and of the ceilings

    @property
    def total_s(self) -> float:
        """Time of all operations of one call."""
        return sum(row.time_s for row in self.rows) + self.unattributed_s
