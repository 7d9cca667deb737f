"""Change points: steps are found where they are, and noise alone has hardly any."""

import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.stats.changes import change_points, steps
from tests.stats import changes_trials


def test_a_step_without_noise_is_found_where_it_is_with_its_levels():
    (found,) = change_points([1.0] * 10 + [1.5] * 10)
    assert (found.start, found.before, found.after, found.p_value, found.ratio) == (10, 1.0, 1.5, 0.0, 1.5)


def test_two_steps_are_two_change_points_in_order():
    rng = random.Random(3)
    levels = [1.0] * 30 + [1.1] * 30 + [1.0] * 30
    found = change_points([level * rng.gauss(1, 0.01) for level in levels])
    assert [one.start for one in found] == [30, 60]


def energy_distance(values, split):
    """The definition of Matteson and James, pair by pair."""
    left, right = values[:split], values[split:]
    cross = fmean(abs(a - b) for a in left for b in right)
    within = [fmean(abs(a - b) for n, a in enumerate(part) for b in part[n + 1 :]) for part in (left, right)]
    return len(left) * len(right) / len(values) * (2 * cross - sum(within))


@given(st.lists(st.floats(-100, 100).map(lambda one: round(one, 3)), min_size=6, max_size=15))
def test_the_best_split_is_the_one_with_the_largest_energy_distance(values):
    from backbone_bench.stats.changes import _best_split

    best = max(energy_distance(values, split) for split in range(3, len(values) - 2))
    assert energy_distance(values, _best_split(values)) == pytest.approx(best, abs=1e-6)


@given(st.lists(st.floats(0.1, 10), max_size=5))
def test_too_few_values_have_no_change_point(values):
    assert change_points(values) == []


def test_a_series_without_noise_changes_wherever_it_is_another():
    assert [(one.start, one.ratio) for one in steps([2, 2, 4, 4, 2])] == [(2, 2.0), (4, 0.5)]
    assert steps([]) == []


def test_false_alarms_are_rare_and_a_step_of_five_percent_is_found_within_ten_commits():
    rng = random.Random(5)
    assert changes_trials.false_alarms(0.03, 100, rng) < 0.5
    delays = [changes_trials.delay(0.05, 0.01, rng) for _ in range(10)]
    assert max(one or changes_trials.MOST for one in delays) <= 10
