"""Predictions as tables: one row a network and batch, and one a module and kind of operation."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import MILLISECONDS, PERCENT, PLAIN, percent
from backbone_bench.cli.predicted_columns import EXACT, FOR_PEOPLE, PredictedRow
from backbone_bench.predictor.calibration import Band
from backbone_bench.predictor.learn import misfit
from backbone_bench.predictor.predict import OpShare, Prediction, not_told_apart
from backbone_bench.records import Missing
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.listing import listing
from backbone_bench.report.tables.table import CellValue, Column, Table, tabulate, without_empty

_TIMES = {"graph": "graph latency", "wall": "wall latency", "throughput": "time"}
_NOT_OF_THROUGHPUT = {"time_s", "time_band", "measured_s", "error"}  # a table of throughput is read as one

_MEANT = 1.5  # mean errors by which the rows of one family are off in one direction: then it is said


def answer(predictions: Sequence[Prediction], relative_to: str | None, depth: int | None) -> Answer:
    """The predictions in every format; with `depth`, also by module and kind of operation down to it."""
    rows = list(_beside(predictions, relative_to))
    shown = without_empty(_table(rows, FOR_PEOPLE))
    by_op = [] if depth is None else [_by_op(prediction, depth) for prediction in predictions]
    made = listing([_plain(row) for row in rows], shown)
    return replace(made, parts=lambda: [shown, *by_op], exact=lambda: [_table(rows, EXACT)])


def _beside(predictions: Sequence[Prediction], relative_to: str | None) -> Iterator[PredictedRow]:
    others = {one.batch: one for one in predictions if one.model == relative_to}
    for one in predictions:
        yield one, others.get(one.batch)


def _table(rows: Sequence[PredictedRow], columns: Sequence[Column[PredictedRow]]) -> Table:
    calibration = rows[0][0].calibration
    predictions = [row[0] for row in rows]
    title = _TIMES[calibration.time]
    left_out = _NOT_OF_THROUGHPUT if calibration.time == "throughput" else {"rate_band", "measured_rate"}
    named = [
        column._replace(title=title) if column.key == "time_s" else column
        for column in columns
        if columns is EXACT or column.key not in left_out
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
        + _test_of(band)
        for band in calibration.bands
        if band.of == "time"
    ]
    return (
        f"Calibrated with {len(rows)} rows: {origin.source}{licence}. 90 % band of the time, by families that were "
        f"left out of the fit: {'; '.join(bands)}."
    )


def _test_of(band: Band) -> str:
    """How a band was tested, or that it was borrowed."""
    if band.borrowed:
        return ", borrowed"
    share = "" if band.coverage is None else f"{percent(1 + band.coverage, signed=False)}"
    return share and f" ({share} inside a band made without their own family)"


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


def _plain(row: PredictedRow) -> Mapping[str, Any]:
    """A row as JSON: the columns of the exact table, a missing value as its reason, and the terms in seconds a call."""
    values = {column.key: _json(column.value(row)) for column in EXACT}
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
