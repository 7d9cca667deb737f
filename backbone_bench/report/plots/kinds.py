"""Plots of the cost of a family's networks as stacked bars, by kind of operation."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from backbone_bench.base.grouping import group_by
from backbone_bench.records import Missing, Record
from backbone_bench.report.drawing.plot import Axis, BarSegment, Panel, Plot
from backbone_bench.report.plots.alike import Alike
from backbone_bench.report.views.families import family
from backbone_bench.report.views.layers import CostPart, by_kind

COLOURS = 5  # kinds with a colour of their own; all others share one
REST = "everything else"
# What most networks spend their traffic on has one colour in every plot.
STYLES = {"convolution": 0, "batch_norm": 1, "relu": 2, "cat": 3, "add": 4, REST: 5}


def kinds(groups: Sequence[Alike], caption: str) -> list[Plot]:
    """Make one plot of FLOPs, traffic and operations per family, of the first group with two of its networks or more.

    Costs at another batch or size tell the same story: they are not drawn again.
    """
    plots: dict[str, Plot] = {}
    for group in groups:
        counted = [record for record in group.records if not isinstance(record.cost, Missing)]
        for name, members in group_by(counted, family).items():
            networks = list({record.workload.model: record for record in reversed(members)}.values())[::-1]
            title = f"{name}: cost by kind of operation{f', {group.about}' if group.about else ''}"
            if len(networks) > 1 and name not in plots:
                plots[name] = stacks(f"kinds-{name}", title, networks, caption)
    return list(plots.values())


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
    return Plot(name, title, caption, panels, order=(*shown, REST), fixed=STYLES)


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
