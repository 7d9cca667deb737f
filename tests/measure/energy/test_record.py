"""For every failure of the energy measurement, the record stays complete and valid against the schema."""

import json
from dataclasses import replace

import jsonschema
import pytest

from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy.load import Load
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import card_meter
from backbone_bench.measure.nvml.card import open_card
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Energy, Missing, PaperEnergy, store
from tests.gate.samples import COST, counted, timed
from tests.measure.energy.bench import card, measure, measured, meter
from tests.measure.nvml.world import Device, Sensor

QUICK = EnergyPlan(trials=2, idle_s=2, idle_skip_s=1, warm_up_s=1, paper=True)
COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
POWER = (COUNTER, "field 186", "nvmlDeviceGetPowerUsage")


def lose(world):
    world.state.lost_at_s = world.now_s() + 7


def seldom(world):
    world.gpu.counter = Sensor(5, 5)


def everything(code):
    return lambda world: [world.fail(call, code) for call in POWER]


FAILURES = {
    "no NVML": lambda world: world.fail("nvmlInitWithFlags", 12),
    "no driver": lambda world: world.fail("nvmlInitWithFlags", 9),
    "unlike versions": lambda world: world.fail("nvmlInitWithFlags", 18),
    "not supported": everything(3),
    "no permission": everything(4),
    "absent": everything(13),
    "not ready": everything(27),
    "lost at once": everything(15),
    "lost half way": lose,
    "counter stands still": lambda world: setattr(world.gpu, "frozen_at_s", 0),
    "counter falls": lambda world: setattr(world.gpu, "back_at_s", world.now_s() + 7),
    "few ticks": seldom,
    "no failure": lambda world: None,
}


def energy_and_watch(world):
    """Energy and watch as the profiler would put them into a record."""
    found = open_card(world.identity, world)
    if isinstance(found, Missing):
        return found, found
    meter, watch = card_meter(found), CardWatcher(found)
    if isinstance(meter, Missing):
        return meter, watch.verdict()
    watch.poll()
    return measure(Device(world), QUICK), watch.verdict()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_record_is_valid_and_whole_whatever_fails(world, tmp_path, failure):
    FAILURES[failure](world)
    energy, watch = energy_and_watch(world)
    before = timed(0.005)
    record = replace(before, energy=energy, watch=watch)
    path = tmp_path / "record.json"
    path.write_text(store.dumps([record]))
    jsonschema.validate(json.loads(path.read_text())["records"][0], store.schema())
    (again,) = store.read([path], pytest.fail)
    assert again == record
    assert (again.cost, again.latency) == (before.cost, before.latency)
    if isinstance(energy, Missing):
        assert energy.message.endswith(".")
        assert record.per_gflop_j == record.per_million_access_elems_j == energy
    else:
        assert energy.gross_per_image_j > 0
        assert all(trial.window_j > 0 for trial in energy.trials)


def test_energy_is_told_per_image_per_gflop_and_per_million_elements(world):
    device = Device(world)
    energy = measured(device, QUICK)
    record = replace(counted(), energy=energy)
    assert record.per_gflop_j == pytest.approx(device.run_j / (COST.flops / 1e9), rel=0.01)
    assert record.per_million_access_elems_j == pytest.approx(device.run_j / (COST.access_elems / 1e6), rel=0.01)


def test_a_step_of_several_calls_costs_a_call_its_share_by_either_protocol(world):
    device = Device(world)
    load = Load(device.step, 1, "graph", 0.0, calls=4)  # as a graph of a short model is replayed
    found = energy_meter.measure(load, device, meter(world), QUICK, CardWatcher(card(world)))
    assert isinstance(found, Energy)
    assert isinstance(found.paper, PaperEnergy)
    assert found.gross_per_image_j == pytest.approx(device.run_j / 4, rel=0.01)
    assert found.paper.per_image_j == pytest.approx(device.run_j / 4, rel=0.02)


def test_energy_per_gflop_does_not_depend_on_the_batch(world):
    energy = measured(Device(world), QUICK)
    one = counted()
    rows = tuple(replace(row, flops=4 * row.flops) for row in COST.by_op if not isinstance(row.flops, Missing))
    four = replace(one, workload=replace(one.workload, batch=4), cost=replace(COST, by_op=rows))
    per_image = replace(one, energy=energy).per_gflop_j
    assert replace(four, energy=energy).per_gflop_j == pytest.approx(per_image)
