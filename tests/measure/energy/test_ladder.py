"""The best working power source is used, failed ones are named with the reason, and energy is never 0 J."""

import random
import statistics
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from backbone_bench import records
from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy.load import Load
from backbone_bench.measure.energy.plan import EnergyPlan, choose
from backbone_bench.measure.energy.sources import NvmlSource
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Energy, EnergyTrial, Missing
from tests.measure.energy.bench import DEFAULT, card, measure, measured, meter
from tests.measure.nvml.world import NAME, Device, Sensor

QUICK = EnergyPlan(trials=2, idle_s=2, idle_skip_s=1, warm_up_s=1)


def missing(found):
    assert isinstance(found, Missing), found
    return found


@pytest.mark.parametrize("code", [3, 4, 13, 27, 999])
def test_a_counter_that_does_not_answer_gives_way_to_instant_power(world, code):
    world.fail("nvmlDeviceGetTotalEnergyConsumption", code)
    device = Device(world)
    found = measured(device, QUICK)
    assert found.source == "power_instant"
    assert len(found.skipped) == 1
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=0.01)


def test_instant_power_that_does_not_answer_gives_way_to_the_average(world):
    world.fail("nvmlDeviceGetTotalEnergyConsumption", 3)
    world.fail("field 186", 3)
    found = measured(Device(world), QUICK)
    assert found.source == "power_usage"
    assert [reason.missing for reason in found.skipped] == ["not_supported", "not_supported"]


@pytest.mark.parametrize(
    ("code", "id"), [(3, "not_supported"), (4, "no_permission"), (13, "function_not_found"), (27, "not_ready")]
)
def test_where_nothing_answers_every_reason_is_told(world, code, id):
    for call in ("nvmlDeviceGetTotalEnergyConsumption", "field 186", "nvmlDeviceGetPowerUsage"):
        world.fail(call, code)
    reason = missing(measure(Device(world), QUICK))
    assert reason.missing == id
    for what in ("energy counter", "nstant power", "ower usage"):
        assert what in reason.message
    assert reason.message.endswith("No other power source is left.")


def test_a_driver_without_the_newer_calls_still_gives_energy(old_world):
    found = measured(Device(old_world), EnergyPlan(trials=1, idle_s=2, idle_skip_s=1, source="auto"))
    assert found.source == "counter"
    assert found.cross_check_j_per_j == pytest.approx(1, rel=0.01)  # against power usage, which old drivers have


def test_a_counter_that_stands_still_gives_way(world):
    world.gpu.frozen_at_s = 0
    found = measured(Device(world), QUICK)
    assert found.source == "power_instant"
    assert found.skipped == (Missing("counter_still", "The energy counter did not move in 2 s."),)


def test_a_counter_that_stops_in_a_window_spoils_that_window_only(world):
    world.gpu.frozen_at_s = world.now_s() + 11
    found = measured(Device(world), QUICK)
    assert found.source == "counter"
    assert len(found.trials) == 1
    assert "counter_still" in found.flags


def test_a_counter_that_falls_spoils_that_window_only(world):
    world.gpu.back_at_s = world.now_s() + 7
    found = measured(Device(world), QUICK)
    assert len(found.trials) == 1
    assert "counter_back" in found.flags


def test_a_counter_that_is_refreshed_too_seldom_asks_for_a_longer_window(world):
    world.gpu.counter = Sensor(0.7, 0.7)
    reason = missing(measure(Device(world), EnergyPlan(trials=1, idle_s=5, idle_skip_s=1, source="counter")))
    assert reason.missing == "few_ticks"
    assert "counter updates in the window, 50 needed: raise --energy-window." in reason.message


def test_a_longer_window_is_what_such_a_counter_needed(world):
    world.gpu.counter = Sensor(0.7, 0.7)
    device = Device(world)
    found = measured(device, EnergyPlan(window_s=36, trials=1, idle_s=5, idle_skip_s=1, source="counter"))
    assert found.trials[0].ticks >= 50
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=0.003)


def test_a_window_grows_until_it_holds_enough_ticks(world):
    world.gpu.counter = Sensor(0.2, 0.2)
    found = measured(Device(world), QUICK)
    assert all(trial.ticks >= 50 for trial in found.trials)


@pytest.mark.parametrize("after_s", [0.0, 1.0, 2.5, 6.0, 12.0])
def test_a_card_that_is_lost_ends_the_ladder(world, after_s):
    world.state.lost_at_s = world.now_s() + QUICK.idle_s + after_s
    device = Device(world)
    reason = missing(measure(device, QUICK))
    assert reason == Missing("gpu_lost", f"{NAME} is lost: it fell off the bus (Xid error?). See dmesg.")


def test_only_the_source_that_is_asked_for_is_taken(world):
    found = measured(Device(world), EnergyPlan(trials=1, idle_s=2, idle_skip_s=1, source="power_usage"))
    assert found.source == "power_usage"
    world.fail("nvmlDeviceGetTotalEnergyConsumption", 3)
    reason = missing(measure(Device(world), EnergyPlan(idle_s=2, source="counter")))
    assert reason.missing == "not_supported"
    reason = missing(measure(Device(world), EnergyPlan(idle_s=2, source="rapl")))
    assert reason == Missing(
        "no_source", "There is no source rapl here: use --energy-source with counter, power_instant, power_usage."
    )


def test_a_sensor_that_reads_nothing_is_no_sensor(world):
    device = Device(world, shape=((1.0, 0.0),))
    device.idle_w = 0.0
    world.gpu.watts[0] = 0.0
    reason = missing(measure(device, QUICK))
    assert reason.missing == "counter_still"
    assert "reads 0 W" in reason.message


def test_an_energy_of_nothing_cannot_be_built():
    with pytest.raises(ValidationError):
        EnergyTrial(0.0, 5.0, 0.01, 50, 0.0, Missing("none", "none"))
    with pytest.raises(ValidationError):
        Energy("counter", (), 0.1, 0.1, 1, (), 60.0, 0.05, 1.0)


def test_a_graph_of_several_calls_is_divided_by_them(world):
    device = Device(world)
    whole = measured(device)
    load = Load(device.step, 1, "graph", 0.0, calls=5)
    fifth = energy_meter.measure(load, device, meter(world), DEFAULT, CardWatcher(card(world)))
    assert isinstance(fifth, Energy)
    assert fifth.gross_per_image_j == pytest.approx(whole.gross_per_image_j / 5, rel=1e-3)


def test_idle_is_measured_first_and_taken_off_once(world):
    device = Device(world)
    found = measured(device, batch=4)
    assert found.idle_w == pytest.approx(60, rel=1e-3)
    assert found.mean_w == pytest.approx(270, rel=1e-3)
    assert found.gross_per_image_j == pytest.approx(device.run_j / 4, rel=1e-3)
    assert found.net_per_image_j == pytest.approx((device.run_j - 60 * device.run_s) / 4, rel=1e-3)


@pytest.mark.parametrize("source", ["counter", "power_instant"])
def test_a_card_that_idles_down_slowly_is_given_time(world, source):
    device = Device(world)
    device.draw.from_s(world.now_s(), 150.0)
    device.draw.from_s(world.now_s() + 2, 60.0)
    found = measured(device, EnergyPlan(trials=1, source=source))
    assert found.idle_w == pytest.approx(60, rel=1e-3)


def test_idle_of_a_shared_card_is_not_told_and_net_neither(world):
    world.gpu.compute_pids[1], world.gpu.computes = 4711, 2
    found = measured(Device(world), QUICK)
    assert isinstance(found.idle_w, Missing)
    assert found.idle_w.missing == "shared_gpu"
    assert found.net_per_image_j == found.idle_w


def test_a_load_that_draws_less_than_idle_has_no_net_energy(world):
    device = Device(world, shape=((1.0, 50.0),))
    found = measured(device, QUICK)
    assert isinstance(found.net_per_image_j, Missing)
    assert found.net_per_image_j.missing == "idle_above_load"
    assert "below_idle" in found.flags


def test_counter_and_sensor_that_disagree_are_both_told(world):
    world.gpu.instant = Sensor(0.1, 0.05)  # aliasing: it samples the same half of every run
    device = Device(world, run_s=0.1, shape=((0.5, 300.0), (0.5, 100.0)))
    found = measured(device, QUICK)
    assert found.source == "counter"
    assert "sources_disagree" in found.flags
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=0.01)
    assert found.cross_check_j_per_j != pytest.approx(1, abs=0.05)


def test_sources_that_agree_are_no_remark(world):
    found = measured(Device(world), QUICK)
    assert found.cross_check_j_per_j == pytest.approx(1, rel=0.01)
    assert found.flags == ()


def test_a_witness_that_fails_does_not_spoil_the_counter(world):
    found = measured(Forgetful(world), QUICK)
    assert found.source == "counter"
    assert isinstance(found.cross_check_j_per_j, Missing)
    assert len(found.trials) == 2


class Forgetful(Device):
    """A device whose instantaneous power cannot be read any more after 8 s."""

    def step(self):
        if self.world.now_s() > 108 and not self.world.state.faults:
            self.world.fail("field 186", 3)
        super().step()


def test_a_load_that_draws_a_little_more_than_idle_is_not_below_it(world):
    assert "below_idle" not in measured(Device(world, shape=((1.0, 60.5),)), QUICK).flags


def test_a_first_answer_takes_seconds_and_is_still_energy(world):
    device, begun_s = Device(world), world.now_s()
    found = measured(device, choose(quick=True))
    assert world.now_s() - begun_s < 12
    assert found.gross_per_image_j == pytest.approx(device.run_j, rel=0.005)


def test_a_first_answer_has_three_windows_of_ten_ticks_and_an_interval_of_three(world):
    draw = random.Random(0)
    found = measured(Device(world, gain=lambda run: 1 + draw.gauss(0, 0.02)), choose(quick=True))
    assert [trial.ticks for trial in found.trials] == [10, 10, 10]
    assert [trial.window_s for trial in found.trials] == pytest.approx([1, 1, 1], abs=0.01)
    assert not isinstance(found.repeat_relative, Missing)
    per_run_j = [trial.run_j for trial in found.trials]
    assert found.repeat_relative < 3 * statistics.stdev(per_run_j) / statistics.mean(per_run_j) + 0.002


def test_a_first_answer_is_longer_where_the_sensor_averages(world):
    found = measured(Device(world), choose(quick=True, source="power_usage"))
    assert [trial.window_s >= 10 for trial in found.trials] == [True] * 3


def test_what_is_asked_for_on_the_command_line_is_in_the_plan():
    assert choose() == EnergyPlan()
    plan = choose(window_s=8, source="power_usage", paper=True)
    assert plan == EnergyPlan(window_s=8, source="power_usage", paper=True)


def test_repeat_and_sensor_are_two_uncertainties(world):
    found = measured(Device(world))
    assert found.sensor_relative == 0.05
    assert found.repeat_relative == pytest.approx(0, abs=0.005)


def test_one_trial_has_no_interval(world):
    found = measured(Device(world), EnergyPlan(trials=1, idle_s=2, idle_skip_s=1))
    assert isinstance(found.repeat_relative, Missing)


def test_an_energy_survives_being_written_and_read(world):
    found = measured(Device(world), EnergyPlan(trials=2, idle_s=2, idle_skip_s=1, paper=True))
    adapter = TypeAdapter(records.Energy)
    assert adapter.validate_json(adapter.dump_json(found)) == found


def test_the_paper_protocol_is_a_mean_of_readings_over_the_rate_and_takes_nothing_off(world):
    device = Device(world)
    found = measured(device, EnergyPlan(trials=1, idle_s=2, idle_skip_s=1, paper=True), batch=2)
    paper = found.paper
    assert isinstance(paper, records.PaperEnergy)
    assert paper.source == "power_usage"
    assert len(paper.readings_w) == pytest.approx(50, abs=2)  # one per 0.1 s, for 5 s
    assert paper.per_image_j == pytest.approx(device.run_j / 2, rel=0.01)


@pytest.mark.parametrize(
    ("instant_s", "usage_s", "read"),
    [(0.1, 1.0, "power_usage"), (1.0, 0.1, "power_instant"), (None, 0.1, "power_usage"), (None, None, "power_usage")],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_the_paper_protocol_reads_the_sensor_that_averages_longest_wherever_it_stands(
    world, instant_s, usage_s, read, turn
):
    counter, instant, usage = meter(world).sources
    assert isinstance(instant, NvmlSource)
    assert isinstance(usage, NvmlSource)
    sensors = (replace(instant, averaging_s=instant_s), replace(usage, averaging_s=usage_s))[::turn]
    device, plan = Device(world), EnergyPlan(trials=1, idle_s=2, idle_skip_s=1, paper=True)
    load, found_meter = Load(device.step, 1, "graph", 0.0), replace(meter(world), sources=(counter, *sensors))
    found = energy_meter.measure(load, device, found_meter, plan, CardWatcher(card(world)))
    assert isinstance(found, Energy)
    assert isinstance(found.paper, records.PaperEnergy)
    assert found.paper.source == read


def test_the_paper_protocol_needs_a_power_sensor(world):
    world.fail("field 186", 3)
    world.fail("nvmlDeviceGetPowerUsage", 3)
    found = measured(Device(world), EnergyPlan(trials=1, idle_s=2, idle_skip_s=1, paper=True))
    assert isinstance(found.paper, Missing)
    assert found.paper.missing == "no_power_sensor"


def test_the_paper_protocol_is_taken_only_when_asked_for(world):
    assert measured(Device(world), QUICK).paper is None
