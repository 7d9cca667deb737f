"""Energy on a real card. None of this has run on one yet: each test is a check for the first that does."""

import time

import pytest
import torch

from backbone_bench.measure import devices, energy
from backbone_bench.measure.cards import card_for, meter_for, watch_for
from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.energy_plan import EnergyPlan
from backbone_bench.measure.integrate import period_s
from backbone_bench.measure.nvml import Card
from backbone_bench.measure.power import Meter
from backbone_bench.measure.rest import rest
from backbone_bench.measure.steady import Load
from backbone_bench.records import Energy, Missing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device answers to torch"),
]
NAME = "cuda:0"


@pytest.fixture
def meter():
    found = meter_for(NAME)
    if isinstance(found, Missing):
        pytest.skip(found.message)
    return found


@pytest.fixture
def step():
    size = torch.randn(4096, 4096, device=NAME)
    return lambda: size @ size


def measured(step, meter: Meter, plan: EnergyPlan) -> Energy:
    found = energy.measure(Load(step, 1, 0.0), devices.resolve(NAME), meter, plan, watch_for(NAME))
    assert isinstance(found, Energy), found
    return found


def test_the_card_is_that_of_torch():
    card = card_for(NAME)
    assert isinstance(card, Card), card
    assert card.name == torch.cuda.get_device_properties(NAME).name


def test_the_counter_is_refreshed_every_5_to_200_milliseconds(meter):
    (tape,) = rest(meter.sources[:1], HostClock(), EnergyPlan(idle_s=2))
    period = period_s(tape.readings)
    assert not isinstance(period, Missing)
    assert 0.005 <= period <= 0.2


def test_the_counter_agrees_with_the_integral_of_power(step, meter):
    found = measured(step, meter, EnergyPlan(source="counter"))
    assert found.cross_check_j_per_j == pytest.approx(1, abs=0.05)


def test_joules_times_rate_are_the_mean_watts(step, meter):
    found = measured(step, meter, EnergyPlan())
    rate = 1 / (sum(trial.run_s for trial in found.trials) / len(found.trials))
    assert found.gross_per_image_j * rate == pytest.approx(found.mean_w, rel=0.01)


def test_energy_repeats_within_its_interval_or_a_twentieth(step, meter):
    first, second = (measured(step, meter, EnergyPlan()) for _ in range(2))
    assert first.gross_per_image_j == pytest.approx(second.gross_per_image_j, rel=0.05)


def test_a_busy_card_draws_more_than_an_idle_one(step, meter):
    found = measured(step, meter, EnergyPlan())
    assert not isinstance(found.net_per_image_j, Missing)
    assert 0 < found.net_per_image_j < found.gross_per_image_j


def test_looking_does_not_slow_the_load(step, meter):
    def rate() -> float:
        torch.cuda.synchronize()
        begun_s = time.perf_counter()
        for _ in range(500):
            step()
        torch.cuda.synchronize()
        return (time.perf_counter() - begun_s) / 500

    rate()
    alone_s = rate()
    found = measured(step, meter, EnergyPlan(trials=2))
    assert found.trials[0].run_s == pytest.approx(alone_s, rel=0.02)
