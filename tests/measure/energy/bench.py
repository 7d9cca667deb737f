"""Helpers: measure a load on the simulated device with the real energy meter over the NVML stub."""

from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy.load import Load
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import Meter, card_meter
from backbone_bench.measure.nvml.card import Card, open_card
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Energy, Known
from tests.measure.nvml.world import Device, World

DEFAULT = EnergyPlan()


def card(world: World) -> Card:
    found = open_card(world.identity, world)
    assert isinstance(found, Card)
    return found


def meter(world: World) -> Meter:
    found = card_meter(card(world))
    assert isinstance(found, Meter)
    return found


def measure(
    device: Device, plan: EnergyPlan = DEFAULT, *, batch: int = 1, launch_bound: float | None = 0.0
) -> Known[Energy]:
    """Measure the energy of a simulated device."""
    load = Load(device.step, batch, "graph", launch_bound)
    return energy_meter.measure(load, device, meter(device.world), plan, CardWatcher(card(device.world)))


def measured(device: Device, plan: EnergyPlan = DEFAULT, *, batch: int = 1, launch_bound: float | None = 0.0) -> Energy:
    """The same, and assert that it succeeds."""
    found = measure(device, plan, batch=batch, launch_bound=launch_bound)
    assert isinstance(found, Energy), found
    return found
