"""`docs/record.svg`: the way of a record from the words of a command to a table, as boxes and arrows."""

from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 890, 750
LINE = 17  # pixels from line to line


class Box(NamedTuple):
    """A room and what happens in it."""

    room: str
    x: int
    y: int
    width: int
    lines: tuple[str, ...]

    @property
    def height(self) -> int:
        return 34 + LINE * len(self.lines)


BOXES = (
    Box("cli/", 40, 20, 360, ("bench run vovnet39 --device cuda -o today.jsonl",)),
    Box("jobs/", 40, 110, 360, ("Settings and the origin of each, then a Job a row",)),
    Box("run/", 40, 200, 360, ("one fresh worker process for each Job",)),
    Box("profiler/", 510, 200, 340, ("one Job becomes one Record, part by part",)),
    Box("zoo/", 510, 285, 150, ("model and inputs",)),
    Box("cost/", 700, 285, 150, ("counts, on meta",)),
    Box("measure/", 510, 370, 340, ("latency, memory, energy; the device watched",)),
    Box("records/", 40, 470, 810, (
        "Record: workload, environment, cost, latency, memory, energy; what is Missing has a reason.",
        "The store appends a finished row to today.jsonl at once.",
    )),
    Box("report/views/", 40, 575, 190, ("columns, conditions", "→ tables")),
    Box("versus/", 245, 575, 140, ("pairs → ratio", "and verdict")),
    Box("claims/", 400, 575, 140, ("evidence →", "verdicts")),
    Box("gate/", 555, 575, 140, ("base and head →", "findings")),
    Box("pages/", 710, 575, 140, ("HTML page,", "folder")),
    Box("report/tables/", 40, 680, 810, (
        "Answer → FORMATS → table, Markdown, CSV, JSON, JSON Lines, HTML, JUnit → stdout and files",
    )),
)  # fmt: skip
PROCESS = (490, 165, 380, 275, "the worker process: torch is loaded here")

# From x, y to x, y; and what travels, written at x, y.
ARROWS = (
    ((220, 71, 220, 110), "words", (228, 95)),
    ((220, 161, 220, 200), "Job", (228, 185)),
    ((400, 215, 510, 215), "request", (410, 208)),
    ((510, 240, 400, 240), "messages", (410, 257)),
    ((585, 251, 585, 285), "", (0, 0)),
    ((775, 251, 775, 285), "", (0, 0)),
    ((680, 251, 680, 370), "", (0, 0)),
    ((220, 251, 220, 470), "Record", (228, 365)),
    *(((x, 538, x, 575), "", (0, 0)) for x in (135, 315, 470, 625, 780)),
    *(((x, 643, x, 680), "", (0, 0)) for x in (135, 315, 470, 625, 780)),
)

_STYLE = """
svg{font-family:system-ui,sans-serif;font-size:13px;background:#fff}
.box{fill:#f4f6f8;stroke:#5b6b7a}.process{fill:none;stroke:#5b6b7a;stroke-dasharray:5 4}
.room{font-weight:600;fill:#0b3d66}.line{fill:#1f2933}.note{fill:#52606d;font-size:12px}
.arrow{stroke:#5b6b7a;stroke-width:1.4;fill:none;marker-end:url(#head)}
"""


def picture() -> str:
    """The whole picture as SVG."""
    title = "The way of a record from words to a table"
    head = '<marker id="head" markerWidth="9" markerHeight="9" refX="7" refY="4" orient="auto">'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
        f"<title>{title}</title><style>{_STYLE}</style>",
        f'<defs>{head}<path d="M0 0L8 4L0 8z" fill="#5b6b7a"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_process(),
        *(line for arrow in ARROWS for line in _arrow(*arrow)),
        *(line for box in BOXES for line in _box(box)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _process() -> Iterator[str]:
    x, y, width, height, note = PROCESS
    yield f'<rect class="process" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    yield _text(x + 12, y + 20, note, "note")


def _arrow(ends: tuple[int, int, int, int], what: str, at: tuple[int, int]) -> Iterator[str]:
    x1, y1, x2, y2 = ends
    yield f'<path class="arrow" d="M{x1} {y1}L{x2} {y2}"/>'
    if what:
        yield _text(*at, what, "note")


def _box(box: Box) -> Iterator[str]:
    yield f'<rect class="box" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="5"/>'
    yield _text(box.x + 10, box.y + 20, box.room, "room")
    for number, line in enumerate(box.lines, start=1):
        yield _text(box.x + 10, box.y + 20 + LINE * number, line, "line")


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'
