"""Samples of a card that was held back are taken again only if that is asked for, and their number is recorded."""

import dataclasses

import pytest

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.measure.latency import meter
from backbone_bench.measure.latency.cooling import Cooler
from backbone_bench.measure.latency.plan import FULL
from backbone_bench.measure.latency.timers import Wall
from backbone_bench.records import Latency
from tests.measure.world import World

HOT_S, COOL_S = 0.002, 0.001


def hot_world(*heat: tuple[float, float]) -> World:
    """A card that takes twice as long while it is held back."""
    world = World(heat=heat)
    world.work_s = lambda now_s: HOT_S if world.holds_back() else COOL_S
    return world


def wall(world: World, cool_s: float | None) -> Latency:
    plan = dataclasses.replace(FULL, cool_s=cool_s)
    found = meter.measure(world.step, world, world, plan, clock=world).latency.wall
    assert isinstance(found, Latency)
    return found


SAMPLING = (103.0, 104.0)  # well after the warm-up, which ends at about 102 s


def test_samples_of_a_card_that_is_held_back_are_kept_unless_asked_otherwise():
    found = wall(hot_world(SAMPLING), None)
    assert max(found.samples_s) > 1.5 * COOL_S
    assert found.cooling is None


def test_samples_of_a_card_that_is_held_back_are_taken_again_and_counted():
    found = wall(hot_world(SAMPLING), 60)
    assert max(found.samples_s) < 1.5 * COOL_S
    assert found.cooling is not None
    assert found.cooling.repeated > 0
    assert 1 <= found.cooling.spent_s < 60
    assert not found.cooling.gave_up
    assert "samples_repeated" in found.flags
    assert found.n == wall(hot_world(), 60).n  # waiting takes no time from the samples


def test_a_card_that_stays_hot_is_waited_for_until_the_limit_and_measured_as_it_is():
    world = hot_world((101.0, 1e9))
    found = wall(world, 5)
    assert found.cooling is not None
    assert found.cooling.gave_up
    assert 5 <= found.cooling.spent_s < 10
    assert min(found.samples_s) > 1.5 * COOL_S


def test_a_card_that_was_never_held_back_is_recorded_as_such():
    found = wall(hot_world(), 60)
    assert found.cooling is not None
    assert (found.cooling.repeated, found.cooling.spent_s, found.cooling.gave_up) == (0, 0.0, False)


def test_the_wait_ends_when_the_card_is_cool():
    world = hot_world((100.0, 110.0))
    cooler = Cooler(world, 60, world)
    assert max(cooler.take(Wall(world.step, world), 3)) < 1.5 * COOL_S
    assert cooler.repeated == 3
    assert 110 < world.now < 113


def test_a_device_that_does_not_say_when_it_is_held_back_is_refused():
    world = World()
    plan = dataclasses.replace(FULL, cool_s=5)
    with pytest.raises(CouldNotMeasure, match="--wait-for-cool needs a card that says when"):
        meter.measure(world.step, world, world, plan, clock=world)
    assert world.calls == 0
