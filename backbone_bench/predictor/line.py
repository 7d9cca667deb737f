"""The line: time, wall latency and energy of a call from its counts, and the fit of each to rows."""

from collections.abc import Collection, Sequence

from backbone_bench.predictor import fit
from backbone_bench.predictor.calibration import CalibrationRow, Constants, EnergyConstants, HostConstants
from backbone_bench.predictor.counts import TERMS, Counts, TimeKind, terms

CalibrationRows = Sequence[CalibrationRow]


def time_s(counts: Counts, constants: Constants) -> float:
    """Predicted time of a call: the sum of its terms."""
    return sum(constants.of(term.constant) * term.count(counts) for term in TERMS)


def wall_s(counts: Counts, work_s: float, host: HostConstants) -> float:
    """Predicted wall latency of an eager call whose device work takes so long."""
    return fit.smooth_maximum(work_s, host.launch_s * counts.ops)


def energy_j(counts: Counts, work_s: float, constants: EnergyConstants) -> float:
    """Predicted energy of a call whose device work takes so long."""
    return constants.idle_w * work_s + constants.flop_j * counts.flops + constants.byte_j * counts.traffic_bytes


def fit_time(rows: CalibrationRows, kind: TimeKind) -> Constants:
    """The constants of these rows; None for a count that no row has."""
    used = terms(kind)
    features = [[float(term.count(row.counts)) for term in used] for row in rows]
    found = fit.relative(features, [row.time_s for row in rows])
    told = {term.constant: value for term, value, *column in zip(used, found, *features, strict=True) if any(column)}
    return Constants(**told)


def fit_host(rows: CalibrationRows) -> HostConstants:
    """What a launch costs the host, by the rows that have a wall latency beside the device's work."""
    both = [(row.time_s, row.ops, row.wall_s) for row in rows if row.wall_s is not None]
    return HostConstants(fit.launch_s(*map(list, zip(*both, strict=True))))


def fit_energy(rows: CalibrationRows, idle_w: float, batches: Collection[int]) -> EnergyConstants:
    """What a multiply-add and a byte add to idle power, by the rows at these batches that have energy."""
    known = [row for row in rows if row.batch in batches and has_energy(row, idle_w)]
    calls_j = [(row.image_j or 0.0) * row.batch for row in known]
    features = [[row.flops, row.traffic_bytes] for row in known]
    flop_j, byte_j = fit.relative(features, calls_j, [idle_w * row.time_s for row in known])
    return EnergyConstants(idle_w, flop_j, byte_j)


def has_energy(row: CalibrationRow, idle_w: float) -> bool:
    """Whether the row has energy above what the device draws at rest."""
    return row.image_j is not None and row.image_j * row.batch > idle_w * row.time_s
