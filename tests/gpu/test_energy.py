"""Energy measurements on a real GPU.

A measurement lasts 15 s by `PLAN` and 11 s by `SHORT`: idle power, warm-up, probe of the source, windows.
"""

import statistics
import time
from dataclasses import replace

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
from backbone_bench.measure.protocols import PowerSource, SourceFailed, Step
from backbone_bench.records import Energy, Missing
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD
PLAN = EnergyPlan(window_s=2.0, min_ticks=15, idle_s=4.0, idle_skip_s=1.5, warm_up_s=2.0)
SHORT = replace(PLAN, trials=2, idle_s=2.0, idle_skip_s=0.5)


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
    return measured(step, meter, PLAN)


def seconds(step, runs: int) -> float:
    """Time of `runs` runs while no sensor is polled."""
    torch.cuda.synchronize()
    begun_s = time.perf_counter()
    for _ in range(runs):
        step()
    torch.cuda.synchronize()
    return time.perf_counter() - begun_s


def lasting(run_s: float) -> Step:
    """The graph of so many small matrix products that a replay lasts `run_s`: one launch, whatever it lasts."""
    device, matrix = available.resolve(NAME), torch.randn(1024, 1024, device=NAME)
    result = torch.empty_like(matrix)

    def products(count: int) -> Step:
        def repeated() -> torch.Tensor:
            for _ in range(count):
                torch.mm(matrix, matrix, out=result)
            return result

        return device.capture(repeated)

    twenty = products(20)
    seconds(twenty, 500)  # clocks rise
    return products(max(1, round(run_s / (seconds(twenty, 100) / 100 / 20))))


@pytest.mark.parametrize("run_s", [5e-3, 0.2e-3], ids=["5 ms", "0.2 ms"])
def test_readings_do_not_slow_the_load(run_s, meter, show):
    step = lasting(run_s)
    found = measured(step, meter, SHORT)
    runs = round(1 / run_s)
    undisturbed_s = statistics.median(seconds(step, runs) / runs for _ in range(3))
    read_s = statistics.mean(trial.run_s for trial in found.trials)
    show(f"a run of {undisturbed_s * 1e3:.4f} ms lasts {read_s * 1e3:.4f} ms under readings; slowdown {found.slowdown}")
    assert isinstance(found.slowdown, float), found.slowdown
    assert found.slowdown <= 0.01
    assert read_s <= undisturbed_s * 1.01


def test_a_reading_of_a_source_is_short(meter, show):
    for source in meter.sources:
        took_s = reading_times_s(source)
        if took_s:
            median_s, longest_s = statistics.median(took_s), max(took_s)
            show(f"a reading of {source.name}: {median_s * 1e3:.3f} ms, at most {longest_s * 1e3:.3f} ms")
            assert median_s < 0.01  # an NVIDIA H200: 2.5 ms for the counter, microseconds for the sensors
            assert longest_s < 0.25


def reading_times_s(source: PowerSource) -> list[float]:
    """Time of each of 100 readings; none if this card lacks the source."""
    times_s = []
    try:
        for _ in range(100):
            begun_s = time.perf_counter()
            source.read()
            times_s.append(time.perf_counter() - begun_s)
    except SourceFailed:
        return []
    return times_s


def test_the_counter_is_refreshed_every_5_to_200_milliseconds(meter):
    (trace,) = poll_idle(meter.sources[:1], HostClock(), EnergyPlan(idle_s=2))
    period = period_s(trace.readings)
    assert not isinstance(period, Missing)
    assert 0.005 <= period <= 0.2


def test_the_counter_agrees_with_the_integral_of_power(usual):
    if usual.source != "counter":
        pytest.skip("this card has no energy counter")
    assert usual.cross_check_j_per_j == pytest.approx(1, abs=0.05)


def test_joules_of_a_run_are_the_counters_joules_over_the_runs(step, meter, usual):
    counter = meter.sources[0]
    runs = round(10 / usual.trials[0].run_s)  # 10 s: one tick of the counter is at most 1 % of it
    seconds(step, runs // 5)
    before_j = counter.read()
    seconds(step, runs)
    assert (counter.read() - before_j) / runs == pytest.approx(usual.gross_per_image_j, rel=0.03)


def test_energy_repeats_within_a_twentieth(step, meter, usual):
    again = measured(step, meter, SHORT)
    assert again.gross_per_image_j == pytest.approx(usual.gross_per_image_j, rel=0.05)


def test_a_busy_card_draws_more_than_an_idle_one_and_no_more_than_its_limit(usual):
    card = card_for(NAME)
    assert isinstance(card, Card), card
    assert not isinstance(usual.idle_w, Missing), usual.idle_w
    assert 1 < usual.idle_w < usual.mean_w < 1.1 * card.power_limit_w()
    assert not isinstance(usual.net_per_image_j, Missing)
    assert 0 < usual.net_per_image_j < usual.gross_per_image_j


def test_the_card_is_that_of_torch():
    card = card_for(NAME)
    assert isinstance(card, Card), card
    assert card.name == torch.cuda.get_device_properties(NAME).name
