"""Every quantity that a record holds, in one table: columns, the gate, versus, exports, claims and history read it.

A new one is a row here. Its key has the base unit in it and stands in `--columns`, CSV and JSON; its title is what
people read, the same everywhere.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from backbone_bench.base.units import (
    BILLIONS,
    M_ELEMENTS,
    MEGABYTES,
    MILLIJOULES,
    MILLIONS,
    MILLISECONDS,
    PLAIN,
    Unit,
)
from backbone_bench.records.missing import Known, Missing
from backbone_bench.records.record import Record

MeasuredKind = Literal["latency", "energy", "memory"]


class ChangeWords(NamedTuple):
    """What a change of a measured quantity is called, as a verb phrase."""

    worse: str
    better: str


WORDS: Mapping[MeasuredKind, ChangeWords] = {
    "latency": ChangeWords("is slower", "is faster"),
    "energy": ChangeWords("uses more energy", "uses less energy"),
    "memory": ChangeWords("takes more memory", "takes less memory"),
}


class Quantity(NamedTuple):
    """One number of a record: where it lies, how it is written, and who compares it how."""

    key: str
    title: str  # without the unit
    unit: Unit
    path: str  # dotted, from the record
    better: Literal["less", "more"] | None = "less"
    per_call: bool = False  # of one call at the workload's batch, so that an image has its share of it
    exact: bool = False  # a gate compares it exactly
    measured_as: MeasuredKind | None = None  # a gate compares it by rounds, under the threshold of this kind
    informational: bool = False  # a gate shows it, and it fails nothing
    claimed_as: str = ""  # what a claim about it is called: `bench check --flops`, `metric = "flops"`
    half_width: str = ""  # the key of the column with half of its confidence interval

    def of(self, record: Record) -> Known[Any]:
        """The number, or why it is not there."""
        return at(record, self.path)

    def per_image(self, record: Record) -> Known[Any]:
        """The number's share of one image; a count that divides evenly stays a whole number."""
        value = self.of(record)
        if isinstance(value, Missing) or not self.per_call:
            return value
        batch = record.workload.batch
        return value // batch if isinstance(value, int) and value % batch == 0 else value / batch


def at(record: Record, path: str) -> Any:
    """What lies at a dotted path of a record, or the `Missing` that is met on the way."""
    value: Any = record
    for name in path.split("."):
        value = attrgetter(name)(value)
        if isinstance(value, Missing):
            break
    return value


def _cost(key: str, title: str, unit: Unit, **how: Any) -> Quantity:
    return Quantity(key, title, unit, f"cost.{key}", **how)


def _latency(mode: str, **how: Any) -> Quantity:
    return Quantity(
        f"{mode}_s",
        f"{mode} latency",
        MILLISECONDS,
        f"latency.{mode}.median_s",
        per_call=True,
        measured_as="latency",
        half_width=f"{mode}_half_width",
        **how,
    )


def _memory(key: str, title: str, **how: Any) -> Quantity:
    return Quantity(key, title, MEGABYTES, f"memory.{key}", **how)


QUANTITIES: Mapping[str, Quantity] = {
    quantity.key: quantity
    for quantity in (
        _cost("flops", "FLOPs", BILLIONS, per_call=True, exact=True, claimed_as="flops"),
        _cost("params", "parameters", MILLIONS, exact=True, claimed_as="params"),
        _cost("conv_flops", "FLOPs of convolutions", BILLIONS, per_call=True, claimed_as="conv_flops"),
        _cost("access_elems", "memory access", M_ELEMENTS, exact=True, claimed_as="access"),
        _cost("conv_access_elems", "memory access of convolutions", M_ELEMENTS, claimed_as="conv_access"),
        _cost("cio_elems", "CIO", M_ELEMENTS, claimed_as="cio"),
        _cost("traffic_elems", "traffic", M_ELEMENTS, per_call=True, exact=True, claimed_as="traffic"),
        _cost("traffic_bytes", "traffic", MEGABYTES, per_call=True),
        _cost("ops", "operations", PLAIN, per_call=True, exact=True),
        _cost("params_bytes", "weights", MEGABYTES),
        _cost("peak_activation_bytes", "peak activations", MEGABYTES),
        _latency("wall"),  # what a slower Python costs
        _latency("device", informational=True),  # lies between the two
        _latency("graph"),  # the least noise
        Quantity("images_per_s", "images/s (wall)", PLAIN, "rates.wall.images_per_s", "more"),
        Quantity("flops_per_s", "GFLOP/s (wall)", Unit("", 1e-9), "rates.wall.flops_per_s", "more"),
        _memory("peak_allocated_bytes", "peak allocated memory", measured_as="memory"),
        _memory("peak_reserved_bytes", "peak reserved memory"),
        _memory("peak_resident_bytes", "peak resident memory", measured_as="memory", informational=True),
        Quantity(
            "gross_per_image_j", "energy per image", MILLIJOULES, "energy.gross_per_image_j", measured_as="energy",
            half_width="energy_half_width",
        ),
        Quantity("net_per_image_j", "energy per image, net of idle", MILLIJOULES, "energy.net_per_image_j"),
        Quantity("mean_w", "mean power", Unit("W", 1, 1), "energy.mean_w"),
    )
}  # fmt: skip

EXACT = tuple(quantity for quantity in QUANTITIES.values() if quantity.exact)
MEASURED = tuple(quantity for quantity in QUANTITIES.values() if quantity.measured_as)
CLAIMED: Mapping[str, Quantity] = {one.claimed_as: one for one in QUANTITIES.values() if one.claimed_as}
