"""Every quantity of a record, in one table: columns, the gate, versus, exports, claims and history read it.

To add a quantity, add a row here. Its key includes the base unit and is used in `--columns`, CSV and JSON; its title
is the text for people, the same everywhere.
"""

from collections.abc import Callable, Mapping
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
from backbone_bench.records.latency import Latency
from backbone_bench.records.missing import NOT_REQUESTED, Known, Missing
from backbone_bench.records.record import Record

EAGER = "eager_events"  # the way of a device latency that no other is compared with

MeasuredKind = Literal["latency", "energy", "memory"]


class ChangeWords(NamedTuple):
    """Verb phrases for a change of a measured quantity."""

    worse: str
    better: str
    base_unit: str  # as the keys of its quantities end


WORDS: Mapping[MeasuredKind, ChangeWords] = {
    "latency": ChangeWords("is slower", "is faster", "s"),
    "energy": ChangeWords("uses more energy", "uses less energy", "j"),
    "memory": ChangeWords("takes more memory", "takes less memory", "bytes"),
}


class Quantity(NamedTuple):
    """One quantity of a record: its path, its title and unit, and how the gate, versus and claims compare it."""

    key: str
    title: str  # without the unit
    unit: Unit
    path: str  # dotted, starting at the record
    meaning: str  # in a few words, for the glossary
    better: Literal["less", "more"] | None = "less"
    per_call: bool = False  # for one call at the workload's batch: divided by the batch for one image
    exact: bool = False  # a count, which the gate compares exactly
    measured_as: MeasuredKind | None = None  # the gate compares it in rounds, with the threshold of this kind
    informational: bool = False  # the gate shows it and never fails because of it
    multiply_adds: bool = False  # counts multiply-adds: doubled where one counts as two FLOPs
    claimed_as: str = ""  # its name in claims: `bench check --flops`, `metric = "flops"`
    half_width: str = ""  # key of the column with the half width of its confidence interval
    taken: Callable[[Record], str] | None = None  # how it was taken, if in several ways: they are not compared

    def of(self, record: Record) -> Known[float]:
        """The value, or the reason why it is missing."""
        return at(record, self.path)

    def bursts_s(self, record: Record) -> tuple[float, ...]:
        """The latency of each burst per image, if this is a latency and the process took turns; else empty."""
        path, _, name = self.path.rpartition(".")
        latency = at(record, path) if name == "median_s" else None
        if not isinstance(latency, Latency):
            return ()
        return tuple(burst_s / record.workload.batch for burst_s in latency.bursts_s)

    def refused(self, one: Record, other: Record) -> Missing | None:
        """Why the values of two records must not be compared, if they were taken in different ways."""
        if self.taken is None or self.taken(one) == self.taken(other):
            return None
        ways = f"{self.taken(one)} here and {self.taken(other)} there"
        return Missing("taken_otherwise", f"{self.title} was taken in two ways, by {ways}")

    def per_image(self, record: Record) -> Known[float]:
        """The value per image; a count that divides evenly stays a whole number."""
        value = self.of(record)
        if isinstance(value, Missing) or not self.per_call:
            return value
        batch = record.workload.batch
        return value // batch if isinstance(value, int) and value % batch == 0 else value / batch


def turns(one: Record, other: Record, quantity: Quantity) -> list[tuple[float, float]]:
    """The bursts of two processes turn by turn; empty if they did not take turns with each other."""
    if one.live is None or other.live is None or not same_round(one, other):
        return []
    return list(zip(quantity.bursts_s(one), quantity.bursts_s(other), strict=True))


def same_round(one: Record, other: Record) -> bool:
    """Whether two records are sides of one round."""
    if one.turn is None or other.turn is None:
        return False
    return (one.turn.comparison, one.turn.round) == (other.turn.comparison, other.turn.round)


def at(record: Record, path: str) -> Any:
    """The value at a dotted path of a record, or the first `Missing` on that path (None: it was not requested)."""
    value: Any = record
    for name in path.split("."):
        value = attrgetter(name)(value)
        if value is None:
            return NOT_REQUESTED
        if isinstance(value, Missing):
            break
    return value


def _device_method(record: Record) -> str:
    """How the device latency was taken; records from before it was noted have eager events."""
    if isinstance(record.latency, Missing) or isinstance(record.latency.device, Missing):
        return ""
    return record.latency.device.method or EAGER


def _energy_runs(record: Record) -> str:
    mode = record.energy_mode
    return "" if isinstance(mode, Missing) else mode


def _cost(key: str, title: str, unit: Unit, meaning: str, **how: Any) -> Quantity:
    return Quantity(key, title, unit, f"cost.{key}", meaning, **how)


def _latency(mode: str, meaning: str, **how: Any) -> Quantity:
    return Quantity(
        f"{mode}_s",
        f"{mode} latency",
        MILLISECONDS,
        f"latency.{mode}.median_s",
        meaning,
        per_call=True,
        measured_as="latency",
        half_width=f"{mode}_half_width",
        **how,
    )


def _memory(key: str, title: str, meaning: str, **how: Any) -> Quantity:
    return Quantity(key, title, MEGABYTES, f"memory.{key}", meaning, **how)


QUANTITIES: Mapping[str, Quantity] = {
    quantity.key: quantity
    for quantity in (
        _cost("params", "parameters", MILLIONS, "learnable parameters", exact=True, claimed_as="params"),
        _cost(
            "flops",
            "FLOPs",
            BILLIONS,
            "multiply-adds of convolutions and matrix products; of a training step, of both passes",
            per_call=True,
            exact=True,
            multiply_adds=True,
            claimed_as="flops",
        ),
        _cost(
            "conv_flops",
            "FLOPs of convolutions",
            BILLIONS,
            "multiply-adds of convolutions alone",
            per_call=True,
            multiply_adds=True,
            claimed_as="conv_flops",
        ),
        _cost(
            "grouped_flops",
            "FLOPs of grouped convolutions",
            BILLIONS,
            "multiply-adds of convolutions with more than one group, depthwise ones among them",
            per_call=True,
            multiply_adds=True,
            claimed_as="grouped_flops",
        ),
        _cost(
            "reduction_depth",
            "reduction depth",
            PLAIN,
            "Σ over convolutions of ci/groups·kh·kw, the products in one element of the output; what a CNN's time at "
            "batch 1 follows on a large GPU",
            claimed_as="reduction_depth",
        ),
        _cost(
            "access_elems",
            "memory access",
            M_ELEMENTS,
            "the papers' memory access cost, of convolutions and linear layers: Σ h·w·(ci+co) + k²·ci·co/groups, "
            "h·w of the output, bias left out, at batch 1",
            exact=True,
            claimed_as="access",
        ),
        _cost(
            "conv_access_elems",
            "memory access of convolutions",
            M_ELEMENTS,
            "the papers' memory access cost of convolutions alone, at batch 1",
            claimed_as="conv_access",
        ),
        _cost(
            "cio_elems",
            "CIO",
            M_ELEMENTS,
            "inputs and outputs of convolutions, each at its own size (CSPNet, HarDNet), at batch 1",
            claimed_as="cio",
        ),
        _cost(
            "traffic_elems",
            "traffic",
            M_ELEMENTS,
            "elements that every operation reads and writes: norms, activations, additions and pools too",
            per_call=True,
            exact=True,
            claimed_as="traffic",
        ),
        _cost("traffic_bytes", "traffic", MEGABYTES, "bytes that every operation reads and writes", per_call=True),
        _cost(
            "ops",
            "operations",
            PLAIN,
            "operations that launch work; views do not",
            per_call=True,
            exact=True,
            claimed_as="ops",
        ),
        _cost("params_bytes", "weights", MEGABYTES, "bytes of the parameters"),
        _cost(
            "peak_activation_bytes",
            "peak activations",
            MEGABYTES,
            "the most bytes of activations alive at once; in training, with the gradients",
        ),
        _latency("wall", "the median of what a caller waits for one call, synchronised after each"),
        _latency(
            "device",
            "the median of the device's own work in one call, launched in full before it begins",
            informational=True,
            taken=_device_method,
        ),
        _latency(
            "graph", "the median of one call replayed as a CUDA graph: without the host's part, with the least noise"
        ),
        Quantity(
            "device_work_s",
            "device work",
            MILLISECONDS,
            "device_work.median_s",
            "the device's own work in one call: graph latency if there is a graph, else device latency; on a CPU, wall "
            "latency",
            per_call=True,
        ),
        Quantity(
            "images_per_s",
            "images/s (wall)",
            PLAIN,
            "rates.wall.images_per_s",
            "the batch over the wall latency",
            "more",
        ),
        Quantity(
            "flops_per_s",
            "GFLOP/s (wall)",
            Unit("", 1e-9),
            "rates.wall.flops_per_s",
            "FLOPs over the wall latency",
            "more",
            multiply_adds=True,
        ),
        _memory(
            "peak_allocated_bytes",
            "peak allocated memory",
            "the most that the accelerator's allocator had in use",
            measured_as="memory",
        ),
        _memory(
            "peak_reserved_bytes",
            "peak reserved memory",
            "the most that the accelerator's allocator had taken from the driver",
        ),
        _memory(
            "peak_resident_bytes",
            "peak resident memory",
            "the most that the process held on the host, above what it held before the first call",
            measured_as="memory",
            informational=True,
        ),
        Quantity(
            "gross_per_image_j",
            "energy per image",
            MILLIJOULES,
            "energy.gross_per_image_j",
            "all that the device drew while it ran, over the images",
            measured_as="energy",
            half_width="energy_half_width",
            taken=_energy_runs,
        ),
        Quantity(
            "net_per_image_j",
            "energy per image, net of idle",
            MILLIJOULES,
            "energy.net_per_image_j",
            "what the device drew while it ran, without what it draws at rest, over the images",
            taken=_energy_runs,
        ),
        Quantity(
            "wall_per_image_j",
            "energy per image, waiting caller",
            MILLIJOULES,
            "wall_energy.gross_per_image_j",
            "all that the device drew while a caller waited for each call, its idle gaps included, over the images",
        ),
        Quantity(
            "dram_bytes_per_image",
            "memory traffic, measured",
            MEGABYTES,
            "energy.dram_bytes_per_image",
            "bytes that the card's memory moved for an image during the energy windows, by its own counters: what the "
            "caches kept is not in it",
        ),
        # No better direction: a slower network of the same energy draws less power.
        Quantity("mean_w", "mean power", Unit("W", 1, 1), "energy.mean_w", "gross energy over time", better=None),
    )
}

EXACT = tuple(quantity for quantity in QUANTITIES.values() if quantity.exact)
MEASURED = tuple(quantity for quantity in QUANTITIES.values() if quantity.measured_as)
CLAIMED: Mapping[str, Quantity] = {
    quantity.claimed_as: quantity for quantity in QUANTITIES.values() if quantity.claimed_as
}
