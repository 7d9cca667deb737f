"""A calibration as a table: each row as it is fitted, and as it is predicted without its family."""

import math
from collections.abc import Iterator, Sequence

from backbone_bench.base.units import MILLISECONDS, PERCENT, PLAIN, significant
from backbone_bench.predictor import CalibrationRow, DeviceCalibration
from backbone_bench.predictor.calibration import Band
from backbone_bench.predictor.learn import RowsOf, left_out, misfit
from backbone_bench.records import Known, Missing, Record
from backbone_bench.records.grade import graded
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.listing import listing
from backbone_bench.report.tables.table import Column, tabulate

_ALONE = Missing("alone", "without this family nothing is known of one of its counts")
_UNEVEN = 1.25  # ratio of the launch costs of two rows above which the host is uneven


def answer(calibration: DeviceCalibration, taken: RowsOf, records: Sequence[Record]) -> Answer:
    """The rows with their errors, and below them the constants, the bands and what is doubtful."""
    tested = {(row.model, row.batch, row.inputs): math.expm1(one.value) for row, one in left_out(taken)}

    def left_out_error(row: CalibrationRow) -> Known[float]:
        return tested.get((row.model, row.batch, row.inputs), _ALONE)

    columns: tuple[Column[CalibrationRow], ...] = (
        Column("model", "model", lambda row: row.model),
        Column("batch", "batch", lambda row: row.batch, PLAIN),
        Column("time_s", "time of a call", lambda row: row.time_s, MILLISECONDS),
        Column("fit_error", "error of the fit", lambda row: misfit(row, calibration.constants), PERCENT),
        Column("left_out_error", "error without its family", left_out_error, PERCENT),
    )
    table = tabulate(calibration.rows, columns, caption=f"{calibration.conditions.in_words}.")
    rows = [{column.key: _plain(column.value(row)) for column in columns} for row in calibration.rows]
    return listing(rows, table.adding(*_remarks(calibration, records)))


def _plain(value: object) -> object:
    return {"missing": value.missing, "message": value.message} if isinstance(value, Missing) else value


def _remarks(calibration: DeviceCalibration, records: Sequence[Record]) -> Iterator[str]:
    yield f"One of each costs: {', '.join(_prices(calibration))}."
    yield from (_band(band) for band in calibration.bands)
    doubtful = [
        f"{record.workload.model} at batch {record.workload.batch} ({', '.join(grade.reasons)})"
        for record in records
        if (grade := graded(record)).grade == "do not quote"
    ]
    if doubtful:
        yield f"Measure these again, they are not to be quoted: {'; '.join(doubtful)}."
    if (uneven := _uneven_host(calibration)) is not None:
        yield uneven


def _prices(calibration: DeviceCalibration) -> Iterator[str]:
    """The constants in words, as rates where those are usual."""
    of = calibration.constants
    if of.step_s is not None:
        yield f"a step of the reduction depth {significant(of.step_s * 1e9, 3)} ns"
    if of.launch_s is not None:
        yield f"a launch {significant(of.launch_s * 1e6, 3)} µs"
    for name, seconds in (("dense", of.dense_flop_s), ("grouped", of.grouped_flop_s)):
        if seconds:
            yield f"{name} multiply-adds {significant(1e-12 / seconds, 3)} T/s"
    if of.byte_s:
        yield f"traffic {significant(1e-9 / of.byte_s, 3)} GB/s"
    if calibration.energy is not None:
        flop_j, byte_j = calibration.energy.flop_j, calibration.energy.byte_j
        yield f"{significant(flop_j * 1e12, 3)} pJ a multiply-add and {significant(byte_j * 1e12, 3)} pJ a byte"


def _band(band: Band) -> str:
    own = "borrowed from the shipped calibration, and wider where these rows are" if band.borrowed else "of these rows"
    return (
        f"90 % band of {band.of} at batch {band.batch}: a factor of {math.exp(band.half_width):.2f} either way, {own}."
    )


def _uneven_host(calibration: DeviceCalibration) -> str | None:
    """The sentence that launches cost the host unlike times, if they do."""
    bound = [
        row.wall_s / row.ops for row in calibration.rows if row.wall_s is not None and row.wall_s > _UNEVEN * row.time_s
    ]
    if len(bound) < 2 or max(bound) <= _UNEVEN * min(bound):
        return None
    low, high = (f"{1e6 * end(bound):.0f}" for end in (min, max))
    return f"A launch cost the host {low} to {high} µs: wall latency of a call that waits for it is a guess."
