"""A round of live processes: the processes are real, the models are stand-ins."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from backbone_bench.jobs.job import Job
from backbone_bench.records import Latencies, Latency
from backbone_bench.records.quantities import QUANTITIES, turns
from backbone_bench.run.live import KEPT, PLAN, LiveSide, NotLive, SideFailed, take_round
from backbone_bench.run.messages import REQUEST, UNKNOWN_REQUEST, Live, Profile, ResolveJobs
from backbone_bench.run.process import Worker

ROOT = Path(__file__).parents[2]
STAND_IN = Worker((sys.executable, "-m", "tests.run.stand_in"), ROOT)
SHORT = replace(PLAN, least_s=0.0, most_s=0.3, least_turns=10, answer_s=2.0, timeout_s=60.0)


def silent(phase, share):
    """Ignore progress."""


def job(model="fine", **arguments):
    return Job(model, arguments, threads=1)


def taken(*jobs, seed=1, plan=SHORT):
    return take_round([LiveSide(one, STAND_IN) for one in jobs], seed, silent, plan)


def order(records):
    """The sides in the order of their bursts."""
    starts = [(start_s, side) for side, one in zip("ABC", records, strict=False) for start_s in one.live.start_s]
    return [side for _, side in sorted(starts)]


@pytest.mark.parametrize("sides", [2, 3])
def test_the_sides_take_turns_forth_and_back_in_an_order_of_the_coin(sides):
    records = taken(*[job()] * sides)
    every = order(records)
    there_and_back = [tuple(every[start : start + 2 * sides]) for start in range(0, len(every), 2 * sides)]
    assert all(some == some[::-1] and len(set(some)) == sides for some in there_and_back)
    assert len(set(there_and_back)) > 1


def test_a_round_has_the_same_number_of_bursts_of_each_side_and_what_the_host_did_in_each():
    a, b = taken(job(), job())
    assert a.live is not None
    assert b.live is not None
    assert len(a.live.start_s) == len(b.live.start_s) >= SHORT.fewest_turns
    assert set(a.live.minor_faults) == {2}
    assert set(a.live.cpu_s) == {0.001}
    assert len(a.live.preempted) == len(a.live.start_s)
    assert (a.live.processes, a.live.seed, a.live.allocator) == (2, 1, "kept")


def test_both_sides_stay_on_one_core_drawn_by_the_seed_where_a_job_has_one_thread():
    allowed = sorted(os.sched_getaffinity(0))
    drawn = [taken(job(), job(), seed=seed)[0].live for seed in range(6)]
    assert all(live is not None and len(live.cores) == 1 and live.cores[0] in allowed for live in drawn)
    assert len({live.cores for live in drawn if live}) > 1 or len(allowed) == 1


def per_burst(one):
    assert isinstance(one.latency, Latencies)
    assert isinstance(one.latency.wall, Latency)
    return one.latency.wall.per_burst


def test_a_burst_has_as_many_calls_as_fill_five_milliseconds_of_the_slower_side():
    assert [per_burst(one) for one in taken(job(call_s=0.001), job(call_s=0.002))] == [3, 3]
    assert [per_burst(one) for one in taken(job(call_s=0.2), job(call_s=0.2))] == [1, 1]


def test_the_first_call_of_a_burst_is_no_sample_where_the_sides_are_different_models():
    alike, _ = taken(job(), job())
    unlike, _ = taken(job(), job("prints", burst=-1))
    assert (alike.live.discard, alike.live.discarded_s) == (0, ())
    assert unlike.live.discard == 1
    assert unlike.live.discarded_s == (0.5,) * len(unlike.live.start_s)


def test_the_turns_of_two_processes_are_paired_only_with_those_of_their_round():
    a, b = taken(job(call_s=0.01), job(call_s=0.02))
    assert turns(a, b, QUANTITIES["wall_s"]) == []  # it is not known to be one round: no turn says so


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("kills_itself", "was killed (signal 9): out of memory, most likely"),
        ("segfaults", "ended by signal 11 (SIGSEGV)"),
        ("breaks", "failed: ValueError: first line"),
        ("exits_hard", "ended early with exit code 7"),
        ("hangs", "ran past the timeout of 2 s"),
        ("leaves_a_process", "ended early with exit code 5"),
    ],
)
@pytest.mark.parametrize("burst", [0, 4])
def test_a_side_that_dies_or_hangs_ends_the_round_with_its_name_and_leaves_no_process(model, reason, burst, tmp_path):
    file = str(tmp_path / "processes")
    with pytest.raises(SideFailed) as failed:
        taken(job(file=file), job(model, burst=burst, file=file))
    assert (failed.value.place, failed.value.failure.message) == (1, reason)
    assert str(failed.value).startswith(f"{model} ")
    assert alive(file) == []


def alive(file):
    """The processes that noted themselves and still run."""
    left = []
    for number in map(int, Path(file).read_text().split()):
        with suppress(ProcessLookupError):
            os.kill(number, 0)
            left.append(number)
    return left


def test_models_that_do_not_fit_together_are_not_alive_together():
    with pytest.raises(NotLive, match=r"the models need 0\.0 GiB together, at least, and 0\.0 GiB are free"):
        taken(job(needs=600), job(needs=600))
    taken(job(needs=400), job(needs=600))


def test_a_worker_of_a_version_without_turns_is_not_live():
    answer = json.dumps({"message": UNKNOWN_REQUEST, "exit_code": 3, "kind": "failed"})
    old = Worker((sys.executable, "-c", f"input(); print({answer!r})"))
    with pytest.raises(NotLive, match="another version"):
        take_round([LiveSide(job(), STAND_IN), LiveSide(job(), old)], 1, silent, SHORT)


def test_an_older_worker_takes_the_request_for_none_of_its_own():
    """Its requests were these, and what it does not know in one it ignores."""
    line = REQUEST.dump_json(Live(job(), (), (), 1), exclude_defaults=True)
    with pytest.raises(ValidationError):
        TypeAdapter(Profile | ResolveJobs).validate_json(line)


def test_memory_is_kept_in_both_processes_unless_the_user_has_said_otherwise(monkeypatch):
    monkeypatch.setenv(KEPT[0][0], "1")
    a, _ = taken(job(), job())
    assert a.live is not None
    assert a.live.allocator == "default"


def test_a_round_takes_no_longer_than_it_may_but_has_some_turns():
    plan = replace(PLAN, allowed_s=0.0, shortest_s=0.0)
    a, _ = taken(job(), job(), plan=plan)
    assert a.live is not None
    assert len(a.live.start_s) == PLAN.fewest_turns


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_no_process_outlives_the_parent(number, code, tmp_path):
    file = tmp_path / "processes"
    parent = subprocess.Popen([sys.executable, "-m", "tests.run.live_parent", str(file)], cwd=ROOT)
    while not file.exists() or len(file.read_text().split()) < 2:
        time.sleep(0.05)
    time.sleep(0.5)  # amid the turns
    parent.send_signal(number)
    assert parent.wait(20) == code
    deadline_s = time.monotonic() + 10
    while alive(file) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert alive(file) == []


def test_a_plan_is_at_least_as_long_as_the_start_of_the_processes():
    assert PLAN.bursts_s(start_s=1.0, turn_s=0.02) == 3.0
    assert PLAN.bursts_s(start_s=8.0, turn_s=0.02) == 8.0
    assert PLAN.bursts_s(start_s=1.0, turn_s=0.1) == pytest.approx(6.0)
    assert PLAN.bursts_s(start_s=40.0, turn_s=0.02) == 15.0


def test_a_round_that_may_take_no_time_is_long_enough_to_show_something():
    plan = replace(PLAN, allowed_s=10.0)
    assert plan.bursts_s(start_s=4.0, turn_s=0.02) == 4.0
    assert plan.bursts_s(start_s=7.0, turn_s=0.02) == 3.0
    assert plan.bursts_s(start_s=12.0, turn_s=0.02) == 2.0
    assert plan.bursts_s(start_s=12.0, turn_s=0.02, sides=4) == 4.0


def test_a_burst_is_no_shorter_than_planned():
    assert PLAN.calls("wall", 0.0031) == math.ceil(5 / 3.1)
