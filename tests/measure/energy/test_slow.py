"""A counter whose readings take milliseconds and hold up launches, as on an NVIDIA H200, biases no energy."""

import statistics
from dataclasses import replace
from itertools import pairwise

import pytest

from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy import trials
from backbone_bench.measure.energy.integrate import Window
from backbone_bench.measure.energy.load import Load
from backbone_bench.measure.energy.plan import FULL, QUICK
from backbone_bench.measure.energy.trials import Trial
from backbone_bench.measure.energy.windows import WindowPart
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Energy, Missing
from tests.measure.energy import slow
from tests.measure.energy.bench import card, measured
from tests.measure.energy.slow import SLOW_S, LockedDevice, slow_meter

SHORT = replace(FULL, trials=1, idle_s=2, idle_skip_s=0, warm_up_s=1)
FIRST = replace(QUICK, idle_s=2, idle_skip_s=0)
STEPS_S = (0.0001, 0.001, 0.003, 0.030)


def busy(world, run_s, seed):
    world.reset(100 + 0.0137 * seed)
    world.state.call_s = 10e-6
    shape = ((1.0, 300.0),) if run_s < 0.001 else ((0.7, 300.0), (0.3, 200.0))
    device = LockedDevice(world, run_s, shape)
    device.launch_s = 10e-6
    return device


def energy_of(device, plan, seed, mode="graph"):
    """Energy, and when the counter was read."""
    meter, counter = slow_meter(device, seed)
    load = Load(device.step, 1, mode, 0.0)
    found = energy_meter.measure(load, device, meter, plan, CardWatcher(card(device.world)))
    assert isinstance(found, Energy), found
    return found, counter.read_at_s


@pytest.mark.parametrize("plan", [SHORT, FIRST], ids=["full", "quick"])
@pytest.mark.parametrize("run_s", STEPS_S)
@pytest.mark.parametrize("seed", range(3))
def test_the_energy_is_within_half_a_percent(world, run_s, seed, plan):
    device = busy(world, run_s, seed)
    found, _ = energy_of(device, plan, seed)
    assert found.source == "counter"
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=0.005)
    assert found.trials[0].run_s == pytest.approx(run_s, rel=0.003)
    assert found.slowdown == pytest.approx(0, abs=0.003)
    assert found.flags == ()


@pytest.mark.parametrize("run_s", STEPS_S)
def test_the_counter_is_read_near_its_ticks_and_nowhere_else(world, run_s):
    device = busy(world, run_s, 1)
    begun_s = world.now_s() + SHORT.idle_s + SHORT.warm_up_s + 1 + SHORT.undisturbed_s
    _, read_at_s = energy_of(device, SHORT, 1)
    in_window = [at_s for at_s in read_at_s if at_s > begun_s]
    assert 4 <= len(in_window) <= 30
    assert max(later - sooner for sooner, later in pairwise(in_window)) > 2.0


def test_a_slow_reading_at_an_end_widens_it(world, monkeypatch):
    monkeypatch.setattr(slow, "USUAL_S", 0.020)
    device = busy(world, 0.003, 0)
    found, _ = energy_of(device, SHORT, 0)
    (trial,) = found.trials
    assert 0.006 < trial.edge_j / trial.window_j < 0.02  # each of the ends lies within about two readings
    assert found.gross_per_image_j == pytest.approx(device.run_j, abs=trial.edge_j / trial.window_s * trial.run_s)


def test_another_tick_is_caught_where_an_unusually_slow_reading_places_one_badly(world):
    for seed in range(10):
        found, _ = energy_of(busy(world, 0.003, seed), FIRST, seed)
        for trial in found.trials:
            assert trial.edge_j / trial.window_j * trial.window_s < SLOW_S[0]  # no end lies within a slow reading


def test_a_load_that_no_queue_can_shelter_is_flagged(world, monkeypatch):
    monkeypatch.setattr(slow, "USUAL_S", 0.065)  # longer than the longest queue of such short runs
    found, _ = energy_of(busy(world, 0.0001, 0), replace(SHORT, trials=2), 0)
    run_s = statistics.mean(trial.run_s for trial in found.trials)
    assert run_s > 0.0001 * 1.005
    assert found.slowdown == pytest.approx(run_s / 0.0001 - 1, abs=5e-4)
    assert "load_slowed" in found.flags


def test_the_queue_knows_readings_at_rest_before_the_first_one_under_load(world, monkeypatch):
    monkeypatch.setattr(slow, "USUAL_S", 0.008)
    device = busy(world, 0.0001, 0)
    probe_s = world.now_s() + SHORT.idle_s + SHORT.warm_up_s + 0.1
    energy_of(device, SHORT, 0)
    assert slow.energy_j(world, probe_s + 0.8) - slow.energy_j(world, probe_s) == pytest.approx(0.8 * 300, rel=0.01)


def test_the_queue_learns_readings_that_are_slower_under_load(world, monkeypatch):
    monkeypatch.setattr(slow, "SLOW_SHARE", 0.0)
    device = busy(world, 0.0001, 0)
    step = device.step

    def first_step():
        monkeypatch.setattr(slow, "USUAL_S", 0.015)
        step()

    monkeypatch.setattr(device, "step", first_step)
    found, _ = energy_of(device, SHORT, 0)
    assert found.slowdown == pytest.approx(0, abs=1e-3)


def a_trial(undisturbed_s, run_s):
    return Trial(
        undisturbed_s,
        WindowPart(Window(1000.0, 5.0, 50, 0.0), 1000.0, run_s * 500, 500, 0.0),
        (40.0, 41.0),
        Missing("none", "none"),
    )


def test_the_slowdown_is_the_time_of_a_run_over_its_undisturbed_time():
    assert trials.slowdown([a_trial(0.010, 0.0101), a_trial(0.010, 0.0103)]) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("pairs", "flagged"),
    [
        ([(0.010, 0.01003), (0.010, 0.01004)], False),  # less than half a percent
        ([(0.010, 0.01008), (0.010, 0.01009)], True),
        ([(0.010, 0.01020), (0.0103, 0.01025)], False),  # times that differ anyway
    ],
)
def test_a_slowdown_is_flagged_above_half_a_percent_and_beyond_chance(pairs, flagged):
    found = tuple(trials.flags([a_trial(*pair) for pair in pairs], 1.0, Missing("none", "none")))
    assert found == (("load_slowed",) if flagged else ())


def test_the_interval_covers_an_energy_that_slow_readings_measured(world):
    covered = 0
    for seed in range(20):
        device = busy(world, 0.003, seed)
        found, _ = energy_of(device, FIRST, seed)
        assert not isinstance(found.repeat_relative, Missing)
        covered += abs(found.gross_per_image_j / device.run_j - 1) <= found.repeat_relative
    assert covered >= 18


def test_a_cheap_counter_is_not_slowed_either(world):
    found = measured(busy(world, 0.0001, 0), SHORT)
    assert found.slowdown == pytest.approx(0, abs=1e-3)
