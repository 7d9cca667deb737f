"""Plots of latency samples: their spread, and their trace in the order of measurement."""

from collections.abc import Sequence

from backbone_bench.records import Latency, Missing, Record
from backbone_bench.records.grade import latencies, warm_up_of
from backbone_bench.report.drawing.plot import Axis, BarSegment, Line, Panel, Plot, Point
from backbone_bench.report.plots.alike import Alike

SERIES = ("samples", "first calls", "outliers")  # of a trace
MAX_ROWS = 30
MAX_SAMPLES = 240  # of a trace, to keep the page small; the record has them all


def spread(groups: Sequence[Alike], caption: str) -> Plot | None:
    """Plot how far samples lie from their median: one panel per conditions and mode, one row per record."""
    modes: dict[str, list[tuple[str, Latency]]] = {}
    for group in groups:
        for record in group.records:
            for mode, latency in latencies(record):
                title = ", ".join(filter(None, (group.about, f"{mode} latency")))
                modes.setdefault(title, []).append((record.workload.model, latency))
    panels = tuple(_boxes(title, rows) for title, rows in modes.items() if len(rows) > 1)
    return Plot("spread", "Spread of latency samples", caption, panels) if panels else None


def _boxes(about: str, rows: Sequence[tuple[str, Latency]]) -> Panel:
    bars = []
    shown = sorted(rows, key=lambda row: -row[1].iqr_s / (row[1].median_s or 1))[:MAX_ROWS]
    for row, (model, latency) in enumerate(shown):
        median_s = latency.median_s or 1.0
        off = [100 * (sample / median_s - 1) for sample in latency.samples_s]
        detail = f"{model}\nmedian {median_s * 1e3:.4g} ms, n = {latency.n}\nfrom {min(off):+.2g} to {max(off):+.2g} %"
        low, first, third, high = (_quantile(off, share) for share in (0.05, 0.25, 0.75, 0.95))
        bars.append(BarSegment(row, low, high, "5th to 95th percentile", detail, thin=True))
        bars.append(BarSegment(row, first, third, "25th to 75th percentile", detail))
    names = tuple(model for model, _ in shown)
    cut = f" ({MAX_ROWS} of {len(rows)})" if len(rows) > MAX_ROWS else ""
    title = f"{about}, largest spread first{cut}"
    return Panel(title, Axis("difference from the median (%)"), Axis(""), bars=tuple(bars), rows=names)


def _quantile(values: Sequence[float], share: float) -> float:
    """The sample below which this share of all samples lies."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def trace(record: Record) -> tuple[Panel, ...]:
    """Draw the samples in order, one panel per mode: first calls, outliers, the median's 95 % confidence interval."""
    return tuple(_trace(mode, latency) for mode, latency in latencies(record))


def _trace(mode: str, latency: Latency) -> Panel:
    samples_ms = [sample * 1e3 for sample in latency.samples_s]
    first_ms = [call * 1e3 for call in latency.first_calls_s]
    median_ms = latency.median_s * 1e3
    numbered = list(enumerate(samples_ms, start=1))
    outliers = [numbered[place] for place in latency.outliers][:MAX_SAMPLES]
    first = [(float(place - len(first_ms)), call) for place, call in enumerate(first_ms)]
    points = (
        *(
            Point(x, y, "first calls", detail=f"call {x + len(first_ms) + 1:g}: {y:.4g} ms", hollow=True)
            for x, y in first
        ),
        *(Point(x, y, "outliers", detail=f"sample {x}: {y:.4g} ms") for x, y in outliers),
    )
    lines = [Line(tuple(_thinned(numbered)), "samples", f"{latency.n} samples")]
    if not isinstance(latency.ci95_s, Missing):
        low, high = (end * 1e3 for end in latency.ci95_s)
        for y in (low, high):
            detail = f"median {median_ms:.4g} ms, 95 % confidence interval {low:.4g} to {high:.4g} ms"
            lines.append(Line(((1, y), (latency.n, y)), detail=detail, dashed=True))
    wide = max((*first_ms, *samples_ms)) > 3 * median_ms
    title = f"{mode} latency; warm-up: {warm_up_of(latency).replace('_', ' ')}"
    axis = Axis(f"{mode} latency (ms)", log=wide and min((*first_ms, *samples_ms)) > 0)
    return Panel(title, Axis("sample number (below 0: first calls)"), axis, points, tuple(lines))


def _thinned(samples: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Every k-th sample, at most `MAX_SAMPLES`, and the last one."""
    step = -(-len(samples) // MAX_SAMPLES)
    return [(float(x), y) for x, y in dict.fromkeys((*samples[::step], samples[-1]))]
