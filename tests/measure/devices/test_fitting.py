"""Search for the largest batch that fits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.errors import CouldNotMeasure, OutOfMemory
from backbone_bench.measure.devices import fitting
from backbone_bench.measure.machine import system
from backbone_bench.records import Missing
from tests.report.samples import cost


@given(st.integers(0, 10 * fitting.MAX_BATCH))
def test_the_batch_found_fits_and_twice_as_much_does_not(room):
    def fits(batch):
        if batch > room:
            raise OutOfMemory("full")
        return True

    found = fitting.largest(fits, free_memory=lambda: None)
    assert found is None if room < 1 else found <= room
    assert found is None or found == fitting.MAX_BATCH or 2 * found > room
    assert found is None or found.bit_count() == 1


def test_the_memory_of_every_attempt_is_given_back():
    events = []

    def fits(batch):
        events.append(batch)
        return batch < 4

    fitting.largest(fits, free_memory=lambda: events.append("back"))
    assert events == [1, "back", 2, "back", 4, "back"]


def test_what_else_goes_wrong_is_not_taken_for_a_full_device():
    def fits(batch):
        raise CouldNotMeasure("no such kernel")

    with pytest.raises(CouldNotMeasure, match="no such kernel"):
        fitting.largest(fits)


@pytest.mark.parametrize(
    ("free", "room"), [(1 << 20, False), (1 << 40, True), (Missing("no_meminfo", "not available"), True)]
)
def test_a_host_has_room_for_what_the_model_needs_at_least_as_far_as_is_known(monkeypatch, free, room):
    monkeypatch.setattr(system, "available_bytes", lambda: free)
    assert fitting.host_has_room(cost(4_000_000)) is room
    assert fitting.host_has_room(replace(cost(1), peak_activation_bytes=Missing("unknown", "not known")))
