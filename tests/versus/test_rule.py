import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.stats.ratios import CONFIDENCE, Pair, Ratio, interim_ratio, signed_rank_ratio
from backbone_bench.versus.rule import FEWEST, DecisionRule, decide
from tests.versus.simulation import (
    LIVE_MACHINES,
    LIVE_SHARED,
    NOISY,
    QUIET,
    SHARED,
    SHARP,
    TYPICAL,
    live_verdicts,
    verdicts,
)

TRIALS = 2000
ratios = st.floats(0.1, 10)


@given(st.integers(FEWEST, 100))
def test_the_first_look_is_after_an_even_half_and_the_last_after_all_rounds(rounds):
    *early, last = DecisionRule(rounds).interims
    assert last == rounds
    for taken in early:
        assert taken % 2 == 0
        assert FEWEST <= taken <= rounds / 2


@given(st.tuples(ratios, ratios, ratios).map(sorted), st.floats(0.001, 1))
def test_swapping_the_sides_turns_the_verdict_round(bounds, threshold):
    low, point, high = bounds
    rule, ratio, swapped = (
        DecisionRule(threshold=threshold),
        Ratio(point, low, high),
        Ratio(1 / point, 1 / high, 1 / low),
    )
    mirror = {"less": "more", "more": "less", "no_difference": "no_difference", "unclear": "unclear"}
    on_edge = any(math.isclose(bound, edge) for bound in (low, high) for edge in (1 + threshold, 1 / (1 + threshold)))
    assert on_edge or rule.verdict(swapped) == mirror[rule.verdict(ratio)]


@given(ratios, st.floats(0, 2), st.floats(0.001, 1))
def test_a_wider_interval_never_turns_a_verdict_into_another_but_unclear(point, width, threshold):
    rule = DecisionRule(threshold=threshold)
    narrow = rule.verdict(Ratio(point, point, point))
    wide = rule.verdict(Ratio(point, point / (1 + width), point * (1 + width)))
    assert wide in (narrow, "unclear", "less" if point < 1 else "more")
    assert {narrow, wide} != {"less", "more"}


def test_each_look_is_more_certain_than_both_together_by_what_two_looks_may_err():
    pairs = [Pair(1.0 + 0.01 * (n % 5), 1.0) for n in range(18)]
    assert interim_ratio(pairs, interims=2) == signed_rank_ratio(pairs, 0.995)
    assert interim_ratio(pairs, interims=1) == signed_rank_ratio(pairs, CONFIDENCE) != interim_ratio(pairs, interims=2)


def test_a_clear_answer_ends_the_rounds_at_the_first_look_and_an_unclear_one_does_not():
    clear = [Pair(2.0 + 0.01 * (n % 2), 1.0) for n in range(18)]
    unclear = [Pair((0.5, 2.0)[n % 2], 1.0) for n in range(18)]
    assert len(decide(DecisionRule(12), clear)) == 6
    assert len(decide(DecisionRule(12), unclear)) == 12


def test_when_time_is_up_the_last_look_comes_early_and_is_no_less_certain():
    pairs = [Pair(1.0 + 0.01 * (n % 5), 1.0) for n in range(9)]
    assert decide(DecisionRule(12), pairs) == tuple(pairs)
    assert DecisionRule(12).ratio(pairs) == signed_rank_ratio(pairs, 0.995)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [QUIET, TYPICAL, NOISY, SHARED], ids=lambda machine: machine.name)
def test_equal_sides_are_called_different_in_one_case_of_a_hundred_at_most(machine):
    found = verdicts(machine, 0.0, TRIALS, seed=2)
    allowed = (1 - CONFIDENCE) * TRIALS
    # plus three standard deviations of the simulation itself
    assert found["less"] + found["more"] <= allowed + 3 * math.sqrt(allowed)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [QUIET, TYPICAL], ids=lambda machine: machine.name)
def test_a_difference_of_five_percent_is_found_in_nine_cases_of_ten(machine):
    assert verdicts(machine, 0.05, TRIALS, seed=3)["more"] >= 0.9 * TRIALS


@pytest.mark.slow
def test_on_a_shared_machine_fresh_rounds_find_less_than_half_of_such_differences_and_live_ones_all():
    assert 0.35 * TRIALS <= verdicts(SHARED, 0.05, TRIALS, seed=3)["more"] <= 0.5 * TRIALS
    assert live_verdicts(LIVE_SHARED, 0.05, 200, seed=3)["more"] == 200


@pytest.mark.slow
@pytest.mark.parametrize("machine", LIVE_MACHINES, ids=lambda machine: machine.name)
def test_equal_sides_in_turns_are_called_different_in_one_case_of_a_hundred_at_most(machine):
    found = live_verdicts(machine, 0.0, 1000, seed=2)
    allowed = (1 - CONFIDENCE) * 1000
    assert found["less"] + found["more"] <= allowed + 3 * math.sqrt(allowed)


@pytest.mark.slow
def test_two_percent_are_found_in_turns_on_a_shared_machine_in_nine_cases_of_ten():
    assert live_verdicts(LIVE_SHARED, 0.02, 300, seed=3, rule=SHARP)["more"] >= 0.9 * 300


@pytest.mark.slow
@pytest.mark.parametrize("machine", [QUIET, TYPICAL, NOISY, SHARED], ids=lambda machine: machine.name)
def test_a_difference_above_the_threshold_is_rarely_denied(machine):
    assert verdicts(machine, 0.031, TRIALS, seed=4)["no_difference"] <= 0.01 * TRIALS
