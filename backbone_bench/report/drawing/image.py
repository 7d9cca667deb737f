"""PNG and PDF plots for papers and slides: the same drawing as `svg.py`, by matplotlib (the extra `plot`).

matplotlib draws on one pair of axes that covers the whole image, in the pixels
of `layout.py`, so that all forms look the same. At its natural size a hundred of these
pixels are an inch, and the text has 8 points.
"""

from importlib.util import find_spec
from io import BytesIO
from typing import Any, Literal

from backbone_bench.base.errors import UserError
from backbone_bench.report.drawing.layout import BOTTOM, ROW, TOP, Layout, fits_on, sheet, short, tick_text
from backbone_bench.report.drawing.plot import BarSegment, Line, Panel, Plot, Point
from backbone_bench.report.drawing.svg import INK, LIGHT, SHAPES
from backbone_bench.report.tables import escape

MISSING = "PNG and PDF plots need matplotlib: pip install 'backbone-bench[plot]'."

ImageForm = Literal["png", "pdf"]
_SHARPNESS = 2  # pixels of the image per pixel of the layout
_DPI = 100
_INCH_MM = 25.4
_POINT = 72 / _DPI  # points per pixel: matplotlib takes sizes in points
_MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "P"}
_INK, _SOFT, _RULE, _GROUND = INK["light"]


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(plot: Plot, form: ImageForm = "png", width_mm: float | None = None) -> bytes:
    """Draw a plot as the bytes of a file, as wide as asked. Raises UserError if matplotlib is not installed."""
    if not available():
        raise UserError(MISSING)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = sheet(plot, None if width_mm is None else width_mm / _INCH_MM * _DPI)
    size = drawn.width / _DPI, drawn.height / _DPI
    figure = Figure(figsize=size, dpi=_DPI, facecolor=_GROUND)
    FigureCanvasAgg(figure)  # it draws without a display; savefig takes the canvas of a PDF itself
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, drawn.width), ylim=(drawn.height, 0))
    axes.axis("off")
    pen = _Pen(axes, plot.styles)
    for placed in drawn.panels:
        pen.left, pen.top = placed.left, placed.top
        pen.panel(placed.panel, placed.layout)
    pen.left, pen.top = 0, drawn.above
    for entry in drawn.legend.entries:
        pen.mark(entry.x, entry.y - 4, entry.style)
        pen.text(entry.x + 10, entry.y, entry.name)
    file = BytesIO()
    undated = {"CreationDate": None} if form == "pdf" else {}  # the same plot is the same file
    figure.savefig(file, format=form, dpi=_SHARPNESS * _DPI, metadata=undated)
    return file.getvalue()


class _Pen:
    """Draws in pixels relative to the corner (`left`, `top`) of the current panel."""

    def __init__(self, axes: Any, styles: dict[str, int]) -> None:
        self.axes, self.styles, self.left, self.top = axes, styles, 0.0, 0.0

    def panel(self, panel: Panel, layout: Layout) -> None:
        self._axes(panel, layout)
        for bar in panel.bars:
            self._bar(bar, layout)
        for line in panel.lines:
            self._line(line, layout)
        for point in panel.points:
            self._point(point, layout)
        for label in layout.labels:
            self.text(label.x, label.y, label.text, anchor=label.anchor)

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", **style: Any) -> None:
        """Draw plain text; matplotlib must not read a dollar sign as the start of a formula."""
        side = {"start": "left", "middle": "center", "end": "right"}[anchor]
        style = {"color": _INK, "ha": side, "va": "baseline", "fontsize": 11 * _POINT, "parse_math": False, **style}
        self.axes.text(self.left + x, self.top + y, escape.visible(text), **style)

    def mark(self, x: float, y: float, style: int, *, hollow: bool = False) -> None:
        marker, colour = _MARKERS[SHAPES[style % len(SHAPES)]], LIGHT[style % len(LIGHT)]
        size = 8 * _POINT
        fill = _GROUND if hollow else colour
        self.axes.plot([self.left + x], [self.top + y], marker, color=fill, markersize=size, markeredgecolor=colour)

    def _axes(self, panel: Panel, layout: Layout) -> None:
        bottom, left, right = layout.height - BOTTOM, layout.x.start, layout.x.end
        self.text(left, TOP - 12, panel.title, fontweight="bold", fontsize=12 * _POINT)
        for tick in layout.x.ticks:
            at = layout.x.at(tick)
            self._stroke([at, at], [TOP, bottom], _RULE)
            self.text(at, bottom + 15, tick_text(tick), anchor="middle", color=_SOFT)
        self.text((left + right) / 2, bottom + 34, panel.x.title, anchor="middle")
        for number, name in enumerate(panel.rows):
            self.text(left - 8, layout.y.at(number) + 4, short(name), anchor="end")
        for tick in () if panel.rows else layout.y.ticks:
            at = layout.y.at(tick)
            self._stroke([left, right], [at, at], _RULE)
            self.text(left - 6, at + 4, tick_text(tick), anchor="end", color=_SOFT)
        self.text(14, (TOP + bottom) / 2, panel.y.title, anchor="middle", rotation=90, va="center")

    def _stroke(self, x: list[float], y: list[float], colour: str, **style: Any) -> None:
        style = {"linewidth": _POINT, "zorder": 1, **style}
        across, down = [self.left + value for value in x], [self.top + value for value in y]
        self.axes.plot(across, down, color=colour, **style)

    def _colour(self, series: str) -> str:
        return LIGHT[self.styles[series] % len(LIGHT)] if series else _SOFT

    def _bar(self, bar: BarSegment, layout: Layout) -> None:
        start, end = self.left + layout.x.at(bar.start), self.left + layout.x.at(bar.end)
        height = ROW * (0.16 if bar.thin else 0.64)
        style = {"color": self._colour(bar.series), "edgecolor": _GROUND, "linewidth": _POINT, "zorder": 2}
        self.axes.barh(self.top + layout.y.at(bar.row), end - start, height, start, **style)
        if fits_on(bar, end - start):
            middle = (layout.x.at(bar.start) + layout.x.at(bar.end)) / 2
            self.text(middle, layout.y.at(bar.row) + 4, bar.label, anchor="middle", color=_GROUND)

    def _line(self, line: Line, layout: Layout) -> None:
        x, y = ([scale.at(pair[side]) for pair in line.points] for side, scale in enumerate((layout.x, layout.y)))
        dashes = {"dashes": (5, 4)} if line.dashed else {}
        self._stroke(x, y, self._colour(line.series), linewidth=1.5 * _POINT, **dashes)

    def _point(self, point: Point, layout: Layout) -> None:
        x = layout.x.at(point.x)
        if point.spread is not None:
            self._stroke([x, x], [layout.y.at(end) for end in point.spread], self._colour(point.series), alpha=0.6)
        self.mark(x, layout.y.at(point.y), self.styles[point.series], hollow=point.hollow)
