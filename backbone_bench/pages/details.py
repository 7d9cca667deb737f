"""Details of the page: HTML that waits in a data block until somebody opens it.

A network's layers are there once, however often and at whatever batch and size it ran.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from backbone_bench.pages.templates import template
from backbone_bench.records import Missing, Record
from backbone_bench.report.drawing import svg
from backbone_bench.report.drawing.plot import Panel, Plot
from backbone_bench.report.plots.samples import SERIES, trace
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import leaves
from backbone_bench.report.views.layers import costliest_table
from backbone_bench.report.views.tree import tree

_TRACE_STYLES = {name: number for number, name in enumerate(SERIES)}


class Picture(NamedTuple):
    """A plot: its panels as inline SVG, and its legend."""

    title: str
    caption: str
    panels: tuple[Markup, ...]
    key: Markup  # the legend


class Detail(NamedTuple):
    """A part of the page that is drawn when it is opened."""

    key: str  # its name in the data block
    title: str
    aside: str
    html: str


def picture(plot: Plot) -> Picture:
    """Draw a plot for the page."""
    return Picture(plot.title, plot.caption, _inline(plot.panels, plot.styles), Markup(svg.key(plot.styles)))


def _inline(panels: Sequence[Panel], styles: Mapping[str, int]) -> tuple[Markup, ...]:
    return tuple(Markup(svg.inline(panel, styles)) for panel in panels)  # svg.py has escaped it


def _macros() -> Any:
    return template("parts.html").module


def plots(drawn: Sequence[Plot]) -> list[Detail]:
    """Make a detail of each plot."""
    return [Detail(plot.name, plot.title, "", str(_macros().picture(picture(plot), titled=False))) for plot in drawn]


def layers(records: Sequence[Record]) -> list[Detail]:
    """Make one module tree per network, arguments and mode: that of its first record."""
    found: dict[str, Detail] = {}
    for record in records:
        workload = record.workload
        arguments = (f"{name}={value}" for name, value in workload.arguments.items())
        mode = () if workload.mode == "eval" else (workload.mode,)
        title = ", ".join((workload.model, *arguments, *mode))
        if not isinstance(record.cost, Missing) and title not in found:
            key = f"layers-{len(found)}"
            costliest = costliest_table(record.cost, f"{title}: most expensive operations")
            html = str(_macros().layers(tree(record.cost), costliest, len(found)))
            found[title] = Detail(key, title, ", ".join(workload.inputs), html)
    return list(found.values())


def traces(records: Sequence[Record]) -> list[Detail]:
    """Make one detail of the latency samples of each record, in their order."""
    return list(_traces(records))


def _traces(records: Sequence[Record]) -> Iterator[Detail]:
    for number, record in enumerate(records):
        panels = trace(record)
        if panels:
            title = f"{record.workload.model}, batch {record.workload.batch}, {record.started_utc}"
            watched = () if isinstance(record.watch, Missing) else tuple(leaves(record.watch))
            html = str(_macros().trace(_inline(panels, _TRACE_STYLES), watched))
            yield Detail(f"trace-{number}", title, str(COLUMNS["flags"].value(record)), html)
