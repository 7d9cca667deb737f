import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.jobs.job import Job
from backbone_bench.records import Latencies, Missing, ModelCost
from backbone_bench.run.process import ENTRY, Worker
from backbone_bench.run.runner import resolve, run_isolated

ROOT = Path(__file__).parents[2]
STAND_IN = Worker((sys.executable, "-m", "tests.run.stand_in"), ROOT)
LIMITED = Worker(("bash", "-c", f'ulimit -v 400000; exec "{sys.executable}" -m tests.run.stand_in'), ROOT)

run = partial(run_isolated, worker=STAND_IN, timeout_s=60)


def silent(phase, share):
    """Ignore progress."""


def job(model, seed=0):
    return Job(model, {}, seed=seed)


def end(outcome):
    """Message and exit code of a failed job."""
    assert outcome.failure is not None
    return outcome.failure.message, outcome.failure.exit_code


def test_a_row_that_ends_well_has_its_record_and_told_its_phases():
    phases = []
    outcome = run(job("fine"), lambda phase, share: phases.append((phase, share)))
    assert outcome.failure is None
    assert outcome.record is not None
    assert outcome.record.workload.model == "fine"
    assert phases == [("measuring", 0.5)]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("kills_itself", "was killed (signal 9): out of memory, most likely"),
        ("segfaults", "ended by signal 11 (SIGSEGV)"),
        ("breaks", "failed: ValueError: first line"),
        ("exits", "exits called sys.exit('enough')"),
        ("exits_hard", "ended early with exit code 7"),
        ("ends_by_a_signal_without_a_name", "ended by signal 40 (no name)"),
        (
            "writes_everywhere",
            "wrote into the pipe of the worker process: "
            "a model must not write to file descriptors that it did not open",
        ),
    ],
)
def test_a_row_that_dies_says_how_and_keeps_what_was_known(model, reason):
    outcome = run(job(model, seed=1), silent)
    assert end(outcome) == (reason, 3)
    assert outcome.record is not None
    assert isinstance(outcome.record.cost, ModelCost)
    assert outcome.record.latency == Missing("failed", reason)


def test_a_row_that_dies_before_anything_is_known_has_only_a_reason():
    outcome = run(job("exits_hard"), silent)
    assert outcome.record is None
    assert end(outcome) == ("ended early with exit code 7", 3)


@pytest.mark.parametrize("model", ["hangs", "closes_all"])
def test_a_row_that_hangs_ends_at_its_timeout(model):
    outcome = run_isolated(job(model), silent, timeout_s=3, worker=STAND_IN)
    assert end(outcome) == ("ran past the timeout of 3 s", 3)


def test_a_row_that_allocates_without_end_is_out_of_memory():
    outcome = run_isolated(job("allocates"), silent, timeout_s=60, worker=LIMITED)
    assert end(outcome) == ("ran out of memory", 3)


@pytest.mark.parametrize("model", ["leaves_a_thread", "prints", "reads", "comes_back_twice"])
def test_what_a_model_does_to_its_own_process_costs_nothing(model):
    outcome = run(job(model), silent)
    assert outcome.failure is None
    assert outcome.record is not None
    assert isinstance(outcome.record.latency, Latencies)


def test_a_process_that_a_model_leaves_behind_does_not_hold_its_row_up():
    outcome = run_isolated(job("leaves_a_process"), silent, timeout_s=30, worker=STAND_IN)
    assert end(outcome) == ("ended early with exit code 5", 3)


def test_prints_of_a_model_never_reach_stdout(capfd):
    run(job("prints"), silent)
    out, err = capfd.readouterr()
    assert out == ""
    assert "from Python" in err
    assert "from C" in err


def test_a_worker_that_cannot_start_is_a_row_that_failed():
    outcome = run_isolated(job("fine"), silent, worker=Worker(("false",)))
    assert end(outcome) == ("ended early with exit code 1", 3)


def test_a_machine_that_starts_no_more_processes_is_told_in_one_line():
    with pytest.raises(CouldNotMeasure, match=r"Cannot start a process: No such file or directory\.$"):
        run_isolated(job("fine"), silent, worker=Worker(("no/such/program",)))


def test_a_child_whose_parent_is_gone_before_it_asks_says_nothing():
    command = [sys.executable, "-c", ENTRY]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")


def test_a_child_imports_what_its_parent_does_whatever_lies_in_its_folder(tmp_path):
    for name in ("backbone_bench", "json", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)")
    outcome = run_isolated(job("no_such_model"), silent, worker=Worker.of(folder=tmp_path))
    message, code = end(outcome)
    assert "no model 'no_such_model'" in message
    assert code == 2


def test_a_model_that_writes_where_answers_go_costs_what_comes_after_it_another_run_only():
    found = resolve([job("fine"), job("shouts"), job("fine")], STAND_IN)
    assert [here is not None for here in found] == [True, False, False]
