"""A plot is data: axes with units, marks with what they say when pointed at. Drawing is `svg.py` and `png.py`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from backbone_bench.report.tables.table import Bounds


class Axis(NamedTuple):
    """What runs along one side of a panel."""

    title: str  # with its unit
    log: bool = False
    from_zero: bool = False
    ticks: tuple[float, ...] = ()  # where they are not to be chosen by the values' range


class Point(NamedTuple):
    """One observation."""

    x: float
    y: float  # of a panel with rows: the number of the row
    series: str
    label: str = ""  # written beside it where there is room
    detail: str = ""  # shown when it is pointed at
    spread: Bounds | None = None  # of y
    hollow: bool = False


class Line(NamedTuple):
    """A stroke through points: a front, a ceiling, a trace."""

    points: tuple[tuple[float, float], ...]
    series: str = ""  # nothing: the colour of the text
    detail: str = ""
    dashed: bool = False


class BarSegment(NamedTuple):
    """A stretch of one row."""

    row: int
    start: float
    end: float
    series: str
    detail: str = ""
    thin: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes and what is drawn in it."""

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...] = ()
    lines: tuple[Line, ...] = ()
    bars: tuple[BarSegment, ...] = ()
    rows: tuple[str, ...] = ()  # names along y, from the top; none: y is a number

    @property
    def series(self) -> Iterable[str]:
        for marks in (self.points, self.lines, self.bars):
            yield from (mark.series for mark in marks if mark.series)


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels that are read together, under one caption."""

    name: str  # of the file, without a suffix
    title: str
    caption: str
    panels: tuple[Panel, ...]
    order: tuple[str, ...] = ()  # of the series, where it is not that of their first appearance

    @property
    def series(self) -> tuple[str, ...]:
        """Every series once, in order: the legend."""
        found = dict.fromkeys(series for panel in self.panels for series in panel.series)
        return (*(name for name in self.order if name in found), *(name for name in found if name not in self.order))

    def renamed(self, name: str) -> Self:
        return replace(self, name=name)
