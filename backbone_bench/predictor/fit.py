"""Fits of a calibration: non-negative constants of relative errors, and bands from families that were left out.

The constants minimise the sum of squared relative errors. Each is pulled, very weakly, to a start value that the rows
themselves give, so that a constant that they hardly tell is of a plausible size; large errors count less, as in
scipy's `least_squares(loss="soft_l1")`. There are five constants at most, so every set of constants that are not zero
is tried: the best of them without a negative constant is the solution of the non-negative problem, since it solves
the problem without the others (Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23).
"""

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

FloatArray = Any  # numpy array of floats

PULL = 0.01  # of a start value: as much as a relative error of 1 % in one row
SCALE = 0.1  # relative errors above it count less than their square
ROUNDS = 5  # of reweighting; it changes no constant by 0.1 % any more
SHARPNESS = 3  # exponent of the smooth maximum of device work and launches
CONFIDENCE = 0.9  # of a band
FEWEST_FOR_BAND = 9  # networks: the 90 % rank of fewer lies above the largest residual


def relative(
    features: Sequence[Sequence[float]], targets: Sequence[float], offsets: Sequence[float] | None = None
) -> list[float]:
    """Fit non-negative constants c so that offsets + features @ c are the targets, in relative errors.

    The start value of a constant is half of the most that it can be in any row. It is 0 for an empty column.
    """
    x, y = np.array(features, float), np.array(targets, float)
    left = np.ones(len(y)) if offsets is None else 1 - np.array(offsets, float) / y
    used = np.flatnonzero((x > 0).any(axis=0))
    shares = x[:, used] / y[:, None]
    starts = 0.5 / (shares / left[:, None]).max(axis=0)
    scaled, weights = shares * starts, np.ones(len(y))
    solution = np.ones(len(used))
    for _ in range(ROUNDS):
        solution = _pulled(scaled, left, weights)
        weights = (1 + ((scaled @ solution - left) / SCALE) ** 2) ** -0.25
    constants = np.zeros(x.shape[1])
    constants[used] = solution * starts
    return [float(constant) for constant in constants]


def _pulled(shares: FloatArray, target: FloatArray, weights: FloatArray) -> FloatArray:
    """The non-negative multiples of the start values at which shares add up to the target, each pulled to 1."""
    width = shares.shape[1]
    matrix = np.vstack([shares * weights[:, None], PULL * np.eye(width)])
    return non_negative(matrix, np.concatenate([target * weights, PULL * np.ones(width)]))


def non_negative(matrix: FloatArray, target: FloatArray) -> FloatArray:
    """Solve least squares with non-negative unknowns, of which there are few: every set of positive ones is tried."""
    width = matrix.shape[1]
    best, least = np.zeros(width), math.inf
    for size in range(width, 0, -1):
        for chosen in map(list, combinations(range(width), size)):
            part = np.linalg.lstsq(matrix[:, chosen], target, rcond=None)[0]
            misfit = float(np.sum((matrix[:, chosen] @ part - target) ** 2))
            if (part >= 0).all() and misfit < least:
                best, least = np.zeros(width), misfit
                best[chosen] = part
        if least < math.inf and size == width:
            break  # without any bound in its way it is the least of all
    return best


def smooth_maximum(work_s: float, host_s: float) -> float:
    """The time of an eager call: about the longer of the device's work and the host's launches."""
    return float((work_s**SHARPNESS + host_s**SHARPNESS) ** (1 / SHARPNESS))


def launch_s(work_s: Sequence[float], ops: Sequence[int], wall_s: Sequence[float]) -> float:
    """Fit the time of one launch by the host, to wall latencies: the least sum of soft absolute log errors."""
    work, wall = np.array(work_s, float), np.array(wall_s, float)
    most = float(np.max(wall / np.array(ops, float)))

    def misfit(seconds: float) -> float:
        predicted = (work**SHARPNESS + (seconds * np.array(ops, float)) ** SHARPNESS) ** (1 / SHARPNESS)
        return float(np.sum(np.sqrt(1 + (np.log(predicted / wall) / SCALE) ** 2)))

    return _least(misfit, most / 1e3, most)


def _least(misfit: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of a positive number is least: a fine grid of ratios, narrowed three times."""
    for _ in range(3):
        grid = np.geomspace(low, high, 201)
        at = int(np.argmin([misfit(float(value)) for value in grid]))
        low, high = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])
    return math.sqrt(low * high)


# Bands.


class LeftOut(NamedTuple):
    """How far a row was off whose family was left out of the fit: the natural logarithm of predicted over measured."""

    model: str
    family: str
    batch: int
    value: float


def log_ratio(predicted: float, measured: float) -> float:
    """The natural logarithm of predicted over measured."""
    return math.log(predicted / measured)


def half_width(residuals: Sequence[LeftOut]) -> float:
    """Half-width of a 90 % band by split conformal prediction: the residual of rank ⌈0.9·(n+1)⌉ of n networks by size.

    Of a network in several sizes or records the largest counts, since they are much alike. With fewer than nine
    networks it is the largest of all, which promises less (Lei et al. 2018, section 2.2).
    """
    of_networks: dict[str, float] = {}
    for one in residuals:
        of_networks[one.model] = max(of_networks.get(one.model, 0.0), abs(one.value))
    sizes = sorted(of_networks.values())
    rank = math.ceil(CONFIDENCE * (len(sizes) + 1))
    return sizes[min(rank, len(sizes)) - 1]


def ratio_half_width(residuals: Sequence[LeftOut]) -> float | None:
    """Half-width of a 90 % band of the ratio of two networks of different families; None for one family."""
    pairs = combinations(residuals, 2)
    sizes = sorted(abs(one.value - other.value) for one, other in pairs if one.family != other.family)
    return sizes[math.ceil(CONFIDENCE * len(sizes)) - 1] if sizes else None


def mean_error(residuals: Sequence[LeftOut]) -> float:
    """Mean of |predicted/measured − 1|."""
    return sum(abs(math.expm1(one.value)) for one in residuals) / len(residuals)
