"""Predictions as tables: one row a network and batch, and one a module and kind of operation."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Literal

from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import MILLIJOULES, MILLISECONDS, PERCENT, PLAIN, Unit, percent
from backbone_bench.predictor.learn import misfit
from backbone_bench.predictor.predict import OpShare, Predicted, Prediction, not_told_apart
from backbone_bench.records import Known, Missing
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.listing import listing
from backbone_bench.report.tables.table import CellValue, Column, Table, tabulate, without_empty

_RATE = Unit("images/s", 1, 1)
_RATIO = Unit("", 1, 3)
_TIMES = {"graph": "graph latency", "wall": "wall latency", "throughput": "time"}
_NOT_OF_THROUGHPUT = {"time_s", "time_band", "measured_s", "error"}  # a table of throughput is read as one

_MEANT = 1.5  # mean errors by which the rows of one family are off in one direction: then it is said

# What a row of the table is made from: the prediction, and that of the model it is compared with at the same batch.
_PredictedRow = tuple[Prediction, Prediction | None]


def answer(predictions: Sequence[Prediction], relative_to: str | None, depth: int | None) -> Answer:
    """The predictions in every format; with `depth`, also by module and kind of operation down to it."""
    rows = list(_beside(predictions, relative_to))
    shown = without_empty(_table(rows, _COLUMNS))
    by_op = [] if depth is None else [_by_op(prediction, depth) for prediction in predictions]
    made = listing([_plain(row) for row in rows], shown)
    return replace(made, parts=lambda: [shown, *by_op], exact=lambda: [_table(rows, _EXACT)])


def _beside(predictions: Sequence[Prediction], relative_to: str | None) -> Iterator[_PredictedRow]:
    others = {one.batch: one for one in predictions if one.model == relative_to}
    for one in predictions:
        yield one, others.get(one.batch)


def _table(rows: Sequence[_PredictedRow], columns: Sequence[Column[_PredictedRow]]) -> Table:
    calibration = rows[0][0].calibration
    predictions = [row[0] for row in rows]
    title = _TIMES[calibration.time]
    left_out = _NOT_OF_THROUGHPUT if calibration.time == "throughput" else {"rate_band", "measured_rate"}
    named = [
        column._replace(title=title) if column.key == "time_s" else column
        for column in columns
        if columns is _EXACT or column.key not in left_out
    ]
    caption = f"Predicted, not measured: {calibration.conditions.in_words}. All quantities are per image."
    return tabulate(rows, named, caption=caption).adding(*_remarks(predictions))


def _remarks(predictions: Sequence[Prediction]) -> Iterator[str]:
    calibration = predictions[0].calibration
    yield _provenance(predictions)
    if calibration.time == "throughput":
        yield "From published throughput of large batches: for throughput and ranking only."
    if (close := _close(predictions)) is not None:
        yield close
    yield from dict.fromkeys(filter(None, map(_family, predictions)))
    for one in predictions:
        if one.extrapolated:
            yield f"{one.model} at batch {one.batch} is extrapolated: {'; '.join(one.extrapolated)}."


def _provenance(predictions: Sequence[Prediction]) -> str:
    """Where the constants are from, and how the band was found."""
    calibration = predictions[0].calibration
    origin, rows = calibration.origin, calibration.rows
    licence = f" ({origin.licence})" if origin.licence else ""
    bands = [
        f"batch {band.batch}: {percent(math.exp(-band.half_width))} to {percent(math.exp(band.half_width))}, "
        f"mean error {percent(1 + band.mean_error, signed=False)}, {band.rows} rows of {band.families} families"
        + (", borrowed" if band.borrowed else "")
        for band in calibration.bands
        if band.of == "time"
    ]
    return (
        f"Calibrated with {len(rows)} rows: {origin.source}{licence}. 90 % band of the time, by families that were "
        f"left out of the fit: {'; '.join(bands)}."
    )


def _family(prediction: Prediction) -> str | None:
    """The sentence that the calibration's own rows of this family are off in one direction, if they are."""
    calibration, batch = prediction.calibration, prediction.batch
    band = calibration.band("time", batch)
    rows = [row for row in calibration.rows if (row.family, row.batch) == (prediction.family, batch)]
    if band is None or len(rows) < 2:
        return None
    mean = sum(misfit(row, calibration.constants) for row in rows) / len(rows)
    if abs(mean) <= _MEANT * band.mean_error:
        return None
    return (
        f"The {len(rows)} rows of {prediction.family} at batch {batch} are predicted {percent(1 + mean)} from their "
        f"measured times in the mean."
    )


def _close(predictions: Sequence[Prediction]) -> str | None:
    """Which networks the band does not tell apart."""
    pairs = [
        f"{one.model} and {other.model} at batch {batch}"
        for batch, some in group_by(predictions, lambda one: one.batch).items()
        for one, other in combinations(some, 2)
        if one.model != other.model and not one.extrapolated and not other.extrapolated and not_told_apart(one, other)
    ]
    if not pairs:
        return None
    shown = f"{', '.join(pairs[:6])}{f' and {len(pairs) - 6} more pairs' if len(pairs) > 6 else ''}"
    return f"Not told apart, since their times are closer than the band of a ratio: {shown}."


# Columns.


def _of(value: Callable[[Prediction], CellValue]) -> Callable[[_PredictedRow], CellValue]:
    return lambda row: value(row[0])


def _per_image(
    part: Callable[[Prediction], Known[Predicted]],
    end: Literal["value", "low", "high"] = "value",
    *,
    per_call: bool = True,
) -> Callable[[_PredictedRow], Known[float]]:
    def value(row: _PredictedRow) -> Known[float]:
        prediction = row[0]
        whole = part(prediction)
        if isinstance(whole, Missing):
            return whole
        found: Known[float] = getattr(whole, end)
        return found if isinstance(found, Missing) or not per_call else found / prediction.batch

    return value


def _band(
    part: Callable[[Prediction], Known[Predicted]], unit: Unit, *, per_call: bool = True
) -> Callable[[_PredictedRow], CellValue]:
    """The band in words: `2.00 to 2.55`."""
    low, high = _per_image(part, "low", per_call=per_call), _per_image(part, "high", per_call=per_call)

    def value(row: _PredictedRow) -> CellValue:
        least, most = low(row), high(row)
        if isinstance(least, Missing) or isinstance(most, Missing):
            return least if isinstance(least, Missing) else most
        return f"{unit.write(least)} to {unit.write(most)}"

    return value


def _relative(row: _PredictedRow) -> CellValue:
    """The ratio to the other model's time."""
    one, other = row
    if other is None:
        return Missing("not_asked", "no model to compare with at this batch")
    return one.time.value / other.time.value


def _relative_band(row: _PredictedRow) -> CellValue:
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


def _rate_band(row: _PredictedRow) -> CellValue:
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


_MODEL: Column[_PredictedRow] = Column("model", "model", _of(lambda one: one.model))
_BATCH: Column[_PredictedRow] = Column("batch", "batch", _of(lambda one: one.batch), PLAIN)
_TIME: Column[_PredictedRow] = Column("time_s", "time", _per_image(_time), MILLISECONDS)
_WALL: Column[_PredictedRow] = Column("wall_s", "wall latency", _per_image(_wall), MILLISECONDS)
_ENERGY: Column[_PredictedRow] = Column(
    "gross_per_image_j", "energy per image", _per_image(_image, per_call=False), MILLIJOULES
)
_THROUGHPUT: Column[_PredictedRow] = Column(
    "images_per_s", "throughput", _of(lambda one: one.batch / one.time.value), _RATE
)
_COMPARED: tuple[Column[_PredictedRow], ...] = (
    Column("relative", "relative", _relative, _RATIO),
    Column("relative_band", "90 % band of the ratio", _relative_band),
)
_FOUND: tuple[Column[_PredictedRow], ...] = (
    Column("measured_s", "measured", _of(_measured), MILLISECONDS),
    Column("measured_rate", "measured", _of(_measured_rate), _RATE),
    Column("error", "error", _of(lambda one: one.error), PERCENT),
)
_COLUMNS: tuple[Column[_PredictedRow], ...] = (
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
_EXACT: tuple[Column[_PredictedRow], ...] = (
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


def _plain(row: _PredictedRow) -> Mapping[str, Any]:
    """A row as JSON: the columns of the exact table, a missing value as its reason, and the terms in seconds a call."""
    values = {column.key: _json(column.value(row)) for column in _EXACT}
    return {**values, "terms_s": dict(row[0].terms_s), "extrapolated": list(row[0].extrapolated)}


def _json(value: CellValue) -> object:
    return {"missing": value.missing, "message": value.message} if isinstance(value, Missing) else value


# By operation.


def _by_op(prediction: Prediction, depth: int) -> Table:
    """The predicted time by module, down to a depth, and kind of operation, the longest first."""
    named = group_by(prediction.ops, lambda op: (".".join(op.module.split(".")[:depth]) or "(itself)", op.op))
    parts = [
        OpShare(module, op, sum(one.calls for one in ops), sum(one.time_s for one in ops), _longest(ops))
        for (module, op), ops in named.items()
    ]
    whole_s = prediction.time.value
    columns: tuple[Column[OpShare], ...] = (
        Column("module", "module", lambda part: part.module),
        Column("op", "operation", lambda part: part.op),
        Column("calls", "calls", lambda part: part.calls, PLAIN),
        Column("call_s", "time of a call", lambda part: part.time_s, MILLISECONDS),
        Column("share", "share", lambda part: part.time_s / whole_s, PERCENT),
        Column("bound_by", "bound by", lambda part: part.bound_by),
    )
    title = f"{prediction.model}, batch {prediction.batch}: by module, to depth {depth}, and operation"
    table = tabulate(sorted(parts, key=lambda part: -part.time_s), columns, title=title)
    return table.adding("The parts add up to the whole; a part alone is less certain than the whole.")


def _longest(ops: Sequence[OpShare]) -> str:
    return max(ops, key=lambda op: op.time_s).bound_by
