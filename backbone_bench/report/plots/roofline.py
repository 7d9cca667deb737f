"""How near networks come to what their device can do: a roof of a matrix product and a copy, measured like them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backbone_bench.base.units import PLAIN, Unit
from backbone_bench.records import Record
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.drawing.plot import Axis, Line, Panel, Plot
from backbone_bench.report.plots.points import clock, number, record_points
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views.columns import COLUMNS, at, over
from backbone_bench.report.views.families import family

# Models that are profiled like any other: `backbone_bench.zoo.ceilings`, which needs torch.
PRODUCT, COPY = "backbone_bench.zoo.ceilings:product", "backbone_bench.zoo.ceilings:copy"


class Ceiling(NamedTuple):
    """What a device can do at most in one precision with so many threads."""

    precision: str
    threads: int | None
    flops_per_s: float  # a multiply-add counts once
    bytes_per_s: float


def told_apart(records: Iterable[Record]) -> tuple[list[Record], list[Ceiling]]:
    """The networks, and the ceilings that products and copies among the records make."""
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
    return networks, [
        Ceiling(*key, products[key], copies[key]) for key in products if products[key] and copies.get(key)
    ]


def _rate(records: Iterable[Record], cost: str) -> Column[Record]:
    """A cost over the latency that the plots of these records are about, a second."""
    return Column(f"{cost}_per_s", cost, over(at(f"cost.{cost}"), QUANTITIES[clock(records).key].of), PLAIN)


def roofline(records: Sequence[Record], caption: str, ceiling: Ceiling) -> Plot | None:
    """Achieved arithmetic against arithmetic per byte, below the roof of the same precision and threads."""
    alike = [r for r in records if (r.workload.precision, r.workload.threads) == (ceiling.precision, ceiling.threads)]
    rate = _rate(alike, "flops")._replace(title=f"GFLOP/s ({clock(alike).title})", unit=Unit("", 1e-9))
    seen = record_points(alike, COLUMNS["flops_per_byte"], rate)
    if not seen:
        return None
    top, slope = ceiling.flops_per_s / 1e9, ceiling.bytes_per_s / 1e9
    ridge = top / slope
    low, high = min(ridge / 2, *(one.x for one in seen)), max(ridge * 2, *(one.x for one in seen))
    told = f"matrix product {top:.4g} GFLOP/s, copy {slope:.4g} GB/s"
    roof = Line(((low, low * slope), (ridge, top), (high, top)), detail=told)
    points = tuple(one.point(family(one.record)) for one in seen)
    axes = Axis("FLOPs per byte of traffic", log=True), Axis(rate.heading, log=True)
    return Plot(
        "roofline",
        "How near to the roof?",
        f"The roof is a matrix product and a copy, measured on the same device: {told}. {caption}",
        (Panel(f"Roofline, {ceiling.precision}", *axes, points, (roof,)),),
    )
