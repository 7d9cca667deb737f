"""Paired ratios, p-values and the minimum detectable effect; the oracles are scipy's tests and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from backbone_bench.stats import ratios
from backbone_bench.stats.ratios import Pair, of_turns

seconds = st.floats(1e-6, 1e3)
rounds = st.lists(st.builds(Pair, seconds, seconds), min_size=2, max_size=12)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy's warning about rounds that are all equal
@given(rounds)
def test_the_interval_is_that_of_a_t_test_on_the_logarithms(pairs):
    found = ratios.ratio(pairs, 0.9)
    oracle = scipy_stats.ttest_1samp([math.log(head / base) for head, base in pairs], 0).confidence_interval(0.9)
    if math.isfinite(oracle.low):
        assert (math.log(found.low), math.log(found.high)) == pytest.approx((oracle.low, oracle.high), abs=1e-6)


@given(rounds)
def test_changing_sides_turns_the_ratio_upside_down(pairs):
    inverted = ratios.ratio([pair.inverted for pair in pairs])
    estimate, low, high = ratios.ratio(pairs)
    assert (inverted.estimate * estimate, inverted.low * high, inverted.high * low) == pytest.approx(
        (1, 1, 1), rel=1e-6
    )


@given(rounds, st.floats(0.1, 10))
def test_what_slows_both_sides_of_every_round_alike_changes_nothing(pairs, factor):
    slowed = [Pair(head * factor, base * factor) for head, base in pairs]
    assert ratios.ratio(slowed) == pytest.approx(ratios.ratio(pairs), rel=1e-6)


def test_one_round_leaves_the_interval_open_and_proves_nothing():
    assert ratios.ratio([Pair(3.0, 1.0)]) == pytest.approx((3.0, 0.0, math.inf))
    assert ratios.p_value_greater([math.log(3.0)]) == 1.0


def test_a_negative_time_is_refused():
    with pytest.raises(ValueError, match="positive"):
        ratios.ratio([Pair(1.0, 1.0), Pair(-0.1, 1.0)])


def test_p_values_are_those_of_the_one_sided_t_test():
    changes = [0.01, 0.03, 0.02, 0.05, -0.01]
    above = scipy_stats.ttest_1samp(changes, 0.01, alternative="greater").pvalue
    assert ratios.p_value_greater(changes, 0.01) == pytest.approx(above, rel=1e-9)
    assert ratios.p_value_greater(changes, 0.09) == pytest.approx(
        scipy_stats.ttest_1samp(changes, 0.09, alternative="greater").pvalue, rel=1e-9
    )


def test_rounds_without_any_noise_are_certain():
    assert ratios.p_value_greater([0.02, 0.02]) == 0
    assert ratios.p_value_greater([0.0, 0.0]) == 1
    assert ratios.ratio([Pair(3.0, 2.0), Pair(3.0, 2.0)]) == pytest.approx((1.5, 1.5, 1.5))


def test_holm_reproduces_a_worked_example():
    # By hand: the sorted .01 .013 .02 .4 times 4, 3, 2, 1, and none less than the one before it.
    assert ratios.holm([0.02, 0.4, 0.01, 0.013]) == pytest.approx((0.04, 0.4, 0.04, 0.04))


@given(p_values)
def test_holm_lies_between_no_correction_and_bonferroni(values):
    for plain, adjusted in zip(values, ratios.holm(values), strict=True):
        assert plain <= adjusted <= min(1.0, len(values) * plain) or adjusted == pytest.approx(plain)


@pytest.mark.parametrize("rounds", [5, 10])
@pytest.mark.parametrize("deviation", [0.004, 0.02, 0.06])
def test_the_detectable_change_is_detected_four_times_in_five(rounds, deviation):
    threshold = 0.03
    change = math.log1p(ratios.min_detectable_effect(deviation, rounds, threshold))
    drawn = np.random.default_rng(5).normal(change, deviation, (4000, rounds))
    certain = scipy_stats.ttest_1samp(drawn, 0, axis=1, alternative="greater").pvalue < 0.05
    assert np.mean(certain & (drawn.mean(axis=1) > math.log1p(threshold))) == pytest.approx(0.8, abs=0.05)


def test_the_ratio_of_a_live_round_is_that_of_its_turns_and_the_geometric_mean_stays():
    """Ratios 2, 2, 2, 4: the means of pairs of their logarithms are 1 six times, 1.5 three times and 2, in log2."""
    found = of_turns(Pair(3.0, 1.0), [Pair(2.0, 1.0), Pair(4.0, 2.0), Pair(1.0, 0.5), Pair(8.0, 2.0)])
    assert found.numerator / found.denominator == pytest.approx(2.0)
    assert found.numerator * found.denominator == pytest.approx(3.0)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=20))
def test_swapping_the_sides_of_the_turns_inverts_the_ratio(turns):
    pairs = [Pair(*turn) for turn in turns]
    found = of_turns(Pair(2.0, 3.0), pairs)
    swapped = of_turns(Pair(3.0, 2.0), [pair.inverted for pair in pairs])
    assert swapped.numerator / swapped.denominator == pytest.approx(found.denominator / found.numerator)
