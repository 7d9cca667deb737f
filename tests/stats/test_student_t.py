"""Student's t and the t confidence interval of a mean; the oracle is scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import sem, t

from backbone_bench.stats import samples


@given(st.integers(1, 200), st.floats(0.5, 0.9999))
def test_the_quantile_is_that_of_scipy(df, confidence):
    assert samples.student_t(df, confidence) == pytest.approx(t.ppf((1 + confidence) / 2, df), rel=1e-9)


@given(st.lists(st.floats(1, 2), min_size=2, max_size=12, unique=True))
def test_the_interval_of_a_mean_is_that_of_scipy(values):
    low, high = t.interval(0.95, len(values) - 1, loc=0, scale=sem(values))
    assert samples.mean_half_width(values) == pytest.approx((high - low) / 2, rel=1e-6)


def test_one_value_has_no_interval():
    assert samples.mean_half_width([1.0]) is None
