"""Rank correlation; the oracle is scipy."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from backbone_bench.stats.correlation import difference, rank_correlation

VALUES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=30)


@given(VALUES)
def test_ties_share_their_rank_as_in_scipy(pairs):
    left, right = zip(*pairs, strict=True)
    assume(len(set(left)) > 1 and len(set(right)) > 1)
    assert rank_correlation(left, right) == pytest.approx(scipy_stats.spearmanr(left, right).statistic, abs=1e-9)


def test_where_nothing_varies_there_is_no_correlation():
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0


def test_a_figure_that_orders_as_the_clock_does_is_closer_than_its_reverse():
    clock = [float(n) for n in range(12)]
    assert difference(clock, clock, clock[::-1]).low > 1
    assert difference(clock, clock[::-1], clock).high < -1


def test_two_equal_figures_are_equally_close():
    clock = [1.0, 5.0, 2.0, 8.0, 3.0]
    assert difference(clock, clock, clock) == (0, 0)
