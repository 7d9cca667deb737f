import errno
import os
from dataclasses import replace

import pytest

from backbone_bench.measure.machine import system
from backbone_bench.records import Missing
from backbone_bench.run.fleet import machine, versions
from backbone_bench.run.fleet.machine import Place
from backbone_bench.run.runner import JobResult
from tests.report.samples import record
from tests.run.fleet.plans import planned


def test_this_machine_may_run_a_plan_that_was_made_here(tmp_path):
    assert machine.fitness(planned(tmp_path).conditions) == ((), ())


def test_another_version_is_refused_or_marked(tmp_path):
    here = replace(versions.here(), torch="2.9.0")
    strict, mixed = (planned(tmp_path, mixed=mixed).conditions for mixed in (False, True))
    refused, allowed = machine.fitness(strict, here), machine.fitness(mixed, here)
    assert refused.refusals == refused.differs == (f"torch 2.9.0 instead of {versions.here().torch}",)
    assert allowed.refusals == ()
    assert allowed.differs == refused.differs


def test_a_machine_without_the_working_folder_or_room_for_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/dev/full")
    conditions = replace(planned(tmp_path).conditions, folder="/no/such/folder")
    assert machine.fitness(conditions).refusals == (
        "there is no folder /no/such/folder",
        f"cannot write to /dev/full: {os.strerror(errno.ENOTDIR)}",
    )


def test_a_row_has_the_variables_of_the_plan_and_not_those_of_the_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    conditions = planned(tmp_path, variables={"MKL_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "0,1"}).conditions
    assert dict(machine.worker(conditions).variables) == {"OMP_NUM_THREADS": None, "MKL_NUM_THREADS": "2"}


@pytest.mark.parametrize(
    ("neighbours", "noted", "flags"),
    [
        ([0, 0], 0, ()),
        ([0, 2], 2, ("shared_node",)),
        ([1, Missing("not_told", "Slurm refuses")], Missing("not_told", "Slurm refuses"), ()),
    ],
)
def test_a_record_says_where_it_was_made_and_who_else_was_there(tmp_path, neighbours, noted, flags):
    of = planned(tmp_path, kinds=("a100",), engine="slurm", address=None)
    result = JobResult(of.rows[1].job, record("two", 4_000_000, 0.01))
    placed = machine.placed(result, of.conditions, of.rows[1], Place("n2", "17_1"), neighbours).record
    assert placed is not None
    assert placed.placement is not None
    assert (placed.placement.row, placed.placement.kind, placed.placement.node) == (2, "a100", "n2")
    assert placed.placement.job == "17_1"
    assert placed.placement.neighbours == noted
    assert placed.flags == flags
    assert placed.environment.host == system.host("n2")


def test_a_record_of_a_machine_with_other_versions_is_marked(tmp_path):
    of = planned(tmp_path)
    result = JobResult(of.rows[0].job, record("one", 4_000_000, 0.01))
    placed = machine.placed(result, of.conditions, of.rows[0], Place("n2", differs=("torch 2 instead of 3",)), [0])
    assert placed.record is not None
    assert placed.record.flags == ("mixed_versions",)


def test_a_result_without_a_record_stays_as_it_is(tmp_path):
    of = planned(tmp_path)
    result = JobResult(of.rows[0].job, None)
    assert machine.placed(result, of.conditions, of.rows[0], Place("n2"), [0]) is result
