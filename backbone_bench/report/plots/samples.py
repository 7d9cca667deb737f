"""Pictures of the samples themselves: how they are spread, and how they came one after another."""

from collections.abc import Iterator, Sequence

from backbone_bench.records import Latencies, Latency, Missing, Record
from backbone_bench.report.drawing.plot import Axis, BarSegment, Line, Panel, Plot, Point

SERIES = ("samples", "first calls", "outliers")  # of a trace
MOST_ROWS = 30
MOST_SAMPLES = 240  # of a trace; a page is no archive, the record has them all


def known(record: Record) -> Iterator[tuple[str, Latency]]:
    """The latencies that were measured, by mode."""
    if isinstance(record.latency, Latencies):
        for mode in ("wall", "device", "graph"):
            latency: Latency | Missing = getattr(record.latency, mode)
            if not isinstance(latency, Missing):
                yield mode, latency


def spread(records: Sequence[Record], caption: str) -> Plot | None:
    """How far samples lie from their median, a row a record; a panel for each mode."""
    modes: dict[str, list[tuple[str, Latency]]] = {}
    for record in records:
        for mode, latency in known(record):
            modes.setdefault(mode, []).append((record.workload.model, latency))
    panels = tuple(_boxes(mode, rows) for mode, rows in modes.items() if len(rows) > 1)
    return Plot("spread", "How latencies are spread", caption, panels) if panels else None


def _boxes(mode: str, rows: Sequence[tuple[str, Latency]]) -> Panel:
    bars = []
    shown = sorted(rows, key=lambda row: -row[1].iqr_s / (row[1].median_s or 1))[:MOST_ROWS]
    for row, (model, latency) in enumerate(shown):
        middle = latency.median_s or 1.0
        aside = [100 * (sample / middle - 1) for sample in latency.samples_s]
        told = f"{model}\nmedian {middle * 1e3:.4g} ms, n = {latency.n}\nfrom {min(aside):+.2g} to {max(aside):+.2g} %"
        low, first, third, high = (_quantile(aside, share) for share in (0.05, 0.25, 0.75, 0.95))
        bars.append(BarSegment(row, low, high, "nine tenths of the samples", told, thin=True))
        bars.append(BarSegment(row, first, third, "the middle half", told))
    names = tuple(model for model, _ in shown)
    title = f"{mode} latency, the least steady first" + (
        f" ({MOST_ROWS} of {len(rows)})" if len(rows) > MOST_ROWS else ""
    )
    return Panel(title, Axis("from the median (%)"), Axis(""), bars=tuple(bars), rows=names)


def _quantile(values: Sequence[float], share: float) -> float:
    """The sample below which this share of all lies."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def trace(record: Record) -> tuple[Panel, ...]:
    """The samples in order, a panel a mode: first calls, outliers, the median with its interval."""
    return tuple(_trace(mode, latency) for mode, latency in known(record))


def _trace(mode: str, latency: Latency) -> Panel:
    samples_ms = [sample * 1e3 for sample in latency.samples_s]
    first_ms = [call * 1e3 for call in latency.first_calls_s]
    middle_ms = latency.median_s * 1e3
    numbered = list(enumerate(samples_ms, start=1))
    outliers = [numbered[place] for place in latency.outliers][:MOST_SAMPLES]
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
            told = f"median {middle_ms:.4g} ms, 95 % interval {low:.4g} to {high:.4g} ms"
            lines.append(Line(((1, y), (latency.n, y)), detail=told, dashed=True))
    far = max((*first_ms, *samples_ms)) > 3 * middle_ms
    title = f"{mode}: {latency.status}, {latency.warmup.status.replace('_', ' ')}"
    axis = Axis(f"{mode} (ms)", log=far and min((*first_ms, *samples_ms)) > 0)
    return Panel(title, Axis("sample; first calls before it"), axis, points, tuple(lines))


def _thinned(samples: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Every k-th sample, so that at most `MOST_SAMPLES` are left, and the last."""
    step = -(-len(samples) // MOST_SAMPLES)
    return [(float(x), y) for x, y in dict.fromkeys((*samples[::step], samples[-1]))]
