"""Generator of `results/predictions.md`: what networks take on an H200 that nobody has measured there.

The predictions were written down before any of these networks ran on that card, so that a later measurement is a blind
test: `make gpu-results` measures them on the card at hand, and the page then shows both.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from backbone_bench import profiler
from backbone_bench.base.units import MILLIJOULES, MILLISECONDS, PERCENT, PLAIN, percent
from backbone_bench.jobs.job import Job
from backbone_bench.predictor import Predicted, Prediction, choose, predict
from backbone_bench.records import Known, Missing
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import CellValue, Column, tabulate, without_empty
from tools.gpu_page import AT_HAND, CardPage

# Of every family that the calibration knows, and of none that it knows: what it says of each lies inside its range.
NETWORKS = (
    "resnet18", "resnet101_v1", "resnetv2_101", "resnext101_32x4d", "resnext101_32x8d", "vgg11", "vgg16", "vgg19_bn",
    "densenet169", "densenet264", "cspdensenet121", "darknet19", "darknet_resnet50", "googlenet", "vovnetv2_19",
    "vovnetv2_99",
)  # fmt: skip
BATCHES = (1, 32)
PAGE = "results/predictions.md"

INTRODUCTION = """# Predicted before anybody measured

What `bench predict` says of networks of the zoo that are in no record of an NVIDIA H200: IEEE fp32, contiguous, eager,
224 pixels (256 for those whose paper has that), one call in a row. The band is the 90 % band of
[predict](../docs/predict.md). These numbers were committed before any of these networks ran on such a card, so that
measuring them is a blind test: `make gpu-results` does so (`python -m tools.gpu_results --only predicted` these alone,
in two minutes), and this page then shows what was measured beside what was predicted.
"""


class Compared(NamedTuple):
    """A prediction that has been measured since."""

    error: float
    inside: bool  # of the band


def files() -> dict[str, Callable[[], str]]:
    """The page."""
    return {PAGE: page}


def page() -> str:
    """The text of the page, with what the card at hand measured, if it did."""
    found = predictions(AT_HAND)
    return "\n".join(filter(None, (INTRODUCTION, verdict(found), *(_table(found, batch) for batch in BATCHES))))


@cache
def predictions(card: CardPage) -> tuple[Prediction, ...]:
    """The prediction of each network at each batch, beside the records of a card."""
    chosen = choose("h200")
    return tuple(
        predict(profiler.count(Job(name, {}, batch=batch)), chosen, records=card.records)
        for batch in BATCHES
        for name in NETWORKS
    )


def verdict(found: Sequence[Prediction]) -> str:
    """How the blind test ended, in a sentence for each batch; empty before it was made."""
    sentences = []
    for batch in BATCHES:
        results = list(compared(one for one in found if one.batch == batch))
        if results:
            mean = sum(abs(one.error) for one in results) / len(results)
            worst = max((one.error for one in results), key=abs)
            inside = sum(one.inside for one in results)
            sentences.append(
                f"At batch {batch}, {len(results)} were measured: mean error {percent(1 + mean, signed=False)}, worst "
                f"{percent(1 + worst)}, {inside} inside the band."
            )
    return f"**{' '.join(sentences)}**\n" if sentences else ""


def compared(found: Iterator[Prediction]) -> Iterator[Compared]:
    """The predictions that were measured, with their errors."""
    for one in found:
        if not isinstance(one.error, Missing) and not isinstance(one.time.high, Missing):
            yield Compared(one.error, abs(math.log1p(one.error)) <= math.log(one.time.high / one.time.value))


def _table(found: Sequence[Prediction], batch: int) -> str:
    columns: tuple[Column[Prediction], ...] = (
        Column("model", "model", lambda one: one.model),
        Column("pixels", "pixels", lambda one: int(one.inputs[0].split("x")[2]), PLAIN),
        Column("time_s", "graph latency", lambda one: one.time.value, MILLISECONDS),
        Column("low_s", "from", lambda one: one.time.low, MILLISECONDS),
        Column("high_s", "to", lambda one: one.time.high, MILLISECONDS),
        Column("bound_by", "bound by", lambda one: f"{one.bound_by} {100 * one.share:.0f} %"),
        Column("wall_s", "wall latency", lambda one: _value(one.wall), MILLISECONDS),
        Column("image_j", "energy per image", lambda one: _value(one.image), MILLIJOULES),
        Column("measured_s", "measured", _measured, MILLISECONDS),
        Column("error", "error", lambda one: one.error, PERCENT),
    )
    rows = sorted((one for one in found if one.batch == batch), key=lambda one: one.time.value)
    return f"## Batch {batch}\n\n{markdown([without_empty(tabulate(rows, columns))])}"


def _value(part: Known[Predicted]) -> CellValue:
    return part if isinstance(part, Missing) else part.value


def _measured(one: Prediction) -> CellValue:
    return one.measured if isinstance(one.measured, Missing) else one.measured.time_s
