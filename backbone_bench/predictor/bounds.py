"""What lies outside of the range in which a calibration holds, in sentences.

A count may be a quarter of the least of the rows and 2.5 times the most; an image may be a quarter smaller or larger.
So far the rows of the first card were predicted without theirs: from the default set, vovnet27_slim with a third of the
traffic of any of them within 7 %, and densenet201 with 2.1 times the reduction depth within 9 %; from images of 224 and
256 pixels, those of 320 within 6 %.
"""

from collections.abc import Iterator

from backbone_bench.predictor.calibration import DeviceCalibration
from backbone_bench.predictor.counts import Counts, terms
from backbone_bench.records import Missing, ModelCost, Record, known
from backbone_bench.records.quantities import QUANTITIES

LESS, MORE = 4.0, 2.5
SIDE_MARGIN = 1.25
# Functions of single elements that take no longer than their traffic: where a row has one of them, all are known.
SIMPLE = frozenset((
    "relu", "leaky_relu", "hardtanh", "hardsigmoid", "hardswish", "clamp", "threshold", "abs", "neg",
    "add", "sub", "mul",
))  # fmt: skip
UNKNOWN_TRAFFIC = 0.1  # share of the traffic that operations without a row may have, if they have no FLOPs


def outside(record: Record, calibration: DeviceCalibration) -> tuple[str, ...]:
    """Each way in which a counted workload lies outside of a calibration, as a clause; none if it is inside."""
    cost = known(record.cost)
    return (
        *_mode(record),
        *_batch(record.workload.batch, calibration),
        *_side(record, calibration),
        *_kinds(cost, calibration),
        *_groups(cost, calibration),
        *_counts(Counts.of(cost), record.workload.batch, calibration),
    )


def _mode(record: Record) -> Iterator[str]:
    if record.workload.mode != "eval":
        yield "a training step, and the rows are of evaluation"


def _batch(batch: int, calibration: DeviceCalibration) -> Iterator[str]:
    least, *_, most = (calibration.batches[0], *calibration.batches)
    if not least <= batch <= most:
        yield f"batch {batch}, and the rows have {_range(least, most)}"


def _side(record: Record, calibration: DeviceCalibration) -> Iterator[str]:
    side = next((spec.square for spec in record.workload.specs), None)
    sides = [row.side for row in calibration.rows if row.side is not None]
    if side is None:
        yield f"inputs {' '.join(record.workload.inputs)}, and the rows have square images"
    elif sides and not min(sides) / SIDE_MARGIN <= side <= max(sides) * SIDE_MARGIN:
        yield f"images of {side} pixels, and the rows have {_range(min(sides), max(sides))}"


def _kinds(cost: ModelCost, calibration: DeviceCalibration) -> Iterator[str]:
    """Operations without a row: with FLOPs, or with a large share of the traffic."""
    known = SIMPLE.union(calibration.kinds) if SIMPLE.intersection(calibration.kinds) else set(calibration.kinds)
    strange = [row for row in cost.by_op if row.op not in known]
    counting = dict.fromkeys(row.op for row in strange if isinstance(row.flops, Missing) or row.flops)
    if counting:
        yield f"{', '.join(counting)}, which no row has"
    share = sum(row.traffic_bytes for row in strange if row.op not in counting) / (cost.traffic_bytes or 1)
    if share > UNKNOWN_TRAFFIC:
        names = ", ".join(dict.fromkeys(row.op for row in strange if row.op not in counting))
        yield f"{100 * share:.0f} % of its traffic by operations that no row has ({names})"


def _groups(cost: ModelCost, calibration: DeviceCalibration) -> Iterator[str]:
    groups = max((row.groups or 1 for row in cost.by_op if row.is_convolution), default=1)
    if groups > calibration.groups:
        yield f"convolutions of {groups} groups, and the rows have {calibration.groups} at most"


def _counts(counts: Counts, batch: int, calibration: DeviceCalibration) -> Iterator[str]:
    """Counts per image far from those of the rows, if the time has a term of them.

    Grouped arithmetic is judged by its groups: most rows have none.
    """
    told = [row.counts.per_image(row.batch) for row in calibration.rows]
    used = {term.constant for term in terms(calibration.time)}
    for name, value in counts.per_image(batch).items():
        least, most = (end(row[name] for row in told) for end in (min, max))
        if name in _CONSTANTS and _CONSTANTS[name] in used and not least / LESS <= value <= most * MORE:
            quantity = QUANTITIES[name]
            written, low, high = (quantity.unit.write(one) for one in (value, least, most))
            unit = f" {quantity.unit.name}".rstrip()
            yield f"{quantity.title} {written}{unit}, and the rows have {low} to {high}{unit}"


_CONSTANTS = {
    "reduction_depth": "step_s",
    "ops": "launch_s",
    "flops": "dense_flop_s",
    "traffic_bytes": "byte_s",
}


def _range(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
