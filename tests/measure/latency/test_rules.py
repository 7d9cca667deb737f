"""Rules of the latency meter: end of the warm-up, end of the sampling, number of samples between two checks."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.measure.latency.plan import FULL, QUICK, choose
from backbone_bench.measure.latency.rules import StoppingRule, WarmUpBlock, WarmUpRule, cpu_contention
from backbone_bench.stats import samples


def blocks(*medians_s: float) -> list[WarmUpBlock]:
    return [WarmUpBlock(median_s, 10, allocations=0) for median_s in medians_s]


@pytest.mark.parametrize(("last", "verdict"), [(1.004, "steady"), (1.006, None), (0.996, "steady"), (0.994, None)])
def test_the_last_quarter_agrees_with_the_quarter_before_to_half_a_percent(last, verdict):
    assert WarmUpRule().verdict(blocks(*[9.0] * 4, 1.0, 1.0, last, last), spent_s=2) == verdict


def test_what_happened_in_the_first_half_does_not_count():
    assert WarmUpRule().verdict(blocks(50, 3, 2, 1.5, 1, 1, 1, 1), spent_s=2) == "steady"


def test_it_is_never_warm_before_two_seconds_or_eight_blocks():
    assert WarmUpRule().verdict(blocks(*[1.0] * 100), spent_s=1.99) is None
    assert WarmUpRule().verdict(blocks(*[1.0] * 7), spent_s=29) is None


def test_after_thirty_seconds_it_goes_on_as_it_is():
    rising = [1.01**n for n in range(40)]
    assert WarmUpRule().verdict(blocks(*rising), spent_s=29.9) is None
    assert WarmUpRule().verdict(blocks(*rising), spent_s=30) == "not_steady"


def test_too_few_blocks_to_tell_are_a_warm_up_cut_short():
    assert WarmUpRule().verdict(blocks(1.0, 1.0), spent_s=40) == "cut_short"
    assert WarmUpRule().verdict(blocks(*[1.0] * 8, 1.1, 1.1), spent_s=30) == "cut_short"  # two medians on either side
    assert WarmUpRule().verdict(blocks(*[1.0] * 10), spent_s=30) == "steady"


@pytest.mark.parametrize("max_s", [0.1, 0.17, 1.0])
def test_a_rule_with_less_time_has_shorter_blocks_and_can_still_tell(max_s):
    rule = WarmUpRule().within(max_s)
    count = int(max_s / rule.block_s)
    assert rule.min_s <= rule.max_s == max_s
    assert rule.verdict(blocks(*[1.0, 1.01] * (count // 2)), spent_s=max_s) == "steady"
    assert rule.verdict(blocks(*[1.02**place for place in range(count)]), spent_s=max_s) == "not_steady"


@pytest.mark.parametrize(("allocated_in", "verdict"), [(3, "steady"), (4, None), (7, None)])
def test_the_allocator_has_to_be_quiet_over_both_quarters(allocated_in, verdict):
    measured = [WarmUpBlock(1.0, 10, allocations=int(place >= allocated_in)) for place in range(8)]
    assert WarmUpRule().verdict(measured, spent_s=5) == verdict


def test_an_interval_is_narrow_only_with_a_hundred_samples_and_a_second_of_work():
    assert not StoppingRule().narrow([1.0] * 99, 1)
    assert StoppingRule().narrow([1.0] * 100, 1)
    assert not StoppingRule().narrow([0.001] * 900, 1)
    assert StoppingRule().narrow([0.001] * 900, 2)
    assert StoppingRule().narrow([1e-6] * 10_000, 1)


@pytest.mark.parametrize(("half_width", "narrow"), [(0.0049, True), (0.0051, False)])
def test_an_interval_is_narrow_with_half_a_percent_on_either_side(half_width, narrow):
    rng = random.Random(1)
    noise = [rng.gauss(0, 1) for _ in range(1000)]

    def samples_s(spread: float) -> list[float]:
        middle = statistics.median(noise)
        return [1 + spread * (value - middle) for value in noise]  # the median is 1 whatever the spread

    interval = samples.median_interval(samples_s(0.01))
    assert interval is not None
    spread = 0.01 * half_width / ((interval.high - interval.low) / 2)
    assert StoppingRule().narrow(samples_s(spread), 1) is narrow


def test_a_narrow_interval_of_samples_that_cannot_be_cut_into_ten_blocks_is_not_trusted():
    slow_wave = [1 + 1e-4 * ((n // 10) % 2) for n in range(120)]
    assert not StoppingRule().narrow(slow_wave, 1)


@pytest.mark.parametrize(
    ("taken", "spent_s", "narrow_checks", "verdict"),
    [
        (200, 3, 1, None),
        (200, 3, 2, "converged"),
        (29, 500, 0, None),
        (30, 14.9, 0, None),
        (30, 15, 0, "timeout"),
        (100_000, 1, 0, "timeout"),
    ],
)
def test_sampling_ends_narrow_or_out_of_time(taken, spent_s, narrow_checks, verdict):
    assert StoppingRule().verdict(taken, spent_s, narrow_checks) == verdict


@given(st.integers(1, 99_999), st.floats(0, 20))
def test_the_next_batch_is_neither_empty_nor_more_than_a_tenth_or_a_thousand(taken, spent_s):
    batch = StoppingRule().next_batch(taken, spent_s)
    assert 1 <= batch <= max(1000, taken // 10)
    assert taken + batch <= 100_000


@given(st.integers(1, 5000), st.floats(0.1, 14))
def test_the_next_batch_fits_into_the_time_that_is_left(taken, spent_s):
    call_s = spent_s / taken
    assert StoppingRule().next_batch(taken, spent_s) * call_s <= max(15 - spent_s, call_s) * 1.001


@given(st.integers(1, 10_000), st.floats(0, 100))
def test_a_block_of_the_warm_up_grows_tenfold_at_most(calls, took_s):
    assert 1 <= WarmUpRule().next_block(calls, took_s) <= max(1, 10 * calls)


@pytest.mark.parametrize(("calls", "took_s", "following"), [(10, 0.05, 20), (1000, 1.0, 100), (5000, 1e-3, 10_000)])
def test_a_block_of_the_warm_up_lasts_a_tenth_of_a_second_or_ten_thousand_calls(calls, took_s, following):
    assert WarmUpRule().next_block(calls, took_s) == following


@given(st.floats(0.001, 1e4))
def test_a_share_of_a_budget_is_enough_for_its_warm_up_and_its_samples(share_s):
    part = FULL.within(share_s)
    assert part.warm_up_rule.max_s + part.stopping_rule.max_s == pytest.approx(share_s)
    assert part.warm_up_rule.min_s <= part.warm_up_rule.max_s
    assert part.stopping_rule.min_calls == 1


def test_a_plan_is_chosen_by_three_words():
    assert choose() == FULL
    assert choose(quick=True) == QUICK
    assert choose(quick=True).quick
    assert (choose(budget_s=7).budget_s, choose(cold=True).cold) == (7, True)


def test_a_neighbour_counts_from_a_twentieth_of_the_cores():
    assert not cpu_contention(0.05)
    assert cpu_contention(0.051)
