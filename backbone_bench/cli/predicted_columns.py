"""The columns of a table of predictions: for people, and for programs."""

import math
from collections.abc import Callable
from typing import Literal

from backbone_bench.base.units import MILLIJOULES, MILLISECONDS, PERCENT, PLAIN, Unit
from backbone_bench.predictor.predict import Predicted, Prediction
from backbone_bench.records import Known, Missing
from backbone_bench.report.tables.table import CellValue, Column

_RATE = Unit("images/s", 1, 1)
_RATIO = Unit("", 1, 3)

# What a row of the table is made from: the prediction, and that of the model it is compared with at the same batch.
PredictedRow = tuple[Prediction, Prediction | None]


def _of(value: Callable[[Prediction], CellValue]) -> Callable[[PredictedRow], CellValue]:
    return lambda row: value(row[0])


def _per_image(
    part: Callable[[Prediction], Known[Predicted]],
    end: Literal["value", "low", "high"] = "value",
    *,
    per_call: bool = True,
) -> Callable[[PredictedRow], Known[float]]:
    def value(row: PredictedRow) -> Known[float]:
        prediction = row[0]
        whole = part(prediction)
        if isinstance(whole, Missing):
            return whole
        found: Known[float] = getattr(whole, end)
        return found if isinstance(found, Missing) or not per_call else found / prediction.batch

    return value


def _band(
    part: Callable[[Prediction], Known[Predicted]], unit: Unit, *, per_call: bool = True
) -> Callable[[PredictedRow], CellValue]:
    """The band in words: `2.00 to 2.55`."""
    low, high = _per_image(part, "low", per_call=per_call), _per_image(part, "high", per_call=per_call)

    def value(row: PredictedRow) -> CellValue:
        least, most = low(row), high(row)
        if isinstance(least, Missing) or isinstance(most, Missing):
            return least if isinstance(least, Missing) else most
        return f"{unit.write(least)} to {unit.write(most)}"

    return value


def _relative(row: PredictedRow) -> CellValue:
    """The ratio to the other model's time."""
    one, other = row
    if other is None:
        return Missing("not_asked", "no model to compare with at this batch")
    return one.time.value / other.time.value


def _relative_band(row: PredictedRow) -> CellValue:
    one, other = row
    band = one.calibration.band("time", one.batch)
    if other is None or one is other:
        return ""
    if band is None or band.ratio_half_width is None or one.extrapolated or other.extrapolated:
        return Missing("no_band", "there is no band of a ratio here")
    ratio, factor = one.time.value / other.time.value, math.exp(band.ratio_half_width)
    return f"{ratio / factor:.2f} to {ratio * factor:.2f}"


def _launch_bound(prediction: Prediction) -> CellValue:
    """The share to a tenth of a percent: below that it is that of a smooth maximum, and of no host."""
    share = prediction.launch_bound
    return share if isinstance(share, Missing) else round(share, 3)


def _measured(prediction: Prediction) -> CellValue:
    return (
        prediction.measured
        if isinstance(prediction.measured, Missing)
        else prediction.measured.time_s / prediction.batch
    )


def _measured_rate(prediction: Prediction) -> CellValue:
    seconds = _measured(prediction)
    return 1 / seconds if isinstance(seconds, float) else seconds


def _rate_band(row: PredictedRow) -> CellValue:
    prediction = row[0]
    low, high = prediction.time.low, prediction.time.high
    if isinstance(low, Missing) or isinstance(high, Missing):
        return low if isinstance(low, Missing) else high
    return " to ".join(_RATE.write(prediction.batch / end_s) for end_s in (high, low))


def _time(prediction: Prediction) -> Predicted:
    return prediction.time


def _wall(prediction: Prediction) -> Known[Predicted]:
    return prediction.wall


def _image(prediction: Prediction) -> Known[Predicted]:
    return prediction.image


_MODEL: Column[PredictedRow] = Column("model", "model", _of(lambda one: one.model))
_BATCH: Column[PredictedRow] = Column("batch", "batch", _of(lambda one: one.batch), PLAIN)
_TIME: Column[PredictedRow] = Column("time_s", "time", _per_image(_time), MILLISECONDS)
_WALL: Column[PredictedRow] = Column("wall_s", "wall latency", _per_image(_wall), MILLISECONDS)
_ENERGY: Column[PredictedRow] = Column(
    "gross_per_image_j", "energy per image", _per_image(_image, per_call=False), MILLIJOULES
)
_THROUGHPUT: Column[PredictedRow] = Column(
    "images_per_s", "throughput", _of(lambda one: one.batch / one.time.value), _RATE
)
_COMPARED: tuple[Column[PredictedRow], ...] = (
    Column("relative", "relative", _relative, _RATIO),
    Column("relative_band", "90 % band of the ratio", _relative_band),
)
_FOUND: tuple[Column[PredictedRow], ...] = (
    Column("measured_s", "measured", _of(_measured), MILLISECONDS),
    Column("measured_rate", "measured", _of(_measured_rate), _RATE),
    Column("error", "error", _of(lambda one: one.error), PERCENT),
)
FOR_PEOPLE: tuple[Column[PredictedRow], ...] = (
    _MODEL,
    _BATCH,
    _TIME,
    Column("time_band", "90 % band", _band(_time, MILLISECONDS)),
    *_COMPARED,
    Column("bound_by", "bound by", _of(lambda one: f"{one.bound_by} {100 * one.share:.0f} %")),
    _WALL,
    Column("wall_band", "90 % band of wall", _band(_wall, MILLISECONDS)),
    Column("launch_bound", "launch-bound", _of(_launch_bound), PERCENT),
    _ENERGY,
    Column("energy_band", "90 % band of energy", _band(_image, MILLIJOULES, per_call=False)),
    _THROUGHPUT,
    Column("rate_band", "90 % band of throughput", _rate_band),
    *_FOUND,
)
EXACT: tuple[Column[PredictedRow], ...] = (
    _MODEL,
    _BATCH,
    Column("inputs", "inputs", _of(lambda one: " ".join(one.inputs))),
    Column("on", "device", _of(lambda one: str(one.calibration))),
    _TIME,
    Column("time_low_s", "from", _per_image(_time, "low"), MILLISECONDS),
    Column("time_high_s", "to", _per_image(_time, "high"), MILLISECONDS),
    _COMPARED[0],
    Column("bound_by", "bound by", _of(lambda one: one.bound_by)),
    Column("bound_by_share", "share", _of(lambda one: one.share), PERCENT),
    _WALL,
    Column("wall_low_s", "from", _per_image(_wall, "low"), MILLISECONDS),
    Column("wall_high_s", "to", _per_image(_wall, "high"), MILLISECONDS),
    Column("launch_bound", "launch-bound", _of(lambda one: one.launch_bound), PERCENT),
    _ENERGY,
    Column("energy_low_j", "from", _per_image(_image, "low", per_call=False), MILLIJOULES),
    Column("energy_high_j", "to", _per_image(_image, "high", per_call=False), MILLIJOULES),
    _THROUGHPUT,
    *_FOUND,
    Column("extrapolated", "extrapolated", _of(lambda one: "; ".join(one.extrapolated))),
)
