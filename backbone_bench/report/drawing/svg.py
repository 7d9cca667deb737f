"""SVG plots: inline in the HTML page, and as files that are legible in light and in dark mode.

The `<title>` of a mark is its tooltip. All text from a record is escaped.
"""

from collections.abc import Iterable, Iterator, Mapping
from html import escape as html

from backbone_bench.report.drawing.layout import (
    BOTTOM,
    ROW,
    TOP,
    WIDTH,
    Layout,
    LegendEntry,
    arrange,
    fits_on,
    legend,
    sheet,
    short,
    tick_text,
)
from backbone_bench.report.drawing.plot import BarSegment, Line, Panel, Plot, Point
from backbone_bench.report.tables import escape

# Six colours that colour-blind people can tell apart (after Okabe and Ito): darker for a white background, lighter for
# a black one, each with a contrast of at least 3:1. Style n has colour n mod 6 and shape n mod 5: thirty pairs, and two
# series of one colour have different shapes.
LIGHT = ("#0072b2", "#c04f00", "#007f5f", "#a64d84", "#7d6000", "#555f6b")
DARK = ("#56b4e9", "#ff9455", "#2fc79a", "#e59ac9", "#e6c84b", "#b3bcc7")
SHAPES = ("circle", "square", "triangle", "diamond", "cross")
INK = {"light": ("#1b1f24", "#57606a", "#d5d9de", "#ffffff"), "dark": ("#e8eaed", "#a8b0b9", "#3a4149", "#14171a")}
HOVER = {"light": "#eef1f4", "dark": "#23282d"}
_NAMES = ("ink", "soft", "rule", "ground")

MARKS = """
.plot text{font:11px system-ui,sans-serif;fill:var(--ink)}
.plot .soft{fill:var(--soft)}
.plot .title{font-weight:600;font-size:12px}
.plot .rule{stroke:var(--rule);stroke-width:1}
.plot .line{fill:none;stroke:var(--soft);stroke-width:1.5}
.plot .dashed{stroke-dasharray:5 4}
.plot .spread{stroke-width:1.2;opacity:.6}
.plot .label{paint-order:stroke;stroke:var(--ground);stroke-width:3px;stroke-linejoin:round}
.plot rect.mark{stroke:var(--ground)}
.plot .on{fill:var(--ground);pointer-events:none}
"""


def variables(theme: str) -> str:
    """The colours of one theme as CSS custom properties."""
    colours = LIGHT if theme == "light" else DARK
    pairs = [*zip(_NAMES, INK[theme], strict=True), *((f"s{n}", colour) for n, colour in enumerate(colours))]
    return "".join(f"--{name}:{value};" for name, value in pairs)


def style() -> str:
    """The CSS rules of every mark; the colours come from `variables`."""
    series = "".join(
        f".plot .s{n}{{fill:var(--s{n});stroke:var(--s{n})}}.plot .line.s{n}{{fill:none;stroke:var(--s{n})}}"
        f".plot .hollow.s{n}{{fill:var(--ground)}}"
        for n in range(len(LIGHT))
    )
    return series + MARKS


def file(plot: Plot) -> str:
    """Draw a plot as an SVG file: the panels, the legend below, in light or dark mode as the viewer prefers."""
    drawn = sheet(plot)
    size = f'width="{drawn.width:g}" height="{drawn.height:g}"'
    parts = [
        f'<g transform="translate({left:g} {top:g})">{_panel(panel, layout, plot.styles)}</g>'
        for panel, layout, left, top in drawn.panels
    ]
    parts.append(f'<g transform="translate(0 {drawn.above:g})">{_key(drawn.legend.entries)}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" {size} viewBox="0 0 {drawn.width:g} {drawn.height:g}" '
        f'role="img" aria-label="{_text(plot.title)}">'
        f"<style>:root{{{variables('light')}}}@media(prefers-color-scheme:dark){{:root{{{variables('dark')}}}}}"
        f'{style()}</style><rect {size} fill="var(--ground)"/>{"".join(parts)}</svg>\n'
    )


def inline(panel: Panel, styles: Mapping[str, int]) -> str:
    """Draw one panel as an inline SVG for the HTML page."""
    layout = arrange(panel)
    return (
        f'<svg class="plot" viewBox="0 0 {layout.width:g} {layout.height:g}" tabindex="0" role="group" '
        f'aria-label="{_text(panel.title)}">{_panel(panel, layout, styles)}</svg>'
    )


def key(styles: Mapping[str, int]) -> str:
    """Draw the legend for the HTML page; an empty string for a single series."""
    entries, height = legend(styles, WIDTH)
    if not entries:
        return ""
    return f'<svg class="plot key" viewBox="0 0 {WIDTH} {height:g}" aria-hidden="true">{_key(entries)}</svg>'


def _key(entries: Iterable[LegendEntry]) -> str:
    return "".join(_mark(e.x, e.y - 4, e.style, "") + _write(e.x + 10, e.y, e.name) for e in entries)


def _panel(panel: Panel, layout: Layout, styles: Mapping[str, int]) -> str:
    parts = [*_axes(panel, layout)]
    parts += [_bar(bar, layout, styles) for bar in panel.bars]
    parts += [_line(line, layout, styles) for line in panel.lines]
    parts += [_point(point, layout, styles) for point in panel.points]
    parts += [_write(label.x, label.y, label.text, anchor=label.anchor, kind="label") for label in layout.labels]
    return "".join(parts)


def _axes(panel: Panel, layout: Layout) -> Iterator[str]:
    bottom, left, right = layout.height - BOTTOM, layout.x.start, layout.x.end
    yield _write(left, TOP - 12, panel.title, kind="title")
    for tick in layout.x.ticks:
        at = layout.x.at(tick)
        yield f'<path class="rule" d="M{at:.1f} {TOP}V{bottom:g}"/>'
        yield _write(at, bottom + 15, tick_text(tick), anchor="middle", kind="soft")
    yield _write((left + right) / 2, bottom + 34, panel.x.title, anchor="middle")
    if panel.rows:
        for number, name in enumerate(panel.rows):
            yield _write(left - 8, layout.y.at(number) + 4, short(name), anchor="end")
        return
    for tick in layout.y.ticks:
        at = layout.y.at(tick)
        yield f'<path class="rule" d="M{left:g} {at:.1f}H{right:g}"/>'
        yield _write(left - 6, at + 4, tick_text(tick), anchor="end", kind="soft")
    middle = (TOP + bottom) / 2
    yield (
        f'<text x="14" y="{middle:g}" text-anchor="middle" transform="rotate(-90 14 {middle:g})">'
        f"{_text(panel.y.title)}</text>"
    )


def _write(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    css_class = f' class="{kind}"' if kind else ""
    anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{css_class} x="{x:.1f}" y="{y:.1f}"{anchored}>{_text(text)}</text>'


def _point(point: Point, layout: Layout, styles: Mapping[str, int]) -> str:
    x, y, style = layout.x.at(point.x), layout.y.at(point.y), styles[point.series]
    mark = _mark(x, y, style, point.detail, hollow=point.hollow)
    if point.spread is None:
        return mark
    low, high = (layout.y.at(end) for end in point.spread)
    return f'<path class="spread s{style % len(LIGHT)}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>{mark}'


def _mark(x: float, y: float, style: int, detail: str, *, hollow: bool = False) -> str:
    path = _OUTLINES[SHAPES[style % len(SHAPES)]]
    kind = f"mark s{style % len(LIGHT)}{' hollow' if hollow else ''}"
    return f'<path class="{kind}" transform="translate({x:.1f} {y:.1f})" d="{path}">{_title(detail)}</path>'


_OUTLINES = {
    "circle": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "square": "M-4-4h8v8h-8z",
    "triangle": "M0-5l5 9h-10z",
    "diamond": "M0-5l5 5l-5 5l-5-5z",
    "cross": "M-5-2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
}


def _line(line: Line, layout: Layout, styles: Mapping[str, int]) -> str:
    path = "L".join(f"{layout.x.at(x):.1f} {layout.y.at(y):.1f}" for x, y in line.points)
    colour = f" s{styles[line.series] % len(LIGHT)}" if line.series else ""
    return f'<path class="line{colour}{" dashed" if line.dashed else ""}" d="M{path}">{_title(line.detail)}</path>'


def _bar(bar: BarSegment, layout: Layout, styles: Mapping[str, int]) -> str:
    start, end, middle = layout.x.at(bar.start), layout.x.at(bar.end), layout.y.at(bar.row)
    half = ROW * (0.08 if bar.thin else 0.32)
    drawn = (
        f'<rect class="mark s{styles[bar.series] % len(LIGHT)}" x="{start:.1f}" y="{middle - half:.1f}" '
        f'width="{end - start:.1f}" height="{2 * half:g}">{_title(bar.detail)}</rect>'
    )
    if not fits_on(bar, end - start):
        return drawn
    return drawn + _write((start + end) / 2, middle + 4, bar.label, anchor="middle", kind="on")


def _title(detail: str) -> str:
    return f"<title>{_text(detail)}</title>" if detail else ""


def _text(text: str) -> str:
    return html("\n".join(escape.visible(line) for line in text.split("\n")))
