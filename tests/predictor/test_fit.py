"""Fits: they solve what they say, by scipy, and find constants that are there."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize, nnls

from backbone_bench.predictor import fit
from backbone_bench.predictor.fit import LeftOut

NUMBERS = st.floats(-3, 3).map(lambda value: round(value, 3))


@given(st.integers(1, 5).flatmap(lambda width: st.tuples(
    arrays(float, (8, width), elements=NUMBERS), arrays(float, 8, elements=NUMBERS))))  # fmt: skip
def test_non_negative_least_squares_are_those_of_scipy(problem):
    matrix, target = problem
    matrix = np.vstack([matrix, 0.1 * np.eye(matrix.shape[1])])  # as the pull does: no column is without weight
    target = np.concatenate([target, np.zeros(matrix.shape[1])])
    assert fit.non_negative(matrix, target) == pytest.approx(nnls(matrix, target)[0], abs=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_constants_that_are_there_are_found(seed):
    draw = random.Random(seed)
    true = [draw.uniform(0.2, 5) for _ in range(4)]
    features = [[draw.uniform(0.1, 10) for _ in true] for _ in range(30)]
    targets = [sum(c * x for c, x in zip(true, row, strict=True)) for row in features]
    assert fit.relative(features, targets) == pytest.approx(true, rel=0.02)


def test_an_offset_is_taken_off_first():
    features, offsets = [[1.0], [2.0], [5.0]], [10.0, 1.0, 3.0]
    targets = [3 * x + offset for (x,), offset in zip(features, offsets, strict=True)]
    assert fit.relative(features, targets, offsets) == pytest.approx([3], rel=0.02)


def test_what_no_row_has_costs_nothing():
    assert fit.relative([[1.0, 0.0], [2.0, 0.0]], [2.0, 4.0])[1] == 0


def test_one_row_that_is_far_off_hardly_moves_the_others():
    """The fit minimises soft absolute errors: the same as scipy's general minimiser finds."""
    draw = random.Random(1)
    x = np.array([[draw.uniform(0.1, 10), draw.uniform(0.1, 10)] for _ in range(20)])
    y = x @ [2.0, 3.0]
    y[0] *= 2

    def loss(constants):
        return np.sum(np.sqrt(1 + ((x @ constants / y - 1) / fit.SCALE) ** 2))

    theirs = minimize(loss, [1.0, 1.0]).x
    ours = fit.relative(x.tolist(), y.tolist())
    assert ours == pytest.approx(theirs, rel=0.02)
    assert ours == pytest.approx([2, 3], rel=0.05)


@given(st.floats(1e-6, 1), st.floats(1e-6, 1))
def test_a_call_takes_as_long_as_the_longer_of_work_and_launches_at_least(work_s, host_s):
    longer = max(work_s, host_s)
    assert longer * (1 - 1e-12) <= fit.smooth_maximum(work_s, host_s) <= 2 ** (1 / fit.SHARPNESS) * longer * (1 + 1e-12)


def test_the_launch_of_a_host_is_found():
    work_s, ops = [1e-3, 5e-3, 1e-4, 2e-3], [100, 120, 400, 60]
    walls_s = [fit.smooth_maximum(s, 2e-5 * n) for s, n in zip(work_s, ops, strict=True)]
    assert fit.launch_s(work_s, ops, walls_s) == pytest.approx(2e-5, rel=1e-3)


def left_out(*values: float) -> list[LeftOut]:
    return [LeftOut(f"net{n}", f"family{n}", 1, value) for n, value in enumerate(values)]


def test_the_band_is_the_residual_of_the_conformal_rank():
    """⌈0.9·(n+1)⌉: of 19 networks the 18th, of nine or fewer the largest."""
    assert fit.half_width(left_out(*(n / 100 for n in range(1, 20)))) == 0.18
    assert fit.half_width(left_out(*(n / 100 for n in range(1, 10)))) == 0.09
    assert fit.half_width(left_out(0.01, -0.07)) == 0.07


def test_a_network_in_several_sizes_counts_once():
    alike = [LeftOut("net", "family", 1, value) for value in (0.01, -0.3, 0.02)]
    assert fit.half_width([*alike, *left_out(*[0.1] * 19)]) == 0.1


def test_the_band_holds_for_nine_of_ten_new_networks():
    draw = np.random.default_rng(0)
    inside = []
    for _ in range(2000):
        *seen, new = draw.standard_normal(20)
        inside.append(abs(new) <= fit.half_width(left_out(*seen)))
    assert np.mean(inside) > 0.88


def test_the_band_of_a_ratio_is_of_networks_of_different_families():
    same = [LeftOut("a", "family", 1, 0.5), LeftOut("b", "family", 1, -0.5)]
    assert fit.ratio_half_width(same) is None
    assert fit.ratio_half_width([*same, LeftOut("c", "other", 1, 0.4)]) == pytest.approx(0.9)


def test_the_mean_error_is_relative():
    assert fit.mean_error(left_out(math.log(1.1), math.log(0.8))) == pytest.approx(0.15)
