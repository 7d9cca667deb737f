"""Change points: steps are found where they are, and noise alone has hardly any."""

import random
import warnings
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from backbone_bench.stats.changes import ALPHA, change_points, steps
from tests.stats import changes_trials


def test_a_step_without_noise_is_found_where_it_is_with_its_levels():
    (found,) = change_points([1.0] * 10 + [1.5] * 10)
    assert (found.start, found.before, found.after, found.p_value, found.ratio) == (10, 1.0, 1.5, 0.0, 1.5)


def test_two_steps_are_two_change_points_in_order():
    rng = random.Random(3)
    levels = [1.0] * 30 + [1.1] * 30 + [1.0] * 30
    found = change_points([level * rng.gauss(1, 0.01) for level in levels])
    assert [one.start for one in found] == [30, 60]


def test_a_slowdown_that_was_mended_after_some_commits_is_two_change_points():
    rng = random.Random(4)
    found = change_points([rng.gauss(1.1 if 60 <= n < 66 else 1, 0.01) for n in range(200)])
    assert [one.start for one in found] == [60, 66]
    assert found[0].ratio == pytest.approx(1.1, abs=0.02)


def energy_distance(values, split, end):
    """The definition of Matteson and James, pair by pair."""
    left, right = values[:split], values[split:end]
    cross = fmean(abs(a - b) for a in left for b in right)
    within = [fmean(abs(a - b) for n, a in enumerate(part) for b in part[n + 1 :]) for part in (left, right)]
    return len(left) * len(right) / end * (2 * cross - sum(within))


@given(st.lists(st.floats(-100, 100).map(lambda one: round(one, 3)), min_size=6, max_size=15))
def test_the_best_split_is_the_one_with_the_largest_energy_distance(values):
    from backbone_bench.stats.changes import _best_split

    ends = [(split, end) for end in range(6, len(values) + 1) for split in range(3, end - 2)]
    best = max(energy_distance(values, *one) for one in ends)
    split, end, distance = _best_split(values)
    assert energy_distance(values, split, end) == pytest.approx(best, abs=1e-6) == pytest.approx(distance, abs=1e-6)


@given(st.lists(st.floats(0.5, 2), min_size=6, max_size=120))
def test_every_change_point_is_significant_between_its_neighbours_by_another_program(values):
    places = [one.start for one in change_points(values)]
    ends = [0, *places, len(values)]
    for n, place in enumerate(places):
        before, after = values[ends[n] : place], values[place : ends[n + 2]]
        tries = len(before) + len(after) - 5
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts that hardly vary
            assert ttest_ind(before, after).pvalue * tries <= ALPHA * (1 + 1e-6)


@given(st.lists(st.floats(0.1, 10), max_size=5))
def test_too_few_values_have_no_change_point(values):
    assert change_points(values) == []


def test_a_series_without_noise_changes_wherever_it_is_another():
    assert [(one.start, one.ratio) for one in steps([2, 2, 4, 4, 2])] == [(2, 2.0), (4, 0.5)]
    assert steps([]) == []


def test_false_alarms_are_rare_and_a_step_of_five_percent_is_found_within_ten_commits():
    rng = random.Random(5)
    assert changes_trials.false_alarms(changes_trials.ours, 0.03, 10, rng) <= 2
    delays = [changes_trials.delay(changes_trials.ours, 0.05, 0.01, rng) for _ in range(10)]
    assert max(one or changes_trials.MOST for one in delays) <= 10
