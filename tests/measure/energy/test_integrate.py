"""Energy from readings: laws that hold for any readings."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from backbone_bench.measure.energy.integrate import Reading, Window, counted, period_s, ticks, zero_order_hold
from backbone_bench.records import Missing

WATTS = st.floats(1, 1000)


def reading(at_s, value):
    return Reading(at_s, at_s, value)


def series(values, every_s=0.1, start_s=0.0):
    return [reading(start_s + index * every_s, value) for index, value in enumerate(values)]


def window(found):
    assert isinstance(found, Window), found
    return found


@given(WATTS, st.integers(2, 60))
def test_a_steady_power_gives_power_times_time_though_nothing_changes(watts, n):
    readings = series([watts] * n)
    assert window(zero_order_hold(readings, 0, n * 0.1, 0.1)).window_j == pytest.approx(watts * n * 0.1)


def test_a_step_up_and_down_gives_the_area_of_the_step():
    values = [60.0] * 10 + [300.0] * 20 + [60.0] * 10
    assert window(zero_order_hold(series(values), 0, 4, 0.1)).window_j == pytest.approx(60 + 600 + 60)


@given(st.lists(WATTS, min_size=2, max_size=40), st.data())
def test_reading_a_sensor_again_before_it_changes_adds_nothing(values, data):
    readings = series(values)
    where = data.draw(st.integers(0, len(values) - 1))
    again = sorted([*readings, reading(where * 0.1 + 0.05, values[where])])
    end_s = len(values) * 0.1
    assert window(zero_order_hold(again, 0, end_s, 0.1)).window_j == pytest.approx(
        window(zero_order_hold(readings, 0, end_s, 0.1)).window_j
    )


@given(st.lists(WATTS, min_size=4, max_size=40), st.integers(1, 3))
def test_two_halves_of_a_window_make_the_whole(values, quarters):
    readings, end_s = series(values), len(values) * 0.1
    cut = readings[max(1, len(values) * quarters // 4)].at_s
    parts = [
        zero_order_hold([r for r in readings if r.at_s < cut], 0, cut, 0.1),
        zero_order_hold(readings, cut, end_s, 0.1),
    ]
    whole = window(zero_order_hold(readings, 0, end_s, 0.1))
    assert sum(window(part).window_j for part in parts) == pytest.approx(whole.window_j)


@given(st.floats(0.05, 0.4), st.floats(0.05, 0.4), WATTS, WATTS)
def test_both_ends_are_filled_with_what_is_nearest(before_s, after_s, first, last):
    readings = [reading(before_s, first), reading(before_s + 0.1, last)]
    end_s = before_s + 0.1 + after_s
    area = first * (before_s + 0.1) + last * after_s
    assert window(zero_order_hold(readings, 0, end_s, 0.1)).window_j == pytest.approx(area)


def test_the_integral_of_a_slow_wave_is_that_of_scipy():
    from math import sin

    def power(at_s):
        return 200 + 50 * sin(at_s)

    readings = [reading(k / 200, power(k / 200)) for k in range(1000)]
    assert window(zero_order_hold(readings, 0, 5, 0.005)).window_j == pytest.approx(quad(power, 0, 5)[0], rel=1e-3)


def test_what_was_read_outside_a_window_is_no_part_of_it():
    before, after = series([900.0] * 5, start_s=-0.55), series([900.0] * 5, start_s=1.05)
    found = window(zero_order_hold([*before, *series([200.0] * 10), *after], 0, 1, 0.1))
    assert (found.window_j, found.ticks, found.edge_j) == (pytest.approx(200), 0, 0)


def test_a_sensor_that_reads_nothing_once_spoils_the_window():
    found = zero_order_hold(series([200.0, 0.0, 200.0]), 0, 0.3, 0.1)
    assert isinstance(found, Missing)
    assert found.missing == "reads_zero"


def test_a_hole_in_the_readings_spoils_the_window():
    readings = [*series([200.0] * 10), *series([200.0] * 10, start_s=2.0)]
    found = zero_order_hold(readings, 0, 3, 0.1)
    assert isinstance(found, Missing)
    assert found.missing == "gap"


@pytest.mark.parametrize(("start_s", "end_s"), [(-0.6, 1), (0, 1.6)])
def test_an_end_that_nobody_saw_spoils_the_window(start_s, end_s):
    found = zero_order_hold(series([200.0] * 10), start_s, end_s, 0.1)
    assert isinstance(found, Missing)
    assert found.missing == "gap"


def test_a_slow_sensor_may_be_read_as_seldom_as_three_of_its_ticks():
    readings = series([200.0] * 5, every_s=2.5)
    assert window(zero_order_hold(readings, 0, 12.5, 1.0)).window_j == pytest.approx(2500)


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=50), st.integers(0, 3))
def test_a_counter_gives_the_difference_from_its_first_change_to_its_last(steps, stays):
    values = [0.0]
    for step in steps:
        values += [values[-1] + step] * (1 + stays)
    found = window(counted(series(values, every_s=0.002), 0.1))
    assert found.window_j == sum(steps[1:])
    assert found.ticks == len(steps) - 1
    assert found.window_s == pytest.approx((len(steps) - 1) * 0.002 * (1 + stays))


def test_a_change_lies_within_its_slack():
    (tick,) = ticks([Reading(1.000, 1.001, 5), Reading(1.010, 1.012, 6)])
    assert tick.at_s - tick.slack_s / 2 == pytest.approx(1.000)
    assert tick.at_s + tick.slack_s / 2 == pytest.approx(1.012)


def test_a_slow_reading_places_a_change_less_closely():
    (tick,) = ticks([Reading(1.000, 1.003, 5), Reading(1.003, 1.023, 6)], tick_s=0.1)
    assert (tick.at_s, tick.slack_s) == pytest.approx((1.0115, 0.023))
    (tick,) = ticks([Reading(0.000, 0.003, 5), Reading(1.000, 1.020, 6)], tick_s=0.1)
    assert (tick.at_s, tick.slack_s) == pytest.approx((0.96, 0.12))  # a tick before the reading began, or within it


def test_ticks_that_nobody_saw_are_counted_by_the_period():
    readings = [reading(at_s, value) for at_s, value in ((0, 0), (0.1, 10), (0.9, 90), (1.0, 90), (1.1, 110))]
    found = window(counted(readings, 0.1))
    assert (found.window_j, found.ticks) == (100, 10)


def test_a_counter_read_less_often_than_it_ticks_is_never_older_than_a_tick():
    (tick,) = ticks([reading(1.0, 5), reading(2.0, 6)], tick_s=0.001)
    assert tick.slack_s == pytest.approx(0.001)
    assert tick.at_s == pytest.approx(1.9995)


def test_the_ends_of_a_counters_window_may_hide_what_was_drawn_between_two_looks():
    values = [20.0 * (k // 50) for k in range(500)]  # 20 J a tick of 100 ms: 200 W
    assert window(counted(series(values, every_s=0.002), 0.1)).edge_j == pytest.approx(200 * 0.002)


@given(st.lists(WATTS, min_size=2, max_size=30))
def test_the_ends_of_a_sensors_window_may_hide_a_tick_of_what_power_varied_by(values):
    edge_j = window(zero_order_hold(series(values), 0, len(values) * 0.1, 0.1)).edge_j
    assert edge_j == pytest.approx(0.1 * (max(values) - min(values)))


def test_a_counter_that_goes_back_spoils_the_window():
    found = counted(series([1.0, 2.0, 1.5, 3.0]), 0.1)
    assert isinstance(found, Missing)
    assert found.missing == "counter_back"


@given(st.integers(0, 1))
def test_fewer_than_two_changes_are_no_window(changes):
    found = counted(series([1.0, 1.0, *([2.0] * changes)]), 0.1)
    assert isinstance(found, Missing)


@given(st.sampled_from([0.02, 0.1, 1.0]), st.integers(4, 20))
def test_the_period_of_a_reading_is_found_from_its_changes(tick_s, n):
    readings = [reading(k * tick_s / 10, k // 10) for k in range(10 * n)]
    assert period_s(readings) == pytest.approx(tick_s)


@pytest.mark.parametrize("every_s", [0.002, 0.03, 0.047, 0.06])
def test_a_period_is_closer_than_the_readings_are_apart(every_s):
    readings = [reading(k * every_s, math.floor(k * every_s / 0.1)) for k in range(round(10 / every_s))]
    assert period_s(readings) == pytest.approx(0.1, rel=0.01)


def test_a_change_that_was_missed_does_not_lengthen_the_period():
    changes_s = [0.1, 0.2, 0.4, 0.5, 0.6]  # nothing at 0.3
    readings = [reading(k / 500, sum(at_s <= k / 500 for at_s in changes_s)) for k in range(350)]
    assert period_s(readings) == pytest.approx(0.1)


@pytest.mark.parametrize(("changes", "known"), [(1, False), (2, False), (3, True)])
def test_two_times_between_changes_are_the_fewest_to_tell_a_period(changes, known):
    readings = series([0.0, *(float(n) for n in range(1, changes + 1))])
    assert isinstance(period_s(readings), float) is known


def test_a_reading_is_of_the_middle_of_its_call():
    assert Reading(1.0, 1.2, 5).at_s == pytest.approx(1.1)


def test_a_reading_that_never_changes_has_no_period():
    assert isinstance(period_s(series([250.0] * 30)), Missing)
