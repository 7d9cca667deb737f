"""Predict the time and energy of a counted network by a calibration."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.predictor import line
from backbone_bench.predictor.bounds import outside
from backbone_bench.predictor.calibration import Band, BandOf, CalibrationRow, DeviceCalibration
from backbone_bench.predictor.counts import Counts, terms
from backbone_bench.predictor.rows import conditions_of, family_of, time_of
from backbone_bench.predictor.shipped import Chosen
from backbone_bench.records import Known, Missing, Record, known

EXTRAPOLATED = Missing("extrapolated", "outside of the calibrated range there is no band")


class Predicted(NamedTuple):
    """A predicted value in base units, and the ends of its 90 % band."""

    value: float
    low: Known[float]
    high: Known[float]


class MeasuredRow(NamedTuple):
    """What was measured of the same call, in base units."""

    time_s: float
    wall_s: float | None
    image_j: float | None


class OpShare(NamedTuple):
    """The part of the predicted time that the operations of one kind within one module take."""

    module: str
    op: str
    calls: int
    time_s: float
    bound_by: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted time and energy of a network on a device: each with a 90 % band, and with what was measured, if it was.

    Times are of one call in seconds, the energy is of one image in joules.
    """

    model: str
    family: str
    inputs: tuple[str, ...]
    batch: int
    calibration: DeviceCalibration = field(repr=False)
    time: Predicted  # device work of a call; on a CPU its wall latency
    terms_s: Mapping[str, float]  # the parts of the time, by what they are spent on
    wall: Known[Predicted]
    image: Known[Predicted]  # gross energy of an image
    measured: Known[MeasuredRow]
    extrapolated: tuple[str, ...]  # what lies outside of the calibrated range
    ops: tuple[OpShare, ...] = field(repr=False)

    @property
    def bound_by(self) -> str:
        """What the largest part of the time is spent on."""
        return max(self.terms_s, key=lambda term: self.terms_s[term])

    @property
    def share(self) -> float:
        """The share of the largest part."""
        return self.terms_s[self.bound_by] / self.time.value

    @property
    def launch_bound(self) -> Known[float]:
        """The share of a call in which the device waits for the host."""
        return self.wall if isinstance(self.wall, Missing) else 1 - self.time.value / self.wall.value

    @property
    def error(self) -> Known[float]:
        """Relative error of the predicted time, if it was measured."""
        return self.measured if isinstance(self.measured, Missing) else self.time.value / self.measured.time_s - 1


def predict(record: Record, chosen: Chosen, *, extrapolate: bool = False, records: Iterable[Record] = ()) -> Prediction:
    """Predict a counted workload; `records` may hold what was measured of it besides the calibration's own rows.

    Raises UserError for a workload outside of the calibrated range, unless it shall be extrapolated, and
    CouldNotMeasure if its counts are not known.
    """
    calibration, workload, cost = chosen.calibration, record.workload, known(record.cost)
    beyond = (*chosen.outside, *outside(record, calibration))
    if beyond and not extrapolate:
        raise UserError(
            f"{workload.model} at batch {workload.batch} is outside of what {calibration.name} was calibrated for: "
            f"{'; '.join(beyond)}. --extrapolate predicts it all the same."
        )
    counts = Counts.of(cost)
    parts_s = {
        term.title: calibration.constants.of(term.constant) * term.count(counts) for term in terms(calibration.time)
    }
    work_s = sum(parts_s.values())
    if work_s <= 0:
        raise UserError(f"{workload.model} has no operations: there is nothing to predict.")
    return Prediction(
        model=workload.model,
        family=family_of(workload),
        inputs=workload.inputs,
        batch=workload.batch,
        calibration=calibration,
        time=_banded(work_s, None if beyond else calibration.band("time", workload.batch)),
        terms_s=parts_s,
        wall=_wall(counts, work_s, workload.batch, calibration, extrapolated=bool(beyond)),
        image=_image(counts, work_s, workload.batch, calibration, extrapolated=bool(beyond)),
        measured=_measured(record, calibration, records),
        extrapolated=beyond,
        ops=tuple(_ops(record, calibration)),
    )


def not_told_apart(one: Prediction, other: Prediction) -> bool:
    """Whether the times of two networks, predicted by one calibration at one batch, are closer than their band."""
    band = one.calibration.band("time", one.batch)
    if band is None or band.ratio_half_width is None or one.extrapolated or other.extrapolated:
        return True
    return abs(math.log(one.time.value / other.time.value)) <= band.ratio_half_width


def _banded(value: float, band: Band | None) -> Predicted:
    if band is None:
        return Predicted(value, EXTRAPOLATED, EXTRAPOLATED)
    factor = math.exp(band.half_width)
    return Predicted(value, value / factor, value * factor)


def _wall(
    counts: Counts, work_s: float, batch: int, calibration: DeviceCalibration, *, extrapolated: bool
) -> Known[Predicted]:
    if calibration.host is None:
        return Missing(*_NO_WALL[calibration.time])
    band = calibration.band("wall", batch)
    if band is None and not extrapolated:
        return _no_rows("wall", batch)
    return _banded(line.wall_s(counts, work_s, calibration.host), None if extrapolated else band)


_NO_WALL = {
    "graph": ("not_calibrated", "no row of the calibration has a wall latency"),
    "wall": ("is_wall", "on a CPU the time of a call is its wall latency"),
    "throughput": ("throughput_only", "a published table of large batches tells the throughput alone"),
}


def _image(
    counts: Counts, work_s: float, batch: int, calibration: DeviceCalibration, *, extrapolated: bool
) -> Known[Predicted]:
    if calibration.energy is None:
        return Missing("not_calibrated", "no row of the calibration has energy")
    band = calibration.band("energy", batch)
    if band is None and not extrapolated:
        return _no_rows("energy", batch)
    image_j = line.energy_j(counts, work_s, calibration.energy) / batch
    return _banded(image_j, None if extrapolated else band)


def _no_rows(of: BandOf, batch: int) -> Missing:
    return Missing("not_calibrated", f"the calibration has too few rows with {of} at batch {batch}")


def _measured(record: Record, calibration: DeviceCalibration, records: Iterable[Record]) -> Known[MeasuredRow]:
    """What was measured of the same network under the calibration's conditions, in its rows or in other records."""
    rows = (row for row in calibration.rows if _is_same(record, row))
    for row in rows:
        return MeasuredRow(row.time_s, row.wall_s, row.image_j)
    for other in records:
        if other.workload.inputs == record.workload.inputs and _is_measured(other, record, calibration):
            wall, energy = known(other.latency).wall, other.energy
            return MeasuredRow(
                time_of(other, calibration.time).median_s,
                None if isinstance(wall, Missing) else wall.median_s,
                None if isinstance(energy, Missing) else energy.gross_per_image_j,
            )
    return Missing("not_measured", "no record of this network, batch and setting")


def _is_same(record: Record, row: CalibrationRow) -> bool:
    shapes = known(record.cost).shapes_sha256
    same_shapes = row.shapes_sha256 is None or row.shapes_sha256 == shapes
    return same_shapes and (row.model, row.batch, row.inputs) == (
        record.workload.model,
        record.workload.batch,
        record.workload.inputs,
    )


def _is_measured(other: Record, record: Record, calibration: DeviceCalibration) -> bool:
    """Whether another record has the time of this network under the calibration's conditions."""
    if isinstance(other.latency, Missing) or isinstance(other.cost, Missing):
        return False
    if isinstance(other.device_work if calibration.time == "graph" else other.latency.wall, Missing):
        return False
    there, here = conditions_of(other), calibration.conditions
    same = (there.device, there.setting) == (here.device, here.setting)
    return same and other.workload.model == record.workload.model and other.workload.mode == record.workload.mode


def _ops(record: Record, calibration: DeviceCalibration) -> Iterable[OpShare]:
    for row in known(record.cost).by_op:
        counts = Counts.of_row(row)
        parts = {
            term.title: calibration.constants.of(term.constant) * term.count(counts) for term in terms(calibration.time)
        }
        yield OpShare(row.module, row.op, row.calls, sum(parts.values()), max(parts, key=lambda term: parts[term]))
