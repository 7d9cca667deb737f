"""Bursts of calls on a simulated machine."""

import pytest

from backbone_bench.measure.latency.bursts import Bursts
from backbone_bench.measure.latency.plan import IN_TURNS
from backbone_bench.records import Latency, Missing
from tests.measure.world import World


def bursts(world):
    return Bursts(world.step, world, world, IN_TURNS, lambda phase, share: None)


def test_a_burst_is_so_many_calls_and_its_value_is_their_mean():
    world = World(work_s=lambda now_s: 0.002)
    some = bursts(world)
    before = world.calls
    taken = some.take({"wall": 4}, discard=1)
    assert world.calls - before == 5
    assert taken.call_s["wall"] == pytest.approx(0.002, rel=1e-2)
    assert len(taken.discarded_s) == 1


def test_the_samples_of_all_bursts_are_the_latency_and_those_that_are_discarded_are_not():
    world = World(work_s=lambda now_s: 0.002)
    some = bursts(world)
    some.take({"wall": 7}, discard=0, kept=False)
    for _ in range(10):
        some.take({"wall": 3, "graph": 5}, discard=2)
    latency = some.finish().latency
    assert isinstance(latency.wall, Latency)
    assert isinstance(latency.graph, Latency)
    assert (len(latency.wall.samples_s), latency.wall.per_burst) == (30, 3)
    assert (len(latency.graph.samples_s), latency.graph.per_burst) == (50, 5)
    assert len(latency.wall.bursts_s) == len(latency.graph.bursts_s) == 10


def test_the_value_of_a_burst_in_the_record_is_the_mean_of_its_own_samples():
    world = World(work_s=lambda now_s: 0.001 * (1 + world.calls))  # each call is longer than the one before
    some = bursts(world)
    values = [some.take({"wall": 3, "graph": 1}, discard=0).call_s["wall"] for _ in range(5)]
    wall = some.finish().latency.wall
    assert isinstance(wall, Latency)
    assert wall.bursts_s == pytest.approx(values)


def test_the_work_of_a_device_is_that_of_its_graph_else_behind_a_filled_queue():
    with_graph = bursts(World())
    without = bursts(World(capture_error="no capture"))
    neither = bursts(World(capture_error="no capture", events=None))
    assert [list(one.call_s) for one in (with_graph, without, neither)] == [
        ["wall", "graph"],
        ["wall", "device"],
        ["wall"],
    ]
    for some in (with_graph, without, neither):
        some.take({mode: 2 for mode in some.call_s}, discard=0)
    latency = without.finish().latency
    assert isinstance(latency.device, Latency)
    assert latency.device.method == "filled_queue"
    assert isinstance(latency.graph, Missing)
    assert latency.graph.missing == "capture_failed"
    assert isinstance(with_graph.finish().latency.device, Missing)
    assert isinstance(neither.finish().latency.graph, Missing)


def test_the_load_of_other_processes_is_not_known_in_turns():
    some = bursts(World())
    some.take({"wall": 2, "graph": 1}, discard=0)
    wall = some.finish().latency.wall
    assert isinstance(wall, Latency)
    assert isinstance(wall.host_load, Missing)


def test_the_device_has_finished_when_a_burst_is_over():
    world = World(work_s=lambda now_s: 0.01)
    some = bursts(world)
    some.take({"wall": 2, "graph": 3}, discard=1)
    assert world.busy_until <= world.now
