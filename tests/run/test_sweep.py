import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backbone_bench.records import store
from tests.run.test_isolation import ROOT


def start(path, count, model="fine"):
    command = [sys.executable, "-m", "tests.run.parent", str(path), str(count), model]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, preexec_fn=_heed_interrupts)


def _heed_interrupts():
    """A test suite that runs in the background ignores SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def seeds(path):
    return [record.workload.seed for record in store.read([path], warn=pytest.fail)]


def whole_lines(path):
    """The number of complete lines; each must be a record."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return sum(json.loads(line)["schema_version"] == "1" for line in lines)


def eventually(condition, within_s=20.0):
    """Whether the condition becomes true within this time."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        os.sched_yield()
    return True


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def alive(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "zombie" not in status.read_text()


@pytest.mark.slow
def test_a_sweep_killed_ten_times_and_resumed_has_every_record_once_and_whole(tmp_path):
    path, count = tmp_path / "sweep.jsonl", 22
    for _ in range(10):
        further = whole_lines(path) + random.randrange(2)
        parent = start(path, count)
        assert eventually(lambda: whole_lines(path) >= further)  # noqa: B023  # called at once
        with pytest.raises(subprocess.TimeoutExpired):  # it is in the middle, at a random moment
            parent.wait(timeout=random.uniform(0, 0.4))
        parent.kill()
        parent.wait()
    assert start(path, count).wait() == 0
    assert seeds(path) == list(range(count))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_finished_rows_and_ends_the_rest(tmp_path, number, code):
    path = tmp_path / "sweep.jsonl"
    parent = start(path, 50)
    assert eventually(path.exists)
    parent.send_signal(number)
    assert parent.wait() == code
    finished = seeds(path)
    assert finished == list(range(len(finished)))
    assert 1 <= len(finished) < 50


def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    parent = start(tmp_path / "sweep.jsonl", 1, "hangs")
    assert eventually(lambda: children(parent))
    (child,) = children(parent)
    parent.kill()
    parent.wait()
    assert eventually(lambda: not alive(child))
