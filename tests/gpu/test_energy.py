"""Energy measurements on a real GPU."""

import time

import pytest
import torch

from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.devices import available
from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy.choose import meter_for
from backbone_bench.measure.energy.idle import poll_idle
from backbone_bench.measure.energy.integrate import period_s
from backbone_bench.measure.energy.load import Load
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import Meter
from backbone_bench.measure.nvml.card import Card
from backbone_bench.measure.nvml.find import card_for, watch_for
from backbone_bench.records import Energy, Missing
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD


@pytest.fixture(scope="module")
def meter():
    found = meter_for(NAME)
    if isinstance(found, Missing):
        pytest.skip(found.message)
    return found


@pytest.fixture(scope="module")
def step():
    size = torch.randn(4096, 4096, device=NAME)
    return lambda: size @ size


def measured(step, meter: Meter, plan: EnergyPlan) -> Energy:
    found = energy_meter.measure(Load(step, 1, "graph", 0.0), available.resolve(NAME), meter, plan, watch_for(NAME))
    assert isinstance(found, Energy), found
    return found


@pytest.fixture(scope="module")
def usual(step, meter) -> Energy:
    return measured(step, meter, EnergyPlan())


def seconds(step, runs: int) -> float:
    """Time of `runs` runs while no sensor is polled."""
    torch.cuda.synchronize()
    begun_s = time.perf_counter()
    for _ in range(runs):
        step()
    torch.cuda.synchronize()
    return time.perf_counter() - begun_s


def test_the_card_is_that_of_torch():
    card = card_for(NAME)
    assert isinstance(card, Card), card
    assert card.name == torch.cuda.get_device_properties(NAME).name


def test_the_counter_is_refreshed_every_5_to_200_milliseconds(meter):
    (trace,) = poll_idle(meter.sources[:1], HostClock(), EnergyPlan(idle_s=2))
    period = period_s(trace.readings)
    assert not isinstance(period, Missing)
    assert 0.005 <= period <= 0.2


def test_the_counter_agrees_with_the_integral_of_power(step, meter):
    found = measured(step, meter, EnergyPlan(source="counter"))
    assert found.cross_check_j_per_j == pytest.approx(1, abs=0.05)


def test_joules_of_a_run_are_the_counters_joules_over_the_runs(step, meter, usual):
    counter = meter.sources[0]
    runs = round(10 / usual.trials[0].run_s)  # 10 s: one tick of the counter is at most 1 % of it
    seconds(step, runs // 5)
    before_j = counter.read()
    seconds(step, runs)
    assert (counter.read() - before_j) / runs == pytest.approx(usual.gross_per_image_j, rel=0.03)


def test_energy_repeats_within_a_twentieth(step, meter, usual):
    again = measured(step, meter, EnergyPlan(trials=2))
    assert again.gross_per_image_j == pytest.approx(usual.gross_per_image_j, rel=0.05)


def test_a_busy_card_draws_more_than_an_idle_one_and_no_more_than_its_limit(usual):
    card = card_for(NAME)
    assert isinstance(card, Card), card
    assert not isinstance(usual.idle_w, Missing), usual.idle_w
    assert 1 < usual.idle_w < usual.mean_w < 1.1 * card.power_limit_w()
    assert not isinstance(usual.net_per_image_j, Missing)
    assert 0 < usual.net_per_image_j < usual.gross_per_image_j


def test_looking_does_not_slow_the_load(step, usual):
    seconds(step, 500)
    assert usual.trials[0].run_s == pytest.approx(seconds(step, 500) / 500, rel=0.02)
