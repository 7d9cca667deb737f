"""Plots of the cost of a family's networks as stacked bars, by kind of operation."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from backbone_bench.records import Missing, Record
from backbone_bench.report.drawing.plot import Axis, BarSegment, Panel, Plot
from backbone_bench.report.views.families import family
from backbone_bench.report.views.layers import CostPart, by_kind

COLOURS = 5  # kinds with a colour of their own; all others share one
REST = "everything else"


def kinds(records: Sequence[Record], caption: str) -> list[Plot]:
    """Make one plot of FLOPs, traffic and operations per family with at least two networks."""
    families: dict[str, dict[str, Record]] = {}
    for record in records:
        if not isinstance(record.cost, Missing):
            families.setdefault(family(record), {}).setdefault(record.workload.model, record)
    return [
        stacks(f"kinds-{name}", f"{name}: cost by kind of operation", list(members.values()), caption)
        for name, members in families.items()
        if len(members) > 1
    ]


def stacks(name: str, title: str, records: Sequence[Record], caption: str) -> Plot:
    """Plot the cost of networks as stacked bars, one row per network."""
    parts = {record.workload.model: by_kind(record.cost) for record in records if not isinstance(record.cost, Missing)}
    traffic = Counter[str]()
    for members in parts.values():
        traffic.update({part.name: part.traffic_elems for part in members})
    shown = [kind for kind, _ in traffic.most_common(COLOURS)]
    panels = (
        _panel("FLOPs", "FLOPs (G)", parts, shown, lambda part: part.flops / 1e9),
        _panel("Traffic", "traffic (M elements)", parts, shown, lambda part: part.traffic_elems / 1e6),
        _panel("Operations", "operations", parts, shown, lambda part: part.calls),
    )
    return Plot(name, title, caption, panels, order=(*shown, REST))


def _panel(
    title: str, axis: str, parts: dict[str, list[CostPart]], shown: Sequence[str], amount: Callable[[CostPart], float]
) -> Panel:
    bars = [
        bar for row, (model, members) in enumerate(parts.items()) for bar in _stack(row, model, members, shown, amount)
    ]
    return Panel(title, Axis(axis, from_zero=True), Axis(""), bars=tuple(bars), rows=tuple(parts))


def _stack(
    row: int, model: str, parts: Sequence[CostPart], shown: Sequence[str], amount: Callable[[CostPart], float]
) -> Iterator[BarSegment]:
    amounts = Counter[str]()
    for part in parts:
        amounts[part.name if part.name in shown else REST] += amount(part)  # type: ignore[assignment]
    start, whole = 0.0, sum(amounts.values()) or 1
    for kind in (*shown, REST):
        if amounts[kind]:
            end = start + amounts[kind]
            detail = f"{model}\n{kind}: {amounts[kind]:.4g} ({amounts[kind] / whole:.1%})"
            yield BarSegment(row, start, end, kind, detail)
            start = end
