"""`docs/predict.svg`: what the predicted time of a few networks is made of, beside what was measured."""

from collections.abc import Iterator, Sequence

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.predictor import Prediction, choose, predict
from backbone_bench.predictor.counts import TERMS
from backbone_bench.records import Missing
from backbone_bench.report.drawing import svg
from backbone_bench.report.drawing.plot import Axis, BarSegment, Panel, Plot, Point

NETWORKS = ("resnext50_32x4d", "resnet50", "vgg19", "vovnet39", "densenet121")
BATCHES = (1, 32)
MEASURED = "measured"
CAPTION = "NVIDIA H200, IEEE fp32, 224 pixels: predicted device work of a call, by what it is spent on."


def picture() -> str:
    """The figure as SVG."""
    return svg.file(plot())


def plot() -> Plot:
    """A panel for each batch, one bar a network."""
    panels = tuple(_panel(batch) for batch in BATCHES)
    order = (*(term.title for term in TERMS), MEASURED)
    return Plot("terms", "What the time of a call is made of", CAPTION, panels, order=order)


def _panel(batch: int) -> Panel:
    found = [predict(profiler.count(Job(name, {}, input_size=224, batch=batch)), choose("h200")) for name in NETWORKS]
    return Panel(
        f"Batch {batch}",
        Axis("ms a call", from_zero=True),
        Axis(""),
        points=tuple(_marks(found)),
        bars=tuple(bar for row, one in enumerate(found) for bar in _stack(row, one)),
        rows=NETWORKS,
    )


def _stack(row: int, one: Prediction) -> Iterator[BarSegment]:
    start = 0.0
    for title, part_s in one.terms_s.items():
        end = start + 1e3 * part_s
        yield BarSegment(row, start, end, title, f"{one.model}\n{title}: {1e3 * part_s:.3g} ms")
        start = end


def _marks(found: Sequence[Prediction]) -> Iterator[Point]:
    """What was measured, as a mark in each row."""
    for row, one in enumerate(found):
        if not isinstance(one.measured, Missing):
            measured_ms = 1e3 * one.measured.time_s
            yield Point(measured_ms, row, MEASURED, detail=f"{one.model}\nmeasured: {measured_ms:.3g} ms")
