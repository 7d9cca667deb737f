"""Energy of a known power waveform, read by the real pynvml through a stub of the driver's library."""

import math
import random
import statistics
from dataclasses import replace

import pytest

from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.records import Missing
from tests.measure.energy.bench import card, measured
from tests.measure.nvml.world import Device, Sensor

SEEDS = range(200)
ONE_WINDOW = EnergyPlan(trials=1, idle_s=0.3, idle_skip_s=0)
THREE_WINDOWS = EnergyPlan(idle_s=0.3, idle_skip_s=0)


def noisy(seed, spread=0.02, memory=0.9):
    """Factor on the power of the nth run: autocorrelated noise with mean 1."""
    draw = random.Random(seed)
    state = draw.gauss(0, spread)
    kick = spread * math.sqrt(1 - memory**2)

    def gain(run):
        nonlocal state
        state = memory * state + draw.gauss(0, kick)
        return 1 + state

    return gain


def place(world, seed):
    """Random start within a tick, and a random length of a run, from a seed."""
    draw = random.Random(seed)
    world.reset(100 + draw.random())
    return draw.uniform(0.009, 0.019)


@pytest.mark.parametrize("tick_s", [0.02, 0.1])
@pytest.mark.parametrize("seed", range(20))
def test_the_counter_is_within_three_thousandths(world, tick_s, seed):
    run_s = place(world, seed)
    world.gpu.counter = Sensor(tick_s, tick_s)
    device = Device(world, run_s)
    energy = measured(device, replace(ONE_WINDOW, window_s=5 + 0.013 * seed))  # so that it ends anywhere within a tick
    assert energy.source == "counter"
    assert energy.tick_s == pytest.approx(tick_s, rel=0.02)
    assert energy.gross_per_image_j == pytest.approx(device.run_j, rel=0.003)
    (trial,) = energy.trials
    assert trial.edge_j < 0.001 * trial.window_j  # both ticks were caught between two fast polls


@pytest.mark.parametrize("seed", range(20))
def test_instant_power_is_within_a_hundredth(world, seed):
    device = Device(world, place(world, seed))
    energy = measured(device, EnergyPlan(trials=1, idle_s=0.3, idle_skip_s=0, source="power_instant"))
    assert energy.source == "power_instant"
    assert energy.gross_per_image_j == pytest.approx(device.run_j, rel=0.01)


def test_average_power_waits_until_the_average_holds_nothing_but_the_load(world):
    world.gpu.usage = Sensor(0.1, 1.0)
    device = Device(world)
    energy = measured(device, EnergyPlan(trials=1, source="power_usage"))
    assert energy.averaging_s == 1.0
    assert energy.trials[0].window_s >= 10
    assert energy.gross_per_image_j == pytest.approx(device.run_j, rel=0.003)


@pytest.mark.slow
def test_the_interval_covers_the_truth_in_nine_of_ten_trials(world):
    covered = 0
    for seed in SEEDS:
        device = Device(world, place(world, seed), gain=noisy(seed))
        energy = measured(device, THREE_WINDOWS)
        assert not isinstance(energy.repeat_relative, Missing)
        half = energy.repeat_relative * energy.gross_per_image_j
        covered += abs(energy.gross_per_image_j - device.run_j) <= half
    assert covered >= 0.9 * len(SEEDS)


def test_the_ends_alone_give_an_interval_that_covers_a_load_without_noise(world):
    for seed in range(20):
        device = Device(world, place(world, seed))
        energy = measured(device, THREE_WINDOWS)
        assert not isinstance(energy.repeat_relative, Missing)
        assert energy.gross_per_image_j == pytest.approx(device.run_j, rel=energy.repeat_relative)


@pytest.mark.slow
def test_windows_from_tick_to_tick_leave_a_fifth_of_the_naive_error(world):
    ours, naive = [], []
    for seed in SEEDS:
        device = Naive(world, place(world, seed))
        energy = measured(device, ONE_WINDOW)
        ours.append(energy.gross_per_image_j / device.run_j - 1)
        naive.append(device.last_window_j() / device.run_j - 1)
    assert rms(ours) <= rms(naive) / 5


class Naive(Device):
    """A device that reads the counter at each synchronize, as in the naive method of two readings."""

    def __init__(self, world, run_s):
        super().__init__(world, run_s)
        self._counter_j, self._read = card(world).energy_j, []

    def synchronize(self):
        super().synchronize()
        self._read.append((self._counter_j(), self.launched))

    def last_window_j(self):
        """Energy per run by E1 − E0 between the last two synchronizations: those around the window."""
        (before_j, before), (after_j, after) = self._read[-2:]
        return (after_j - before_j) / (after - before)


def rms(errors):
    return math.sqrt(statistics.fmean(error**2 for error in errors))
