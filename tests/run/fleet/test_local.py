"""Rows on the devices of this machine: real processes, with a stand-in for the profiler."""

import os
import time
from dataclasses import replace

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.measure.machine import system
from backbone_bench.records import store
from backbone_bench.run.fleet import drive, events, local, machine, versions
from tests.run.fleet.plans import job, planned
from tests.run.test_isolation import STAND_IN


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(machine, "worker", lambda conditions: STAND_IN)


def driven(of):
    said: list[str] = []
    return drive.drive(of, of.rows, local.places, said.append, lambda ended, row: None), said


def test_rows_run_side_by_side_each_on_cores_of_its_own(tmp_path):
    before = os.sched_getaffinity(0)
    number = min(2, len(before))
    of = planned(tmp_path, models=("fine", "prints", "reads", "leaves_a_process"), address=str(number))
    found, _ = driven(of)
    records = store.read([of.output], pytest.fail)
    assert found.done == 3
    assert [row.job.model for row, _ in found.failed] == ["leaves_a_process"]
    places = [record.placement for record in records if record.placement]
    assert sorted(place.row for place in places) == [1, 2, 3]
    assert {place.neighbours for place in places} == {number - 1}
    assert os.sched_getaffinity(0) == before


def test_a_row_that_dies_or_hangs_costs_its_own_row(tmp_path):
    of = planned(tmp_path, models=("segfaults", "hangs", "fine", "writes_everywhere", "closes_all"), timeout_s=2)
    found, said = driven(of)
    assert found.done == 1
    assert dict((row.job.model, why) for row, why in found.failed) == {
        "segfaults": "ended by signal 11 (SIGSEGV)",
        "hangs": "ran past the timeout of 2 s",
        "closes_all": "ran past the timeout of 2 s",
        "writes_everywhere": "wrote into the pipe of the worker process: a model must not write to file descriptors "
        "that it did not open",
    }
    assert len(said) == 4
    assert {event.what for event in events.read(of.output)} == {"started", "recorded", "failed"}


def test_a_drive_that_ends_early_leaves_no_process_behind(tmp_path):
    of = planned(tmp_path, models=("hangs",))
    with local.places(of) as places:
        places.submit(of.rows[0], ())
        assert isinstance(places.next(), drive.Started)
        process = places._running[0].job.process.process
        time.sleep(0.1)
        assert process.poll() is None
    assert process.poll() is not None


@pytest.mark.parametrize("address", [None, "", "0", "-1", "two", "1.5"])
def test_a_number_of_devices_is_needed(address):
    with pytest.raises(UserError, match="as in local:4"):
        local.count(address)


def test_more_places_than_cores_are_refused(tmp_path):
    cores = len(os.sched_getaffinity(0))
    of = planned(tmp_path, address=str(cores + 1))
    with pytest.raises(UserError, match=f"may use {cores} cores only"), local.places(of):
        pass


def test_several_devices_need_a_job_that_says_of_which_kind():
    number = str(len(os.sched_getaffinity(0)))
    local.check(number, [job(device="cuda"), job(device="cpu")])
    local.check("1", [job(device="auto")])
    if number != "1":
        with pytest.raises(UserError, match="cuda:1 does not say of which kind"):
            local.check(number, [job(device="cuda"), job(device="cuda:1")])


def test_the_threads_of_one_core_stay_together(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(system, "siblings", lambda core: core % 4)
    assert local._shares(2) == [{0, 4, 1, 5}, {2, 6, 3, 7}]


def test_this_machine_is_refused_or_marked_like_any_other(tmp_path):
    other = replace(versions.here(), torch="2.9.0")
    of = planned(tmp_path, models=("fine",))
    of = replace(of, conditions=replace(of.conditions, versions=other))
    found, _ = driven(of)
    assert found.exit_code == 2
    assert "instead of 2.9.0" in str(found.ended)
    mixed = replace(of, conditions=replace(of.conditions, mixed=True))
    assert driven(mixed)[0].done == 1
    (record,) = store.read([of.output], pytest.fail)
    assert record.placement is not None
    assert record.placement.differs == (f"torch {versions.here().torch} instead of 2.9.0",)
