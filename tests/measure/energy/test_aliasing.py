"""Aliasing: a sensor that samples 25 ms of every 100 ms may always sample the same part of a run."""

import pytest

from backbone_bench.measure.energy.plan import EnergyPlan
from tests.measure.energy.bench import measured
from tests.measure.nvml.world import Device, Sensor

QUARTER = Sensor(0.1, 0.025)
HALF_IDLE = ((0.5, 300.0), (0.5, 60.0))
PLAN = EnergyPlan(trials=1, idle_s=1, idle_skip_s=0, warm_up_s=1)


def at_phase(world, phase_s, run_s, source):
    """A card whose sensors all sample part of the time, started at a phase of their period."""
    world.reset(100 + phase_s)
    gpu = world.gpu
    gpu.capability[1] = 0
    gpu.counter = gpu.instant = gpu.usage = QUARTER
    plan = EnergyPlan(trials=1, idle_s=1, idle_skip_s=0, warm_up_s=1, source=source)
    return Device(world, run_s, HALF_IDLE), plan


@pytest.mark.parametrize("source", ["counter", "power_instant"])
def test_shifting_the_load_takes_most_of_the_error_away(world, source):
    plain, shifted = [], []
    for phase in range(4):
        device, plan = at_phase(world, phase * 0.025, 0.1, source)
        plain.append(abs(measured(device, plan, launch_bound=0.0).gross_per_image_j / device.run_j - 1))
        device, plan = at_phase(world, phase * 0.025, 0.1, source)
        shifted.append(abs(measured(device, plan, launch_bound=0.5).gross_per_image_j / device.run_j - 1))
    assert max(plain) > 0.5
    assert max(shifted) < 0.03


@pytest.mark.parametrize("source", ["counter", "power_instant"])
@pytest.mark.parametrize("phase", range(8))
def test_the_pauses_of_the_shifts_are_no_part_of_the_energy(world, source, phase):
    device, plan = at_phase(world, phase * 0.0125, 0.02, source)
    device.shape = ((1.0, 300.0),)
    found = measured(device, plan, launch_bound=0.5)
    assert "phase_shifted" in found.flags
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=0.003)


def test_a_shifted_measurement_says_so(world):
    device, plan = at_phase(world, 0, 0.1, "counter")
    assert measured(device, plan, launch_bound=0.5).flags[:2] == ("phase_shifted", "aliasing_risk")


def test_the_parts_of_a_shifted_window_last_together_as_long_as_one(world):
    device, plan = at_phase(world, 0, 0.02, "counter")
    (trial, *_) = measured(device, plan, launch_bound=0.5).trials
    assert plan.window_s <= trial.window_s + 8 * 0.1  # each part from tick to tick
    assert trial.window_s < plan.window_s + 8 * 0.2


@pytest.mark.parametrize(
    ("run_s", "launch_bound", "shifted"),
    [(0.01, 0.5, True), (0.01, None, True), (0.01, 0.05, False), (0.001, 0.5, False), (0.5, 0.5, False)],
)
def test_the_load_is_shifted_only_where_its_gaps_can_alias(world, run_s, launch_bound, shifted):
    device, plan = at_phase(world, 0, run_s, "counter")
    assert ("phase_shifted" in measured(device, plan, launch_bound=launch_bound).flags) == shifted


def test_a_sensor_that_sees_everything_needs_no_shift(world):
    assert "phase_shifted" not in measured(Device(world, 0.1, HALF_IDLE), PLAN, launch_bound=0.5).flags
