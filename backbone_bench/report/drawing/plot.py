"""A plot as data: axes with units, and marks with a tooltip each. `svg.py` and `image.py` draw it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple, Self

from backbone_bench.report.tables.table import Bounds


class Axis(NamedTuple):
    """One axis of a panel."""

    title: str  # with its unit
    log: bool = False
    from_zero: bool = False
    ticks: tuple[float, ...] = ()  # fixed ticks; empty: chosen from the range of the values


class Point(NamedTuple):
    """One observation, drawn as a mark."""

    x: float
    y: float  # in a panel with rows: the row number
    series: str
    label: str = ""  # written beside the mark if there is room
    detail: str = ""  # the tooltip
    spread: Bounds | None = None  # the interval of y, drawn as an error bar
    hollow: bool = False


class Line(NamedTuple):
    """A line through points, such as a Pareto front, a roofline or a trace of samples."""

    points: tuple[tuple[float, float], ...]
    series: str = ""  # empty: drawn in the colour of the text
    detail: str = ""
    dashed: bool = False


class BarSegment(NamedTuple):
    """One segment of the horizontal bar in a row."""

    row: int
    start: float
    end: float
    series: str
    detail: str = ""
    thin: bool = False
    label: str = ""  # written on the segment if there is room


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes and the marks in it."""

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...] = ()
    lines: tuple[Line, ...] = ()
    bars: tuple[BarSegment, ...] = ()
    rows: tuple[str, ...] = ()  # names along y, from the top; empty: y is numeric

    @property
    def series(self) -> Iterable[str]:
        for marks in (self.points, self.lines, self.bars):
            yield from (mark.series for mark in marks if mark.series)


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels that belong together, under one title and caption."""

    name: str  # of the file, without suffix
    title: str
    caption: str
    panels: tuple[Panel, ...]
    order: tuple[str, ...] = ()  # of the series in the legend; empty: by first appearance
    fixed: Mapping[str, int] = field(default_factory=dict)  # styles that a series has in every plot

    @property
    def series(self) -> tuple[str, ...]:
        """Every series once, in the order of the legend."""
        found = dict.fromkeys(series for panel in self.panels for series in panel.series)
        return (*(name for name in self.order if name in found), *(name for name in found if name not in self.order))

    @property
    def styles(self) -> dict[str, int]:
        """The number of each series' colour and shape: the fixed one, else the next that no other series has."""
        found = {name: self.fixed[name] for name in self.series if name in self.fixed}
        free = (number for number in count() if number not in found.values())
        return {name: found[name] if name in found else next(free) for name in self.series}

    def renamed(self, name: str) -> Self:
        return replace(self, name=name)
