"""Prediction of a counter's ticks: what is caught narrows it, and what cannot be predicted is polled for at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.measure.energy.integrate import Tick
from backbone_bench.measure.energy.ticking import Ticking

PERIODS_S = st.floats(0.02, 0.5)
SLACK_S = 0.002


def seen(at_s, slack_s=SLACK_S, tick_s=0.1, lead_s=0.0):
    return Ticking.seen([Tick(at, slack_s, 0.0) for at in at_s], tick_s, lead_s)


def regular(period_s, count=10, errors=(0.0,) * 10):
    return [k * period_s + error for k, error in zip(range(count), errors, strict=True)]


@given(PERIODS_S, st.lists(st.floats(-0.5, 0.5), min_size=10, max_size=10), st.floats(0, 20))
def test_a_tick_lies_within_the_margins_of_its_prediction(period_s, errors, now_s):
    placed = regular(period_s, errors=[error * SLACK_S for error in errors])  # a tick is anywhere within its slack
    ticking = seen(placed, tick_s=period_s)
    now_s += placed[-1] + SLACK_S
    poll_s = ticking.next_poll_s(now_s)
    to_tick_s = period_s - poll_s % period_s  # ticks are at whole periods
    count = round((poll_s + to_tick_s) / period_s) - 9
    assert poll_s >= now_s
    assert to_tick_s <= 2 * (SLACK_S / 2 + count * SLACK_S / 9) + 1e-6 or poll_s == now_s


def test_polling_begins_earlier_by_a_reading():
    now_s = 0.95
    plain, slow = (seen(regular(0.1), lead_s=lead_s).next_poll_s(now_s) for lead_s in (0.0, 0.003))
    assert plain - slow == pytest.approx(0.003)
    assert 0.99 < plain < 1.0


def test_where_a_reading_would_come_too_late_for_a_tick_the_next_one_is_caught():
    assert seen(regular(0.1), lead_s=0.03).next_poll_s(0.98) == pytest.approx(1.1 - 0.03, abs=0.005)


def test_a_far_tick_is_approached_by_way_of_nearer_ones():
    slack_s, catches = 0.0055, 0
    ticking = seen(regular(0.1), slack_s)
    end_s = ticking.end_s(5.0)
    while ticking.last.at_s < end_s - 0.05:
        at_s = ticking.poll_towards_s(end_s)
        tick = round((at_s + 0.0126) / 0.1) * 0.1  # polling begins at most an eighth of a period before the tick
        assert 0 <= tick - at_s <= 0.0126
        ticking.tick(Tick(tick, slack_s, 0.0))
        catches += 1
    assert ticking.last.at_s == pytest.approx(0.9 + 5.0)
    assert 2 <= catches <= 4  # each catch makes the next prediction reach farther


def test_after_a_long_time_the_end_is_predicted_at_once():
    ticking = seen(regular(0.1))
    ticking.tick(Tick(20.9, SLACK_S, 0.0))
    assert ticking.poll_towards_s(ticking.end_s(5.0)) == pytest.approx(25.9, abs=0.002)


def test_a_tick_that_was_missed_in_the_probe_does_not_change_the_period():
    ticking = seen([0.0, 0.1, 0.2, 0.4, 0.5])
    assert ticking.period_s == pytest.approx(0.1)
    assert ticking.jitter_s == pytest.approx(0, abs=1e-9)


def test_ticks_that_come_irregularly_are_polled_for_earlier():
    late = [0.0, 0.1, 0.205, 0.3, 0.4]
    assert seen(late).jitter_s == pytest.approx(0.003)
    assert seen(late).next_poll_s(0.41) < seen(regular(0.1, 5, (0.0,) * 5)).next_poll_s(0.41) - 0.003


def test_a_counter_that_ticks_faster_than_it_is_read_is_polled_at_once():
    ticking = seen([0.002 * k for k in range(10)], tick_s=0.002)
    assert ticking.next_poll_s(0.5) == 0.5


def test_a_tick_whose_number_is_uncertain_does_not_change_the_period():
    ticking = seen(regular(0.1), 0.02)
    before_s = ticking.period_s
    ticking.tick(Tick(100.04, 0.02, 0.0))
    assert ticking.period_s == before_s
    ticking.tick(Tick(100.14, 0.02, 0.0))  # and the next ones are counted from it
    assert ticking.count == 1
    assert ticking.period_s == before_s


def test_a_tick_near_a_slow_reading_is_told_from_the_others():
    ticking = seen(regular(0.1))
    assert ticking.is_placed()
    ticking.tick(Tick(1.0, 0.02, 0.0))
    assert not ticking.is_placed()


@pytest.mark.parametrize(("window_s", "periods"), [(5.0, 50), (4.999, 50), (5.0012, 50), (5.05, 51), (0.001, 1)])
def test_a_window_ends_at_a_tick(window_s, periods):
    assert seen(regular(0.1)).end_s(window_s) == pytest.approx(0.9 + periods * 0.1)
