"""The layout of a panel: scales, ticks, and labels that do not overlap.

Lengths are in pixels and y points down. The width of a character is estimated
as 0.6 of the font size, since no font is loaded here.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from backbone_bench.report.drawing.plot import Axis, BarSegment, Panel, Plot
from backbone_bench.report.tables import escape

WIDTH, HEIGHT = 440, 330
NARROW = 300  # the width of each of three panels in one row
TOP, RIGHT, BOTTOM, LEFT = 30, 18, 46, 62
ROW = 26  # the height of one row of bars
TEXT = 11  # the font size
_LONGEST = 26  # characters of a label; the rest is cut


class Scale(NamedTuple):
    """The linear or logarithmic map from values to pixels along one axis."""

    low: float
    high: float
    log: bool
    start: float  # the pixel of `low`
    end: float
    given: tuple[float, ...] = ()  # the ticks, if the axis fixes them

    def at(self, value: float) -> float:
        low, high = (log10(self.low), log10(self.high)) if self.log else (self.low, self.high)
        share = ((log10(value) if self.log else value) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> tuple[float, ...]:
        if self.given:
            return self.given
        if self.log and self.high / self.low > 4:
            return _log_ticks(self.low, self.high)
        return _linear_ticks(self.low, self.high)


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    digits = (1, 2, 5) if high / low < 300 else (1,)
    return tuple(value for decade in decades for digit in digits if low <= (value := digit * 10.0**decade) <= high)


def _linear_ticks(low: float, high: float) -> tuple[float, ...]:
    rough = (high - low) / 6
    unit = 10.0 ** floor(log10(rough))
    step = next(size * unit for size in (1, 2, 5, 10) if size * unit >= rough)
    return tuple(number * step for number in range(ceil(low / step), floor(high / step) + 1))


def tick_text(value: float) -> str:
    """Write a tick with at most six digits, and no exponent below a million: `0.05`, `20`, `1e+06`."""
    return f"{value:.6g}"


class Label(NamedTuple):
    """A text and its position."""

    text: str
    x: float
    y: float  # of its baseline
    anchor: str  # start, middle or end, as in SVG


class Layout(NamedTuple):
    """The size of a panel, its scales and its placed labels: what SVG and PNG draw from."""

    width: float
    height: float
    x: Scale
    y: Scale
    labels: tuple[Label, ...]


def arrange(panel: Panel, width: float = WIDTH) -> Layout:
    """Lay a panel out: scales that include every mark, and the labels that fit without overlap."""
    height = TOP + BOTTOM + ROW * len(panel.rows) if panel.rows else HEIGHT
    left = LEFT if not panel.rows else 16 + text_width(max(map(short, panel.rows), key=len))
    x = _scale(panel.x, _reach(panel, across=True), left, width - RIGHT)
    if panel.rows:
        y = Scale(-0.5, len(panel.rows) - 0.5, False, TOP, height - BOTTOM)
        return Layout(width, height, x, y, ())
    y = _scale(panel.y, _reach(panel, across=False), height - BOTTOM, TOP)
    return Layout(width, height, x, y, _labels(panel, x, y))


class LegendEntry(NamedTuple):
    """One series in a legend: its mark at (`x`, `y`), its name to the right."""

    name: str
    style: int
    x: float
    y: float  # of the baseline


class Legend(NamedTuple):
    """The entries of a legend and the height they need; no entries if there is only one series."""

    entries: tuple[LegendEntry, ...]
    height: float


def legend(styles: Mapping[str, int], width: float) -> Legend:
    """Lay the series out in lines of at most `width`; an empty legend for a single series."""
    if len(styles) < 2:
        return Legend((), 0)
    entries, left, top = [], 16.0, 14.0
    for name, style in ((short(series), style) for series, style in styles.items()):
        needed = 28 + text_width(name)
        if left > 16 and left + needed > width:
            left, top = 16.0, top + 18
        entries.append(LegendEntry(name, style, left, top))
        left += needed
    return Legend(tuple(entries), top + 10)


class PlacedPanel(NamedTuple):
    """A panel of a plot and the position of its top left corner."""

    panel: Panel
    layout: Layout
    left: float
    top: float


class Sheet(NamedTuple):
    """The layout of a whole plot as a file: its panels, and the legend below them."""

    panels: tuple[PlacedPanel, ...]
    width: float
    above: float  # the height of all panels
    legend: Legend

    @property
    def height(self) -> float:
        return self.above + self.legend.height


def sheet(plot: Plot, whole: float | None = None) -> Sheet:
    """Lay a plot out in rows of as many panels as fit the width `whole`.

    Without it in rows of two panels, or one row of three narrow ones: either nearly fits GitHub's page width.
    """
    if whole is None:
        in_row, width = (3, float(NARROW)) if len(plot.panels) == 3 else (min(2, len(plot.panels)), float(WIDTH))
    else:
        in_row = max(1, min(len(plot.panels), int(whole // NARROW)))
        width = whole / in_row
    placed: list[PlacedPanel] = []
    above = 0.0
    for start in range(0, len(plot.panels), in_row):
        row = [(panel, arrange(panel, width)) for panel in plot.panels[start : start + in_row]]
        placed += [PlacedPanel(panel, layout, number * width, above) for number, (panel, layout) in enumerate(row)]
        above += max(layout.height for _, layout in row)
    return Sheet(tuple(placed), in_row * width, above, legend(plot.styles, in_row * width))


def short(text: str) -> str:
    """Cut a label to its greatest length, with control characters made visible."""
    text = escape.visible(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def fits_on(bar: BarSegment, width: float) -> bool:
    """Whether the label of a segment of this width can be written on it."""
    return bool(bar.label) and text_width(bar.label) + 4 <= width


def text_width(text: str, size: float = TEXT) -> float:
    return 0.6 * size * len(text)


def _reach(panel: Panel, *, across: bool) -> list[float]:
    """Every value that one axis must include."""
    values = [point.x if across else point.y for point in panel.points]
    values += [pair[0 if across else 1] for line in panel.lines for pair in line.points]
    if across:
        return values + [end for bar in panel.bars for end in (bar.start, bar.end)]
    return values + [end for point in panel.points for end in point.spread or ()]


def _scale(axis: Axis, values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values, default=0.0), max(values, default=1.0)
    if axis.log and low > 0:
        factor = max((high / low) ** 0.08, 1.1)
        return Scale(low / factor, high * factor, True, start, end, axis.ticks)
    low = min(0.0, low) if axis.from_zero else low
    margin = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
    return Scale(low if axis.from_zero else low - margin, high + margin, False, start, end)


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "_Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


# Label positions relative to the mark, in order of preference: right, left, above, below, and the four corners.
_OFFSETS = (
    (7, 4, "start"), (-7, 4, "end"), (0, -8, "middle"), (0, 16, "middle"),
    (6, -6, "start"), (-6, -6, "end"), (6, 14, "start"), (-6, 14, "end"),
)  # fmt: skip


def _labels(panel: Panel, x: Scale, y: Scale) -> tuple[Label, ...]:
    """Place labels greedily, in the order of the points; a label that would overlap a mark or a label is left out."""
    marks = [(x.at(point.x), y.at(point.y)) for point in panel.points]
    taken = [_Box(px - 5, py - 5, px + 5, py + 5) for px, py in marks]
    frame = _Box(x.start + 2, TOP, x.end + RIGHT - 2, y.start - 2)
    placed = []
    for point, (px, py) in zip(panel.points, marks, strict=True):
        for label in _candidates(short(point.label), px, py) if point.label else ():
            box = _box(label)
            if _inside(box, frame) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                placed.append(label)
                break
    return tuple(placed)


def _candidates(text: str, px: float, py: float) -> Iterable[Label]:
    return (Label(text, px + dx, py + dy, anchor) for dx, dy, anchor in _OFFSETS)


def _box(label: Label) -> _Box:
    width = text_width(label.text)
    left = label.x - {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
    return _Box(left, label.y - TEXT + 2, left + width, label.y + 3)


def _inside(box: _Box, frame: _Box) -> bool:
    return box.left >= frame.left and box.right <= frame.right and box.top >= frame.top and box.bottom <= frame.bottom
