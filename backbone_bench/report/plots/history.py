"""The plot of histories: how far a quantity of each workload is from its first value, with its change points."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record, matching
from backbone_bench.report.drawing.plot import Axis, Line, Panel, Plot, Point
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import machine
from backbone_bench.report.views.families import STYLES, family
from backbone_bench.report.views.history import Course

_CAPTION = (
    "Straight lines are the levels between change points, relative to the first level. Filled marks are change points, "
    "labelled with their commits; only workloads that have some show their records."
)
_IN_HOURS = timedelta(days=2)  # a history that is shorter has an axis in hours


def draw(courses: Sequence[Course]) -> Plot:
    """Plot histories of at least two values: one panel for each quantity. Raises UserError if there is none."""
    shown = [one for one in courses if len(one.values) > 1 and one.levels[0]]
    if not shown:
        raise UserError("A plot of a history needs two records of one workload on one machine.")
    newest = max(_when(record) for one in shown for record, _ in one.measured)
    oldest = min(_when(record) for one in shown for record, _ in one.measured)
    unit = timedelta(hours=1) if newest - oldest < _IN_HOURS else timedelta(days=1)
    panels = [_panel(metric, group, newest, unit) for metric, group in group_by(shown, lambda one: one.metric).items()]
    return Plot("history", "Histories", _CAPTION, tuple(panels), fixed=STYLES)


def _when(record: Record) -> datetime:
    return datetime.fromisoformat(record.started_utc)


def _panel(metric: str, courses: Iterable[Course], newest: datetime, unit: timedelta) -> Panel:
    lines, points = list[Line](), list[Point]()
    for one in courses:
        record = one.group[0]
        of, name = family(record), f"{matching.subject(record.workload)}\n{machine(record)}"
        when = [(_when(at) - newest) / unit for at, _ in one.measured]
        if one.changes:
            heights = (100 * (value / one.levels[0] - 1) for value in one.values)
            lines.append(Line(tuple(zip(when, heights, strict=True)), of, name))
        lines.append(Line(tuple(_levels(one, when)), of, name, dashed=bool(one.changes)))
        for change in one.changes:
            label = f"{record.workload.model} {one.commit(change)}".rstrip()
            height = 100 * (change.after / one.levels[0] - 1)
            points.append(Point(when[change.start], height, of, label, f"{name}\n{one.sentence(change)}"))
    words = "hours" if unit == timedelta(hours=1) else "days"
    across = Axis(f"{words} before {newest:%Y-%m-%d %H:%M} UTC")
    title = COLUMNS[metric].title
    return Panel(title.capitalize(), across, Axis("change from the first level (%)"), tuple(points), tuple(lines))


def _levels(one: Course, when: Sequence[float]) -> Iterator[tuple[float, float]]:
    """The corners of the levels, in percent of the first one."""
    ends = [0, *(change.start for change in one.changes), len(when)]
    for level, (start, end) in zip(one.levels, pairwise(ends), strict=True):
        height = 100 * (level / one.levels[0] - 1)
        yield when[start], height
        yield when[end - 1], height
