"""Export records for trackers that keep their own history: github-action-benchmark and Bencher."""

import json
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

from backbone_bench.base.choices import Tracker
from backbone_bench.gate import measured
from backbone_bench.records import Missing, Record, known, matching
from backbone_bench.records.quantities import EXACT, MEASURED, QUANTITIES


class TrackerPoint(NamedTuple):
    """One quantity of one workload: median, minimum and maximum over its processes."""

    subject: str
    metric: str
    value: float
    low: float
    high: float


def export(records: Sequence[Record], tracker: Tracker) -> str:
    """The JSON that the tracker reads."""
    points = list(_points(records))
    document = _for_github(points) if tracker == "github-action-benchmark" else _for_bencher(points)
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _points(records: Sequence[Record]) -> Iterator[TrackerPoint]:
    for same_cost in matching.by_cost(records).values():
        subject, cost = matching.subject_on_paper(same_cost[0].workload), same_cost[0].cost
        if not isinstance(cost, Missing):
            yield from (TrackerPoint(subject, one.key, *(float(known(one.of(same_cost[0]))),) * 3) for one in EXACT)
    for group in matching.by_workload(records).values():
        subject = matching.subject(group[0].workload)
        for metric in MEASURED:
            found = [value for record in group if not isinstance(value := measured.value(record, metric), Missing)]
            if found:
                yield TrackerPoint(subject, metric.key, median(found), min(found), max(found))


def _for_github(points: Sequence[TrackerPoint]) -> list[dict[str, Any]]:
    """The `customSmallerIsBetter` format of github-action-benchmark."""
    rows = []
    for point in points:
        unit, title = QUANTITIES[point.metric].unit, QUANTITIES[point.metric].title
        row = {"name": f"{point.subject}: {title}", "unit": unit.name or title}
        spread = {"range": f"± {unit.per_base * (point.high - point.low) / 2:.4g}"} if point.high > point.low else {}
        rows.append({**row, "value": point.value * unit.per_base, **spread})
    return rows


def _for_bencher(points: Sequence[TrackerPoint]) -> dict[str, dict[str, dict[str, float]]]:
    """Bencher Metric Format: workload, measure, value; in base units, since the measure's name has its unit."""
    document: dict[str, dict[str, dict[str, float]]] = {}
    for point in points:
        metric = {"value": point.value, "lower_value": point.low, "upper_value": point.high}
        document.setdefault(point.subject, {})[point.metric.replace("_", "-")] = metric
    return document
