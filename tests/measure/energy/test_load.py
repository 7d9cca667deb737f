"""The load never stops while sources are polled, and a CPU needs no queue."""

import math
from itertools import pairwise
from typing import Literal

import pytest

from backbone_bench.base.choices import SourceName
from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy.load import Load, Poller, Steady, Trace
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import Meter, NoCounters
from backbone_bench.records import Energy, Known, Missing
from tests.measure.energy.bench import meter
from tests.measure.nvml.world import Device


def run(device, seconds, every_s, run_s, reading_s=0.0):
    """Readings of the counter, and the idle time of the device meanwhile."""
    world = device.world
    trace = Trace(meter(world).sources[0], world)
    steady = Steady(Load(device.step, 1, "graph"), device, world, 8)
    steady.run_s, steady.reading_s = run_s, reading_s
    begun_s, runs = world.now_s(), steady.runs
    steady.run_until(lambda: world.now_s() >= begun_s + seconds, Poller(world, (trace,), every_s))
    steady.drain()
    return trace.readings, world.now_s() - begun_s - (steady.runs - runs) * device.run_s


@pytest.mark.parametrize("run_s", [0.0002, 0.001, 0.005, 0.05, 0.4])
def test_looking_every_two_milliseconds_leaves_the_device_no_gap(world, run_s):
    readings, idle_s = run(Device(world, run_s), 2.0, 0.002, run_s)
    assert idle_s < 0.002
    gaps = [later.begun_s - earlier.begun_s for earlier, later in pairwise(readings[10:])]
    assert max(gaps) < 0.004  # even where one run takes 400 ms


def test_a_driver_that_answers_slowly_does_not_starve_short_runs(world):
    world.state.call_s = 0.0015
    _, idle_s = run(Device(world, 0.0001), 2.0, 0.01, 0.0001)
    assert idle_s < 0.005


@pytest.mark.parametrize(("known_s", "starved_s"), [(0.02, 0.0), (0.0, 0.018)])
def test_the_queue_holds_the_longest_reading_that_was_seen(world, known_s, starved_s):
    world.state.call_s = 0.02
    readings, idle_s = run(Device(world, 0.0001, ((1.0, 300.0),)), 1.0, 0.1, 0.0001, known_s)
    assert len(readings) >= 8
    assert idle_s / len(readings) == pytest.approx(starved_s, abs=0.0005)  # a queue is 2 ms long at least


def test_the_next_reading_waits_until_the_queue_is_full_again(world):
    world.state.call_s = 0.002
    _, idle_s = run(Device(world, 0.0001, ((1.0, 300.0),)), 1.0, 0.0, 0.0001, 0.002)  # always due
    assert idle_s < 0.005


def test_a_device_that_outruns_the_host_is_read_all_the_same(world):
    readings, _ = run(Device(world, 0.00001, ((1.0, 60.0),)), 1.0, 0.05, 0.00001)  # a launch takes 20 µs
    assert len(readings) >= 15


def test_a_slow_reading_is_kept_and_placed_by_its_own_begin_and_end(world):
    world.state.call_s = 0.006
    opened = world.state.calls
    readings, _ = run(Device(world, 0.005), 1.0, 0.1, 0.005)
    assert all(reading.ended_s - reading.begun_s == pytest.approx(0.006) for reading in readings)
    assert world.state.calls - opened <= len(readings) + 10  # none is repeated; opening the card takes a few calls


class CpuCounter:
    """A counter with a tick of 1 ms, like RAPL, of the energy of a simulated device."""

    name: SourceName = "rapl"
    unit: Literal["J", "W"] = "J"
    period_s: float | None = None
    averaging_s: float | None = None
    relative_error: Known[float] = Missing("no_accuracy", "not stated")

    def __init__(self, device):
        self._device = device

    def read(self):
        world = self._device.world
        world.sleep_s(5e-6)
        return self._device.draw.joules(max(math.floor(world.now_s() * 1e3) / 1e3, self._device.free_s))


class Cpu(Device):
    """A device whose calls return when their work is done."""

    name = "cpu"
    is_host = True

    def step(self):
        super().step()
        self.synchronize()


@pytest.mark.parametrize("run_s", [0.02, 0.3, 3.0])
def test_a_cpu_is_measured_through_the_same_code_however_slow(world, run_s):
    device = Cpu(world, run_s, shape=((1.0, 90.0),), events=False)
    device.idle_w = 60.0
    none = Missing("none", "none")
    sources = Meter((CpuCounter(device),), world, lambda: none, NoCounters(none))
    found = energy_meter.measure(
        Load(device.step, 1, "wall"), device, sources, EnergyPlan(idle_s=2, idle_skip_s=1), BlindWatcher()
    )
    assert isinstance(found, Energy), found
    assert found.source == "rapl"
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=0.003)
    assert isinstance(found.sensor_relative, Missing)


class BlindWatcher:
    """A watcher without findings."""

    def poll(self):
        """Do nothing."""

    def held_back_s(self) -> Missing:
        return Missing("blind", "nobody watches")

    def holds_back(self) -> bool:
        return False

    def verdict(self):
        return Missing("no_nvml", "A CPU has no NVML.")
