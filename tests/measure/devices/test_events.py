"""Events: conversion of torch's milliseconds to seconds, and the order of two events."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from backbone_bench.measure.devices import accelerator
from backbone_bench.measure.devices.accelerator import TorchEvent
from backbone_bench.measure.latency import timers
from backbone_bench.measure.latency.timers import Pairs
from backbone_bench.measure.protocols import EventsFailed
from tests.measure.world import World


class FakeEvent:
    """Like torch.Event: milliseconds, by a method of the earlier event."""

    now_ms = 0.0

    def __init__(self, device: torch.device, *, enable_timing: bool) -> None:
        assert enable_timing
        self.at_ms: float | None = None

    def record(self) -> None:
        self.at_ms = FakeEvent.now_ms

    def synchronize(self) -> None: ...

    def query(self) -> bool:
        return True

    def elapsed_time(self, end: "FakeEvent") -> float:
        assert self.at_ms is not None
        assert end.at_ms is not None
        return end.at_ms - self.at_ms


@pytest.fixture(autouse=True)
def fake_events(monkeypatch):
    monkeypatch.setattr(torch, "Event", FakeEvent)
    monkeypatch.setattr(FakeEvent, "now_ms", 1000.0)


def mutant(original: Any, module: Any, old: str, new: str) -> Any:
    """The same class with one fragment of its source replaced."""
    source = inspect.getsource(original)
    assert source.count(old) == 1
    scope = dict(vars(module))
    exec(source.replace(old, new), scope)
    return scope[original.__name__]


# Five milliseconds between two events.


def five_ms_are_five_thousandths_of_a_second(kind: Callable[[torch.device], TorchEvent]) -> None:
    start, end = kind(torch.device("cpu")), kind(torch.device("cpu"))
    start.record()
    FakeEvent.now_ms += 5
    end.record()
    assert end.elapsed_s_since(start) == pytest.approx(0.005)


def test_an_event_5_ms_later_is_5_thousandths_of_a_second_later():
    five_ms_are_five_thousandths_of_a_second(TorchEvent)


def test_an_event_has_a_mark_from_the_start_since_the_driver_makes_it_at_the_first():
    made: Any = TorchEvent(torch.device("cpu"))
    assert made._event.at_ms == FakeEvent.now_ms


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("earlier._event.elapsed_time(self._event)", "self._event.elapsed_time(earlier._event)"),
        ("/ 1e3", ""),
        ("/ 1e3", "/ 1e6"),
    ],
    ids=["events swapped", "milliseconds kept", "taken for microseconds"],
)
def test_a_wrong_order_or_unit_would_be_found(old, new):
    with pytest.raises(AssertionError):
        five_ms_are_five_thousandths_of_a_second(mutant(TorchEvent, accelerator, old, new))


# A pair of events around each call.


def pairs_time_the_call_between_them(kind: type[Pairs]) -> None:
    world = World(work_s=lambda now_s: 0.005)
    assert kind(world.step, world, 4).take(10) == pytest.approx([0.005] * 10, rel=1e-3)


def test_a_pair_of_events_times_the_call_between_them():
    pairs_time_the_call_between_them(Pairs)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("end.elapsed_s_since(start)", "start.elapsed_s_since(end)"),
        (
            "            start.record()\n            self.step()\n",
            "            self.step()\n            start.record()\n",
        ),
        ("            self.step()\n            end.record()\n", "            end.record()\n            self.step()\n"),
    ],
    ids=["arguments swapped", "started after the call", "ended before the call"],
)
def test_events_in_the_wrong_places_would_be_found(old, new):
    with pytest.raises((AssertionError, EventsFailed)):
        pairs_time_the_call_between_them(mutant(Pairs, timers, old, new))


# An unusable clock.


def test_one_pair_in_the_wrong_order_spoils_them_all():
    world = World(work_s=lambda now_s: 0.005, events=lambda mark_s: mark_s if mark_s < 100.027 else mark_s - 1)
    with pytest.raises(EventsFailed) as refused:
        Pairs(world.step, world, 4).take(10)
    assert refused.value.missing.missing == "events_backwards"


def test_a_clock_so_coarse_that_some_calls_take_no_time_is_still_a_clock():
    world = World(work_s=lambda now_s: 0.005, events=lambda mark_s: math.floor(mark_s / 0.02) * 0.02)
    samples_s = Pairs(world.step, world, 4).take(40)
    assert min(samples_s) == 0
    assert sum(samples_s) == pytest.approx(40 * 0.005, abs=0.021)
