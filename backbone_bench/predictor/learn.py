"""Make a calibration from rows: fit its constants, and find bands from how far a family is off that was left out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.predictor import fit
from backbone_bench.predictor.calibration import (
    Band,
    BandOf,
    CalibrationConditions,
    CalibrationOrigin,
    CalibrationRow,
    Constants,
    DeviceCalibration,
)
from backbone_bench.predictor.counts import TimeKind, terms
from backbone_bench.predictor.fit import LeftOut
from backbone_bench.predictor.line import (
    CalibrationRows,
    energy_j,
    fit_energy,
    fit_host,
    fit_time,
    has_energy,
    time_s,
    wall_s,
)

WORST = 0.3  # relative error of a fitted row above which the line does not hold on a device

PredictRow = Callable[[CalibrationRow], float]


class RowsOf(NamedTuple):
    """What a calibration is made from: rows under the same conditions."""

    name: str
    time: TimeKind
    origin: CalibrationOrigin
    conditions: CalibrationConditions
    kinds: tuple[str, ...]
    groups: int
    rows: tuple[CalibrationRow, ...]
    idle_w: float | None = None  # without it energy is not predicted


def calibration(taken: RowsOf, borrowed: Sequence[Band] = ()) -> DeviceCalibration:
    """Fit the constants and find the bands; with too few rows for a band it is at least as wide as a borrowed one.

    Raises UserError for no rows.
    """
    if not taken.rows:
        raise UserError(f"There are no rows to calibrate {taken.name} with.")
    learners, idle_w = _learners(taken), taken.idle_w or 0.0
    bands = [band for of, learner in learners.items() for band in _bands(taken, of, learner, borrowed)]
    return DeviceCalibration(
        name=taken.name,
        time=taken.time,
        origin=taken.origin,
        conditions=taken.conditions,
        kinds=taken.kinds,
        groups=taken.groups,
        constants=fit_time(taken.rows, taken.time),
        host=fit_host(taken.rows) if "wall" in learners else None,
        energy=fit_energy(taken.rows, idle_w, _batches_with_energy(taken)) if "energy" in learners else None,
        bands=tuple(bands),
        rows=taken.rows,
    )


def misfit(row: CalibrationRow, constants: Constants) -> float:
    """Relative error of the fitted time of a row."""
    return time_s(row.counts, constants) / row.time_s - 1


def _batches_with_energy(taken: RowsOf) -> set[int]:
    """The batch sizes with networks enough for a band of energy; all with any if none has enough."""
    idle_w = taken.idle_w
    with_energy = [row for row in taken.rows if idle_w is not None and has_energy(row, idle_w)]
    networks = {batch: {row.model for row in rows} for batch, rows in group_by(with_energy, _batch).items()}
    enough = {batch for batch, models in networks.items() if len(models) >= fit.FEWEST_FOR_BAND}
    return enough or set(networks)


def _batch(row: CalibrationRow) -> int:
    return row.batch


# Bands.


class _Learner(NamedTuple):
    """How one quantity is learnt from rows, and its measured value in a row."""

    learn: Callable[[CalibrationRows], PredictRow]
    measured: Callable[[CalibrationRow], float | None]


def _learners(taken: RowsOf) -> Mapping[BandOf, _Learner]:
    """The quantities that the rows can teach."""
    kind, idle_w, batches = taken.time, taken.idle_w, _batches_with_energy(taken)

    def time_of(rows: CalibrationRows) -> PredictRow:
        constants = fit_time(rows, kind)
        return lambda row: time_s(row.counts, constants)

    def wall_of(rows: CalibrationRows) -> PredictRow:
        time, host = time_of(rows), fit_host(rows)
        return lambda row: wall_s(row.counts, time(row), host)

    def energy_of(rows: CalibrationRows) -> PredictRow:
        time, constants = time_of(rows), fit_energy(rows, idle_w or 0.0, batches)
        return lambda row: energy_j(row.counts, time(row), constants) / row.batch

    def energy_in(row: CalibrationRow) -> float | None:
        return row.image_j if row.batch in batches and has_energy(row, idle_w or 0.0) else None

    learners: dict[BandOf, _Learner] = {"time": _Learner(time_of, lambda row: row.time_s)}
    if taken.time == "graph" and any(row.wall_s is not None for row in taken.rows):
        learners["wall"] = _Learner(wall_of, lambda row: row.wall_s)
    if batches:
        learners["energy"] = _Learner(energy_of, energy_in)
    return learners


def left_out(taken: RowsOf, of: BandOf = "time") -> list[tuple[CalibrationRow, LeftOut]]:
    """Each row with its residual when its family is left out of the fit.

    A family that alone has one of the counts, such as the only one with grouped convolutions, is no test of the
    others, which know nothing of that constant: its rows have none.
    """
    return _left_out(taken.rows, _learners(taken)[of], taken.time)


def _left_out(rows: CalibrationRows, learner: _Learner, kind: TimeKind) -> list[tuple[CalibrationRow, LeftOut]]:
    found = []
    for inside, outside in _without_each_family(rows):
        known = {term.constant for term in terms(kind) if any(term.count(row.counts) for row in outside)}
        needed = {term.constant for term in terms(kind) if any(term.count(row.counts) for row in inside)}
        tested = [row for row in inside if learner.measured(row) is not None]
        if tested and needed <= known and any(learner.measured(row) is not None for row in outside):
            predict = learner.learn(outside)
            found += [(row, _residual(row, predict, learner)) for row in tested]
    return found


def _residual(row: CalibrationRow, predict: PredictRow, learner: _Learner) -> LeftOut:
    measured = learner.measured(row)
    assert measured is not None  # such rows alone are tested
    return LeftOut(row.model, row.family, row.batch, fit.log_ratio(predict(row), measured))


def _without_each_family(rows: CalibrationRows) -> Iterator[tuple[list[CalibrationRow], list[CalibrationRow]]]:
    """For each family its rows and the others; nothing if there is only one."""
    families = dict.fromkeys(row.family for row in rows)
    for family in families if len(families) > 1 else ():
        yield [row for row in rows if row.family == family], [row for row in rows if row.family != family]


def _bands(taken: RowsOf, of: BandOf, learner: _Learner, borrowed: Sequence[Band]) -> Iterator[Band]:
    """The band at each batch that has networks enough, or that a borrowed band can stand in for.

    The throughput of a large batch does not depend on it: the rows at all batches make one band.
    """
    found = [one for _, one in _left_out(taken.rows, learner, taken.time)]
    lent = [band for band in borrowed if band.of == of]
    for batch in sorted({row.batch for row in taken.rows if learner.measured(row) is not None}):
        alike = {one.batch for one in found} if taken.time == "throughput" else {batch}
        here = [one for one in found if one.batch in alike]
        if len({one.model for one in here}) >= fit.FEWEST_FOR_BAND:
            yield Band(
                of=of,
                batch=batch,
                half_width=fit.half_width(here),
                rows=len(here),
                families=len({one.family for one in here}),
                mean_error=fit.mean_error(here),
                coverage=_coverage(taken, learner, here),
                ratio_half_width=fit.ratio_half_width(here),
            )
        elif lent:
            yield _borrowed_band(of, batch, here, max(lent, key=lambda band: band.half_width))


def _coverage(taken: RowsOf, learner: _Learner, here: Sequence[LeftOut]) -> float | None:
    """Share of rows inside a band that was made without their family; None with two families, which make none."""
    within, batches = [], {one.batch for one in here}
    for family in dict.fromkeys(one.family for one in here):
        others = [row for row in taken.rows if row.family != family]
        seen = [one for _, one in _left_out(others, learner, taken.time) if one.batch in batches]
        if seen:
            width = fit.half_width(seen)
            within += [abs(one.value) <= width for one in here if one.family == family]
    return sum(within) / len(within) if within else None


def _borrowed_band(of: BandOf, batch: int, here: Sequence[LeftOut], lent: Band) -> Band:
    widest = max([lent.half_width, *(abs(one.value) for one in here)])
    ratio = lent.ratio_half_width and lent.ratio_half_width * widest / lent.half_width
    return Band(
        of=of,
        batch=batch,
        half_width=widest,
        rows=len(here),
        families=len({one.family for one in here}),
        mean_error=max([lent.mean_error, *([fit.mean_error(here)] if here else [])]),
        ratio_half_width=ratio,
        borrowed=True,
    )
