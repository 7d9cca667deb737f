"""Generator of the calibrations that are shipped, from records and from published tables.

The constants of a file are those of a fit to its own rows, so a file is stale as soon as the records, what this version
counts, or the fit changes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import product
from typing import NamedTuple

from backbone_bench import profiler
from backbone_bench.base.choices import Precision
from backbone_bench.base.grouping import group_by
from backbone_bench.claims.evidence import publications
from backbone_bench.claims.evidence.publications import Publication
from backbone_bench.jobs.job import Job
from backbone_bench.predictor import choose, learn, sets
from backbone_bench.predictor.calibration import CalibrationConditions, CalibrationOrigin, dumps
from backbone_bench.predictor.learn import RowsOf
from backbone_bench.predictor.rows import conditions_of, row_of, rows_of
from backbone_bench.records import Missing, ModelCost, Record, Workload, known
from tools.gpu_page import AT_HAND, H200, CardPage

FOLDER = "backbone_bench/predictor/calibrations"
COUNTED_IN: Precision = "fp16"  # autocast to fp16: convolutions read and write halves


class Card(NamedTuple):
    """A card of the published table: its name here and there, and the rows of one setting."""

    name: str
    device: str
    key: str  # in the column `device`
    torch: str  # in the column `torch`
    layout: str
    compiled: str

    @property
    def file(self) -> str:
        setting = ["amp", *(["channels_last"] if self.layout == "nhwc" else []), *self._compiled]
        return f"{FOLDER}/{self.name}-{'-'.join(setting)}.toml"

    @property
    def _compiled(self) -> list[str]:
        return ["compiled"] if self.compiled == "yes" else []


# The newest torch of each setting. The tables with channels-last and torch 2.4 are the only ones of it.
CARDS = (
    Card("rtx3090", "NVIDIA GeForce RTX 3090", "cu124-rtx3090", "pt240", "nchw", "no"),
    Card("rtx3090", "NVIDIA GeForce RTX 3090", "cu124-rtx3090", "pt240", "nhwc", "no"),
    Card("rtx4090", "NVIDIA GeForce RTX 4090", "cu128-4090", "pt291", "nchw", "no"),
    Card("rtx4090", "NVIDIA GeForce RTX 4090", "cu124-rtx4090", "pt240", "nhwc", "no"),
    Card("rtx4090", "NVIDIA GeForce RTX 4090", "cu128-4090", "pt291", "nchw", "yes"),
    Card("rtx5090", "NVIDIA GeForce RTX 5090", "cu130-5090", "pt291", "nchw", "no"),
    Card("rtx5090", "NVIDIA GeForce RTX 5090", "cu130-5090", "pt291", "nchw", "yes"),
    Card("rtxpro6000", "NVIDIA RTX PRO 6000 Max-Q", "cu130-pro6000maxq", "pt291", "nchw", "no"),
    Card("rtxpro6000", "NVIDIA RTX PRO 6000 Max-Q", "cu130-pro6000maxq", "pt291", "nchw", "yes"),
)  # fmt: skip


def files() -> dict[str, Callable[[], str]]:
    """Every shipped calibration."""
    return {
        f"{FOLDER}/h200.toml": h200,
        **{card.file: partial(published, card) for card in CARDS},
        **at_hand(AT_HAND),
    }


def h200() -> str:
    """The calibration of the first GPU, by its records of networks in IEEE fp32."""
    return dumps(learn.calibration(rows_of("h200", networks(), H200_ORIGIN, count)))


H200_ORIGIN = CalibrationOrigin("measured", "backbone-bench, results/records/h200, 2026-11-27, two cards of one kind")


def networks() -> list[Record]:
    """The records of whole networks on the first GPU; a stack of convolutions is none."""
    return [record for record in H200.records if record.workload.source == "zoo"]


def count(record: Record) -> ModelCost:
    """The cost of a record's workload, as this version counts it."""
    return known(profiler.count(Job.from_record(record)).cost)


# Published tables.


def published(card: Card) -> str:
    """The calibration of a card and a setting of the published table."""
    table = _table()
    origin = CalibrationOrigin("published", table.meta.source, table.meta.licence)
    conditions = CalibrationConditions(
        device=card.device,
        precision="amp",
        memory_format="channels_last" if card.layout == "nhwc" else "contiguous",
        compile="default" if card.compiled == "yes" else None,
        counted_in=COUNTED_IN,
        torch={"pt240": "2.4.0", "pt291": "2.9.1"}[card.torch],
    )
    counted = list(_counted(table, card))
    costs = [cost for _, cost, _ in counted]
    convolutions = [row for cost in costs for row in cost.by_op if row.is_convolution]
    taken = RowsOf(
        card.name,
        "throughput",
        origin,
        conditions,
        kinds=tuple(sorted({row.op for cost in costs for row in cost.by_op})),
        groups=max(row.groups or 1 for row in convolutions),
        rows=tuple(row_of(*one) for one in counted),
    )
    return dumps(learn.calibration(taken))


@cache
def _table() -> Publication:
    return next(one for one in publications.shipped() if one.meta.title == "timm")


def _counted(table: Publication, card: Card) -> Iterator[tuple[Workload, ModelCost, float]]:
    """The networks of the zoo in these rows: workload, cost of a call and seconds of a call."""
    ours = table.models()
    for row in table.rows:
        asked = (row["device"], row["torch"], row["layout"], row["compiled"], row["task"], row["precision"])
        if asked == (card.key, card.torch, card.layout, card.compiled, "infer", "amp") and row["model"] in ours:
            batch = int(float(row["batch"]))
            record = _record(ours[row["model"]], int(row["input_size"]), batch)
            yield record.workload, known(record.cost), batch / float(row["images_per_s"])


@cache
def _record(model: str, side: int, batch: int) -> Record:
    return profiler.count(Job(model, {}, input_size=side, batch=batch, precision=COUNTED_IN))


# The card at hand.


def at_hand(card: CardPage) -> dict[str, Callable[[], str]]:
    """A calibration of each setting in which `make gpu-results` measured the default set at two batches.

    Not of the setting of the first GPU's own records, which have more rows.
    """
    found: dict[str, Callable[[], str]] = {}
    for conditions, records in group_by(filter(_is_row, card.records), conditions_of).items():
        name = short_name(conditions.device)
        enough = _has_default_set(records) and (name, conditions.setting) != ("h200", "fp32, contiguous, eager")
        if enough:
            words = (name, conditions.precision, *_unusual(conditions))
            found[f"{FOLDER}/{'-'.join(words)}.toml"] = partial(_of_card, name, tuple(records))
    return found


def short_name(device: str) -> str:
    """The name of a card as `--on` takes it: `NVIDIA GeForce RTX 3090` is rtx3090."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"nvidia|geforce", "", device.lower()))


def _unusual(conditions: CalibrationConditions) -> Iterator[str]:
    if conditions.memory_format != "contiguous":
        yield conditions.memory_format
    if conditions.compile is not None:
        yield "compiled"


def _is_row(record: Record) -> bool:
    """Whether a record is of a whole network on a GPU, in evaluation, with its device work."""
    measured = not isinstance(record.latency, Missing) and not isinstance(record.device_work, Missing)
    workload = record.workload
    return measured and not record.environment.is_host and (workload.source, workload.mode) == ("zoo", "eval")


def _has_default_set(records: Sequence[Record]) -> bool:
    measured = {(record.workload.model, record.workload.batch) for record in records}
    return measured >= set(product(sets.DEFAULT, sets.BATCHES))


def _of_card(name: str, records: tuple[Record, ...]) -> str:
    day = records[0].started_utc[:10]
    origin = CalibrationOrigin("measured", f"backbone-bench, make gpu-results, {day}")
    return dumps(learn.calibration(rows_of(name, records, origin, count), choose("h200").calibration.bands))
