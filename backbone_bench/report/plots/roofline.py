"""The roofline plot: FLOPs per second against FLOPs per byte, below what the device attains.

The roof is measured like any model: a matrix product gives its flat part, a copy its slope.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backbone_bench.base.units import PLAIN, Unit
from backbone_bench.records import Record
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.drawing.plot import Axis, Line, Panel, Plot
from backbone_bench.report.plots.alike import Alike
from backbone_bench.report.plots.points import MIN_MODELS, latency_column, number, record_points
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.families import STYLES, family
from backbone_bench.report.views.getters import at, over

# Model names in records of `backbone_bench.zoo.ceilings`, as strings: importing the module would load torch.
PRODUCT, COPY = "backbone_bench.zoo.ceilings:product", "backbone_bench.zoo.ceilings:copy"


def how_to_get(record: Record) -> str:
    """How to measure the ceilings of the device of a record, whose roofline lacks them."""
    workload, device = record.workload, "cpu" if record.environment.is_host else "cuda"
    size = "" if device == "cpu" else " --arg size=8192"
    return (
        "No roofline: no record has the device's ceilings, the rates of a matrix product and of a copy. Measure them "
        f"on the same device with `bench run {PRODUCT} {COPY}{size} --device {device} --precision {workload.precision} "
        "-o ceilings.jsonl`, and give that file to `bench report` too; or run a network with --layers."
    )


def offer(records: Sequence[Record]) -> str:
    """The offer to measure a GPU's ceilings after a sweep that has none; empty for a CPU or fewer than three models."""
    networks, ceilings = split_ceilings(records)
    on_gpu = [record for record in networks if not record.environment.is_host]
    models = {record.workload.model for record in on_gpu}
    return "" if ceilings or len(models) < MIN_MODELS else how_to_get(on_gpu[0])


class Ceiling(NamedTuple):
    """The highest measured rates of a device, in one precision with one number of threads."""

    precision: str
    threads: int | None
    flops_per_s: float  # a multiply-add counts once
    bytes_per_s: float


def split_ceilings(records: Iterable[Record]) -> tuple[list[Record], list[Ceiling]]:
    """Split records into networks and ceilings; a ceiling needs both a matrix product and a copy.

    They are rows of their own, or were measured with the layers of a network.
    """
    networks: list[Record] = []
    products: dict[tuple[str, int | None], float] = {}
    copies: dict[tuple[str, int | None], float] = {}
    for record in records:
        key = record.workload.precision, record.workload.threads
        if record.workload.model == PRODUCT:
            products[key] = max(products.get(key, 0), number(_rate([record], "flops"), record) or 0)
        elif record.workload.model == COPY:
            copies[key] = max(copies.get(key, 0), number(_rate([record], "traffic_bytes"), record) or 0)
        else:
            networks.append(record)
            if (found := record.ceilings) is not None:
                products[key] = max(products.get(key, 0), found.flops_per_s)
                copies[key] = max(copies.get(key, 0), found.bytes_per_s)
    return networks, [
        Ceiling(*key, products[key], copies[key]) for key in products if products[key] and copies.get(key)
    ]


def _rate(records: Iterable[Record], cost: str) -> Column[Record]:
    """A cost per second, by the latency that the plots of these records show."""
    return Column(f"{cost}_per_s", cost, over(at(f"cost.{cost}"), QUANTITIES[latency_column(records).key].of), PLAIN)


def roofline(groups: Sequence[Alike], caption: str, ceiling: Ceiling) -> Plot | None:
    """Plot the groups that have the ceiling's precision and threads; None if no record can be drawn."""
    rates = f"matrix product {ceiling.flops_per_s / 1e9:.4g} GFLOP/s, copy {ceiling.bytes_per_s / 1e9:.4g} GB/s"
    panels = tuple(panel for group in groups if (panel := _panel(group, ceiling, rates)))
    text = f"The roof is the rate of a matrix product and of a copy, measured on the same device: {rates}. {caption}"
    title = "Roofline: achieved and attainable GFLOP/s"
    return Plot("roofline", title, text, panels, fixed=STYLES) if panels else None


def _panel(group: Alike, ceiling: Ceiling, rates: str) -> Panel | None:
    matching = [
        record
        for record in group.records
        if (record.workload.precision, record.workload.threads) == (ceiling.precision, ceiling.threads)
    ]
    rate = _rate(matching, "flops")._replace(title=f"GFLOP/s ({latency_column(matching).title})", unit=Unit("", 1e-9))
    found = record_points(matching, COLUMNS["flops_per_byte"], rate)
    if not found:
        return None
    top, slope = ceiling.flops_per_s / 1e9, ceiling.bytes_per_s / 1e9
    ridge = top / slope
    low, high = min(ridge / 2, *(point.x for point in found)), max(ridge * 2, *(point.x for point in found))
    roof = Line(((low, low * slope), (ridge, top), (high, top)), detail=rates)
    points = tuple(point.point(family(point.record)) for point in found)
    axes = Axis("FLOPs per byte of traffic", log=True), Axis(rate.heading, log=True)
    title = ", ".join(filter(None, (group.about, ceiling.precision)))
    return Panel(title, *axes, points, (roof,))
