"""Statistics of timings; the oracles are scipy, numpy and MLPerf's printed table."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, t, wilcoxon

from backbone_bench.stats import samples as stats

TIMES = st.floats(1e-6, 10)


def series(n: int, rho: float, *, seed: int = 1, outliers: float = 0.0) -> list[float]:
    """Timings around 1 s with a lag-1 autocorrelation of `rho`; the share `outliers` of them is interrupted."""
    rng = random.Random(seed)
    noise, found = rng.gauss(0, 1), []
    for _ in range(n):
        noise = rho * noise + (1 - rho**2) ** 0.5 * rng.gauss(0, 1)
        found.append(1 + 0.02 * noise + (rng.expovariate(2) if rng.random() < outliers else 0))
    return found


def interval(samples) -> stats.Interval:
    found = stats.median_interval(samples)
    assert found is not None
    return found


# The confidence interval of the median.


@pytest.mark.parametrize("n", range(6, 20))
def test_below_twenty_samples_the_interval_is_the_narrowest_pair_of_ranks_that_covers_95_percent(n):
    low, high = interval(range(1, n + 1))
    assert low + high == n + 1
    assert binom.cdf(high - 1, n, 0.5) - binom.cdf(low - 1, n, 0.5) >= 0.95
    assert binom.cdf(high - 2, n, 0.5) - binom.cdf(low, n, 0.5) < 0.95


@given(st.lists(TIMES, max_size=5))
def test_five_samples_have_no_interval(samples):
    assert stats.median_interval(samples) is None


@pytest.mark.parametrize(("n", "blocks"), [(20, 5), (1000, 20)])
def test_from_twenty_independent_samples_on_the_interval_is_the_t_interval_of_block_medians(n, blocks):
    samples = series(n, rho=0)
    medians = np.median(np.array(samples).reshape(blocks, -1), axis=1)
    half = t.ppf(0.975, blocks - 1) * medians.std(ddof=1) / blocks**0.5
    middle = np.median(samples)
    assert interval(samples) == pytest.approx((middle - half, middle + half))


@given(st.lists(TIMES, min_size=6, max_size=60))
def test_the_median_lies_within_its_interval(samples):
    low, high = interval(samples)
    assert low <= np.median(samples) <= high


@given(st.lists(st.integers(1, 1000), min_size=6, max_size=60), st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_an_interval_in_another_unit_is_the_same_interval(samples, factor):
    low, high = interval(samples)
    assert interval([sample * factor for sample in samples]) == pytest.approx((low * factor, high * factor))


def test_samples_that_are_all_equal_have_an_interval_of_no_width():
    assert interval([0.25] * 100) == (0.25, 0.25)


def test_samples_that_follow_each_other_have_a_wider_interval_than_the_same_samples_shuffled():
    samples = series(400, rho=0.9)
    shuffled = random.Random(3).sample(samples, len(samples))
    follow, mixed = interval(samples), interval(shuffled)
    assert follow.high - follow.low > 2 * (mixed.high - mixed.low)


def test_blocks_are_fewer_the_more_samples_depend_on_each_other():
    counts = [stats.independent_blocks(series(400, rho)) for rho in (0, 0.5, 0.9)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < 20 < counts[0]


# Dependence and drift.


@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_a_block_is_four_times_as_long_as_what_independent_samples_leave_of_the_rest(rho):
    """On average, since lag-1 is estimated: low by about (1 + 3ρ)/n (Kendall 1954), which is corrected."""
    counts = [stats.independent_blocks(series(100, rho, seed=seed)) for seed in range(400)]
    assert np.mean(counts) + 0.5 == pytest.approx(100 * (1 - rho) / 4, abs=0.35)  # rounded down, by a half on average


def test_a_drift_never_lets_a_block_grow_beyond_four_hundred_samples():
    assert stats.independent_blocks(range(2000)) == 5


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("outliers", [0.0, 0.01])
def test_lag1_is_found_even_where_one_sample_in_a_hundred_was_interrupted(rho, outliers):
    assert stats.lag1(series(20_000, rho, outliers=outliers)) == pytest.approx(rho, abs=0.1)


def test_one_sample_in_a_hundred_hides_a_correlation_from_the_plain_estimate():
    samples = np.array(series(20_000, rho=0.9, outliers=0.01))
    assert np.corrcoef(samples[1:], samples[:-1])[0, 1] < 0.4


def test_lag1_of_what_never_changes_is_zero_and_of_what_alternates_near_minus_one():
    assert stats.lag1([0.5] * 50) == 0
    assert stats.lag1([1.0, 2.0] * 500) == pytest.approx(-1, abs=0.01)


def test_lag1_of_a_clock_so_coarse_that_most_samples_are_equal_is_still_a_number():
    assert -1 <= stats.lag1([1.0] * 60 + [2.0] * 20) <= 1


def test_drift_is_the_last_quarter_over_the_first():
    assert stats.drift([2.0] * 10 + [5.0] * 20 + [3.0] * 10) == 1.5
    assert stats.drift([1.0] * 7) is None
    assert stats.drift([1.0] * 8) == 1
    assert stats.drift(range(1, 41)) == 35.5 / 5.5


# Tails.


def test_percentiles_need_what_mlperf_says_they_need():
    shares = (0.5, 0.9, 0.95, 0.99, 0.999)
    assert [stats.samples_needed(share) for share in shares] == [11, 64, 130, 662, 6636]


@pytest.mark.parametrize("share", [0.6, 0.9, 0.97])
def test_so_many_samples_show_two_beyond_the_percentile_and_one_fewer_may_not(share):
    n = stats.samples_needed(share)
    assert binom.cdf(1, n, 1 - share) <= 0.01 < binom.cdf(1, n - 1, 1 - share)


@given(st.lists(TIMES, min_size=1, max_size=200), st.sampled_from([0.25, 0.5, 0.9, 0.99]))
def test_a_quantile_is_a_sample(samples, share):
    assert stats.quantile(samples, share) == np.quantile(samples, share, method="inverted_cdf")


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60))
def test_quartiles_and_their_distance_are_numpys(samples):
    low, high = np.quantile(samples, [0.25, 0.75], method="inverted_cdf")
    assert (stats.quantile(samples, 0.25), stats.quantile(samples, 0.75)) == (low, high)
    assert stats.iqr(samples) == high - low


def test_outliers_are_the_samples_ten_deviations_out():
    samples = series(500, rho=0)
    samples[17], samples[400] = 1.3, 0.5
    assert stats.outliers(samples) == (17, 400)


def test_a_sample_just_beyond_ten_deviations_is_an_outlier_and_one_just_within_is_none():
    middling = [0.99, 1.0, 1.01] * 33  # a median absolute deviation of 0.01: of a normal distribution, 1/1.4826
    far = 10 * 1.4826 * 0.01
    assert stats.outliers([*middling, 1 + 1.1 * far]) == (99,)
    assert stats.outliers([*middling, 1 + 0.9 * far]) == ()


def test_a_coarse_clock_makes_no_outliers_of_its_neighbouring_ticks():
    assert stats.outliers([1.0] * 90 + [1.01] * 10) == ()
    assert stats.outliers([1.0] * 99 + [1.5]) == (99,)


# The confidence interval by ranks.


def by_ranks(values, confidence):
    found = stats.hodges_lehmann(values, confidence)
    assert found is not None
    return found


@given(st.lists(st.floats(-1, 1), min_size=9, max_size=30, unique=True), st.sampled_from([0.9, 0.95, 0.995]))
def test_the_interval_by_ranks_holds_what_the_signed_rank_test_does_not_reject(values, confidence):
    middle, interval = by_ranks(values, confidence)
    assert interval.low <= middle <= interval.high

    def p(shift):
        return wilcoxon([value - shift for value in values], method="exact").pvalue

    width = max(1e-9, 1e-6 * (interval.high - interval.low))
    for end, inwards in ((interval.low, width), (interval.high, -width)):
        sums = {(one + other) / 2 for one in values for other in values}
        if any(0 < abs(one - end) <= 2 * width for one in sums):
            continue  # the mean of another pair is too near for floats
        assert p(end - inwards) <= 1 - confidence < p(end + inwards)


def test_with_too_few_values_ranks_tell_no_interval():
    assert stats.hodges_lehmann(range(8), 0.995) is None
    assert by_ranks(range(9), 0.995) == (4, (0, 8))


def test_one_wild_value_of_eighteen_hardly_moves_the_interval_by_ranks():
    calm = [0.05 + 0.01 * math.sin(place) for place in range(18)]
    middle, interval = by_ranks([*calm[:-1], -0.6], 0.995)
    assert abs(middle - by_ranks(calm, 0.995)[0]) < 0.005
    assert interval.low > 0.03
