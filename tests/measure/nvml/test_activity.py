"""What the parts of a card did during a window, by its own counters, or the reason why that is not known."""

from dataclasses import replace

import pytest

from backbone_bench.doctor.accelerators import _activity
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.nvml.activity import CardCounters
from backbone_bench.records import CardActivity, Missing
from tests.measure.energy.bench import card as opened
from tests.measure.energy.bench import measured
from tests.measure.nvml.world import Device

PERCENT = (92.0, 41.0, 5.0, 60.0, 33.0)  # SM, occupancy, tensor, DRAM, FP32
QUICK = EnergyPlan(trials=2, idle_s=2, idle_skip_s=1, warm_up_s=1)


@pytest.fixture
def hopper(world):
    world.gpu.gpm = 1
    world.gpu.gpm_percent[:] = PERCENT
    return world


def window(card, world):
    counters = CardCounters(card)
    counters.begin()
    world.sleep_s(1)
    return counters.end()


def test_the_shares_are_those_between_two_samples(hopper, card):
    found = window(card, hopper)
    assert isinstance(found, CardActivity)
    assert (found.sm_busy, found.sm_occupancy, found.tensor_busy) == (0.92, 0.41, 0.05)
    assert (found.dram_busy, found.fp32_busy) == (0.60, 0.33)


def test_the_bytes_are_the_share_of_what_the_bus_can_move(hopper, card):
    """An A100-SXM4-40GB by its data sheet: 5120 bits at 1215 MHz, two transfers a cycle, 1555 GB/s."""
    found = window(card, hopper)
    assert isinstance(found, CardActivity)
    assert found.dram_peak_bytes_per_s == pytest.approx(1555e9, rel=1e-3)
    assert found.dram_bytes_per_s == pytest.approx(0.6 * 1555e9, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "code", "id"),
    [
        ("nvmlGpmQueryDeviceSupport", 13, "function_not_found"),
        ("nvmlGpmSampleGet", 4, "no_permission"),
        ("nvmlGpmMetricsGet", 3, "not_supported"),
        ("nvmlDeviceGetMemoryBusWidth", 3, "not_supported"),
    ],
)
def test_a_call_that_fails_is_the_reason(hopper, card, call, code, id):
    hopper.fail(call, code)
    found = window(card, hopper)
    assert isinstance(found, Missing)
    assert found.missing == id


def test_an_older_card_says_that_it_does_not_count(world, card):
    found = window(card, world)
    assert isinstance(found, Missing)
    assert found.missing == "no_activity_counters"


def test_an_older_driver_lacks_the_calls(old_world):
    counters = CardCounters(opened(old_world))
    counters.begin()
    found = counters.end()
    assert isinstance(found, Missing)
    assert found.missing == "function_not_found"


def test_energy_has_the_bytes_of_an_image_beside_it(hopper):
    energy = measured(Device(hopper, run_s=0.004), QUICK, batch=8)
    peak = 2 * 1215e6 * 5120 / 8
    assert energy.dram_bytes_per_image == pytest.approx(0.6 * peak * 0.004 / 8, rel=0.01)


def test_energy_of_an_older_card_says_why_it_has_none(world):
    energy = measured(Device(world, run_s=0.004), QUICK)
    assert isinstance(energy.dram_bytes_per_image, Missing)
    assert energy.dram_bytes_per_image.missing == "no_activity_counters"


def test_a_record_from_before_says_so(hopper):
    energy = measured(Device(hopper, run_s=0.004), QUICK)
    old = replace(energy, trials=tuple(replace(trial, activity=None) for trial in energy.trials))
    assert isinstance(old.dram_bytes_per_image, Missing)
    assert old.dram_bytes_per_image.missing == "not_counted"


def test_the_doctor_says_whether_the_card_counts(world, card):
    assert "not counted" in _activity("cuda:0 activity", card).found
    world.gpu.gpm = 1
    assert "are counted during energy windows" in _activity("cuda:0 activity", card).found
    world.fail("nvmlGpmQueryDeviceSupport", 4)
    assert _activity("cuda:0 activity", card).grade == "weak"
