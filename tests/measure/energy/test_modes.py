"""Which runs an energy is of: replays back to back, or calls that a caller waits for, with the rests between them."""

import statistics

import pytest

from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy.integrate import Reading
from backbone_bench.measure.energy.load import Load, Steady, Trace
from backbone_bench.measure.energy.plan import QUICK, EnergyPlan
from backbone_bench.measure.energy.windows import Measurement
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Energy
from tests.measure.energy.bench import card, measured, meter
from tests.measure.energy.slow import LockedDevice, slow_meter
from tests.measure.nvml.world import Device

PLAN = EnergyPlan(trials=2, idle_s=2, idle_skip_s=1, warm_up_s=1)


def energies(device, *loads, found_meter=None):
    """Energy of each load, measured together."""
    world = device.world
    found = energy_meter.measure_each(loads, device, found_meter or meter(world), PLAN, CardWatcher(card(world)))
    assert all(isinstance(energy, Energy) for energy in found), found
    return found


def eager(world, run_s=0.004, launch_s=0.006, kind=Device):
    device = kind(world, run_s)
    device.launch_s = launch_s
    return device


@pytest.mark.parametrize(("run_s", "launch_s"), [(0.004, 0.006), (0.001, 0.0002), (0.02, 0.02)])
def test_the_energy_of_a_caller_who_waits_has_the_rests_of_the_device_in_it(world, run_s, launch_s):
    device = eager(world, run_s, launch_s)
    (found,) = energies(device, Load(device.step, 1, "wall", 0.6))
    assert found.mode == "wall"
    assert found.trials[0].run_s == pytest.approx(run_s + launch_s, rel=1e-3)
    assert found.gross_per_image_j == pytest.approx(device.run_j + 60 * launch_s, rel=0.005)
    assert found.mean_w == pytest.approx((device.run_j + 60 * launch_s) / (run_s + launch_s), rel=0.005)


def test_a_caller_who_waits_never_has_two_calls_at_once(world):
    device = eager(world)
    overlaps, step = [], device.step

    def watched():
        overlaps.append(device.free_s > world.now_s())
        step()

    energies(device, Load(watched, 1, "wall", 0.6))
    assert not any(overlaps)


def test_the_time_of_readings_between_two_calls_is_neither_in_the_time_nor_in_the_energy_of_a_call(world):
    world.state.call_s = 10e-6
    ratios = []
    for seed in range(8):
        world.reset(100 + 0.0137 * seed)
        device = eager(world, 0.003, 0.003, LockedDevice)
        found_meter, _ = slow_meter(device, seed)
        (found,) = energies(device, Load(device.step, 1, "wall", 0.6), found_meter=found_meter)
        assert found.trials[0].run_s == pytest.approx(0.006, rel=0.002)
        assert found.slowdown == pytest.approx(0, abs=0.002)
        ratios.append(found.gross_per_image_j / (device.run_j + 60 * 0.003))
    assert statistics.mean(ratios) == pytest.approx(1, abs=1e-3)


def test_without_idle_power_those_readings_stay_in_and_widen_the_ends(world):
    world.state.call_s = 10e-6
    world.gpu.compute_pids[1], world.gpu.computes = 4711, 2
    device = eager(world, 0.003, 0.003, LockedDevice)
    found_meter, _ = slow_meter(device, 0)
    (found,) = energies(device, Load(device.step, 1, "wall", 0.6), found_meter=found_meter)
    true_j = device.run_j + 60 * 0.003
    assert found.gross_per_image_j < 0.999 * true_j
    for trial in found.trials:
        assert trial.run_j == pytest.approx(true_j, abs=trial.edge_j / trial.window_s * trial.run_s)


@pytest.mark.parametrize(("mode", "lead_s"), [("graph", 0.003), ("wall", 0.053)])
def test_a_counter_is_read_earlier_by_a_reading_and_by_a_call_that_is_waited_for(world, mode, lead_s):
    device = eager(world)
    steady = Steady(Load(device.step, 1, mode), device, world, 8)
    steady.run_s = 0.05
    readings = [Reading(at_s, at_s + 0.003, at_s // 0.1) for at_s in (0.01, 0.06, 0.11, 0.16, 0.21, 0.26, 0.31)]
    probe = Trace(meter(world).sources[0], world, readings)
    ticking = Measurement(steady, world, PLAN).ticking(probe, 0.1)
    assert ticking is not None
    assert ticking.lead_s == pytest.approx(lead_s)


def test_a_first_answer_takes_longer_where_calls_place_the_ends_less_closely(world):
    device = eager(world, 0.02, 0.02)
    load = Load(device.step, 1, "wall", 0.5)
    found = energy_meter.measure(load, device, meter(world), QUICK, CardWatcher(card(world)))
    assert isinstance(found, Energy)
    for trial in found.trials:
        assert trial.window_s >= 49 * 0.04
        assert trial.edge_j < 0.025 * trial.window_j


def test_replays_run_back_to_back(world):
    device = eager(world, 0.004, 20e-6)
    (found,) = energies(device, Load(device.step, 1, "graph", 0.0))
    assert found.mode == "graph"
    assert found.trials[0].run_s == pytest.approx(0.004, rel=1e-3)
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=1e-3)


def test_a_device_without_events_is_waited_for(world):
    device = Device(world, 0.004, events=False)
    device.launch_s = 0.004
    found = measured(device, PLAN)
    assert found.mode == "wall"
    assert found.trials[0].run_s == pytest.approx(0.008, rel=1e-3)


def test_two_loads_share_one_measurement_of_idle_power(world):
    device = eager(world)
    begun_s = world.now_s()
    (alone,) = energies(device, Load(device.step, 1, "graph", 0.0))
    one_s, begun_s = world.now_s() - begun_s, world.now_s()
    graph, wall = energies(device, Load(device.step, 1, "graph", 0.0), Load(device.step, 1, "wall", 0.6))
    assert (graph.mode, wall.mode) == ("graph", "wall")
    assert world.now_s() - begun_s < 2 * one_s - PLAN.idle_s + 0.5
    assert graph.idle_w == wall.idle_w == pytest.approx(60)
    assert alone.gross_per_image_j == pytest.approx(graph.gross_per_image_j, rel=0.005)
