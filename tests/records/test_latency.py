"""Derived values of a record: latency, throughput and energy computed from raw samples."""

import json
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from backbone_bench.records import (
    EAGER_EVENTS,
    Energy,
    EnergyTrial,
    Latencies,
    Latency,
    Missing,
    Rate,
    Rates,
    Record,
    WarmUp,
)
from backbone_bench.records.quantities import QUANTITIES
from tests.report import samples

LATENCIES = TypeAdapter(Latencies)
SLOW, FAST = samples.latency(0.010), samples.latency(0.004)
NO_TEMPERATURE = Missing("no_temperature", "not read")


def test_latencies_read_back_are_the_same_and_derived_figures_are_written_but_not_read():
    written = LATENCIES.dump_json(Latencies(SLOW, samples.NO_EVENTS, FAST))
    assert LATENCIES.validate_json(written) == Latencies(SLOW, samples.NO_EVENTS, FAST)
    changed = json.loads(written)
    changed["wall"]["median_s"] = 77
    assert LATENCIES.validate_json(json.dumps(changed)).wall == SLOW


def test_readers_find_every_figure_of_a_latency():
    written = json.loads(LATENCIES.dump_json(Latencies(SLOW, samples.NO_EVENTS, FAST)))["wall"]
    assert {"n", "median_s", "ci95_s", "min_s", "p90_s", "p95_s", "p99_s", "iqr_s", "lag1", "drift", "outliers"} < set(
        written
    )
    assert written["p99_s"]["missing"] == "few_samples"
    assert written["p99_s"]["message"] == "p99 needs 662 samples: 622 more than the 40 taken"


def test_a_launch_bound_call_spends_what_the_graph_leaves_of_the_wall():
    assert Latencies(SLOW, samples.NO_EVENTS, FAST).launch_bound == pytest.approx(0.6)


def test_device_work_is_the_graph_or_else_a_device_latency_with_a_filled_queue_but_never_eager_events():
    filled = replace(FAST, method="filled_queue")
    assert Latencies(SLOW, SLOW, FAST).device_work == FAST
    assert Latencies(SLOW, filled, samples.NO_GRAPH).device_work == filled
    assert Latencies(SLOW, filled, samples.NO_GRAPH).launch_bound == pytest.approx(0.6)
    for eager in (SLOW, replace(SLOW, method="eager_events")):
        found = Latencies(SLOW, eager, samples.NO_GRAPH)
        assert found.device_work == found.launch_bound == EAGER_EVENTS
    assert Latencies(SLOW, samples.NO_EVENTS, samples.NO_GRAPH).launch_bound == samples.NO_EVENTS


def test_percentiles_are_the_samples_below_which_so_many_lie():
    found = replace(SLOW, samples_s=tuple(float(n) for n in range(1, 1001)))
    assert (found.p90_s, found.p95_s, found.p99_s, found.iqr_s) == (900, 950, 990, 500)


@pytest.mark.parametrize("samples_s", [(), (-0.001,), (float("nan"),)])
def test_no_samples_and_impossible_ones_are_no_latency(samples_s):
    with pytest.raises(ValidationError):
        Latency(samples_s, (), WarmUp("steady", 2.0, 10), "converged", 0.0)


# Rates.


def rates(record: Record) -> Rates:
    assert isinstance(record.rates, Rates)
    return record.rates


def wall_rate(record: Record) -> Rate:
    found = rates(record).wall
    assert isinstance(found, Rate)
    return found


def test_rates_are_of_the_whole_batch_in_each_latency():
    found = rates(samples.gpu_record("resnet50", 4_000_000_000, graph_s=0.020, batch=64))
    assert isinstance(found.graph, Rate)
    assert found.graph.images_per_s == pytest.approx(64 / 0.020, rel=1e-3)
    assert found.graph.flops_per_s == pytest.approx(4e9 / 0.020, rel=1e-3)
    assert isinstance(found.wall, Rate)
    assert found.wall.images_per_s == pytest.approx(found.graph.images_per_s / 2)


def test_a_latency_that_is_missing_has_no_rate_and_the_same_reason():
    assert rates(samples.record("resnet50", 4_000_000_000, 0.1)).device == samples.NO_EVENTS
    counted = samples.counted("resnet50", 4_000_000_000)
    assert counted.rates == counted.latency


def test_a_training_step_is_not_divided_into_the_arithmetic_of_its_forward_pass():
    made = samples.record("resnet50", 4_000_000_000, 0.1)
    trained = wall_rate(replace(made, workload=replace(made.workload, mode="train")))
    assert trained.images_per_s == pytest.approx(10, rel=1e-2)
    assert isinstance(trained.flops_per_s, Missing)
    assert isinstance(trained.traffic_bytes_per_s, Missing)


def test_traffic_is_told_in_bytes_and_a_multiply_add_counts_once():
    made = samples.record("resnet50", 4_000_000_000, 0.1)
    assert not isinstance(made.cost, Missing)
    found = wall_rate(made)
    assert made.cost.traffic_bytes != made.cost.traffic_elems
    assert found.traffic_bytes_per_s == pytest.approx(made.cost.traffic_bytes / 0.1, rel=1e-2)
    assert found.flops_per_s == pytest.approx(4e9 / 0.1, rel=1e-2)


def test_a_clock_that_reads_nothing_gives_no_rate():
    instant = Latencies(samples.latency(0.0), samples.NO_EVENTS, samples.NO_GRAPH)
    found = rates(replace(samples.record("resnet50", 1, 0.1), latency=instant)).wall
    assert isinstance(found, Missing)
    assert found.missing == "clock_too_coarse"
    assert Latencies(samples.latency(0.0), samples.NO_EVENTS, samples.latency(0.1)).launch_bound == found


def test_without_a_count_there_are_images_but_no_arithmetic():
    unknown = Missing("not_counted", "not counted")
    found = wall_rate(samples.record("resnet50", 4_000_000_000, 0.1, cost=unknown))
    assert found.flops_per_s == found.traffic_bytes_per_s == unknown


# Energy.


@pytest.mark.parametrize("count", [2, 3, 8])
def test_what_the_ends_of_windows_hide_weighs_less_the_more_windows_there_are(count):
    """3 of 100 J of each window are uncertain, independently of the other windows: their mean is off by 3 % over √n."""
    trial = EnergyTrial(100.0, 10.0, 0.01, 50, 3.0, NO_TEMPERATURE)
    energy = Energy("counter", (), 0.1, 0.1, 1, (trial,) * count, 60.0, 0.05, 1.0)
    assert energy.repeat_relative == pytest.approx(0.03 / count**0.5)


def test_net_is_gross_without_what_idling_would_have_drawn_in_the_time_of_an_image():
    trials = tuple(EnergyTrial(watts * 10, 10.0, 0.02, 50, 0.0, NO_TEMPERATURE) for watts in (290.0, 310.0))
    energy = Energy("counter", (), 0.1, 0.1, 4, trials, 60.0, 0.05, 1.0)
    assert energy.mean_w == pytest.approx(300)
    assert energy.gross_per_image_j == pytest.approx(300 * 0.02 / 4)
    assert energy.net_per_image_j == pytest.approx((300 - 60) * 0.02 / 4)


def test_less_energy_is_better_and_mean_power_has_no_better_direction():
    assert QUANTITIES["gross_per_image_j"].better == "less"
    assert QUANTITIES["mean_w"].better is None  # a slow network draws little and may still need more energy
