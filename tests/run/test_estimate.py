"""The estimated duration of a row agrees with the measured one on a simulated clock."""

from dataclasses import replace

import pytest

from backbone_bench.jobs.job import Job
from backbone_bench.measure.energy import plan as energy_plan
from backbone_bench.measure.latency.meter import measure
from backbone_bench.measure.latency.plan import choose
from backbone_bench.run.estimate import START_S, estimate
from tests.measure.energy.bench import measured
from tests.measure.nvml.world import Device
from tests.measure.world import World

JOB = Job("no_model_of_the_zoo", {}, device="cuda", energy="off")  # its calls are taken to be short
KNOWN = Job("vgg19", {}, device="cpu")


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("restless", [False, True])
def test_the_time_of_a_row_lies_in_the_span_that_was_foretold(quick, restless):
    turns = iter(range(10**9))
    world = World(work_s=lambda now_s: 0.002 * (1 + 3 * (restless and next(turns) % 7 == 0) + (now_s - 100) * restless))
    measure(world.step, world, world, choose(quick=quick))
    least_s, most_s = estimate(replace(JOB, quick=quick))
    assert least_s - START_S <= world.now - 100 <= 1.1 * (most_s - 2 * START_S)  # a block or a batch is finished first


def test_counts_alone_cost_the_start_and_a_budget_is_the_most_for_latency():
    assert estimate(replace(KNOWN, latency=False)) == (START_S, 2 * START_S)
    assert estimate(replace(KNOWN, budget_s=60)) == (START_S, 2 * START_S + 60)


@pytest.mark.parametrize("quick", [True, False])
def test_the_time_of_energy_lies_in_the_span_that_was_foretold(world, quick):
    begun_s = world.now_s()
    measured(Device(world), energy_plan.choose(quick=quick))
    job = replace(JOB, latency=False, energy="auto", quick=quick)
    least_s, most_s = estimate(job)
    assert least_s - START_S <= world.now_s() - begun_s <= most_s - 2 * START_S
    both = estimate(replace(job, energy_of="both"))
    assert both.least_s - least_s > 2  # the runs of a waiting caller, without another rest


@pytest.mark.parametrize("more", [{"batch": 8}, {"input_size": 448}, {"mode": "train"}], ids=str)
def test_more_work_takes_longer(more):
    small, large = estimate(KNOWN), estimate(replace(KNOWN, **more))
    assert small.least_s < large.least_s
    assert small.most_s < large.most_s


def test_three_latencies_take_longer_than_one():
    assert estimate(replace(JOB, device="cuda")).least_s > estimate(replace(JOB, device="cpu")).least_s
