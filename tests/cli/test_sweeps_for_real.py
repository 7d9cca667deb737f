"""Sweeps of tiny user models in real processes with torch: a failure costs only its own row."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backbone_bench.records import Latencies, Missing, store
from tests.run.test_sweep import eventually, whole_lines

pytestmark = pytest.mark.slow

MODELS = """
import os, signal, sys, threading
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, act=None):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 4, 3), act

    def forward(self, x):
        if self.act and not x.is_meta:
            self.act(x)
        return self.conv(x)


def fine():
    return Net()


def prints():
    print("built")
    return Net(lambda x: None)


def dies():
    return Net(lambda x: os.kill(os.getpid(), signal.SIGKILL))


def exits():
    return Net(lambda x: sys.exit(4))


def hangs():
    return Net(lambda x: threading.Event().wait())


def breaks():
    return Net(lambda x: [][1])


def doubles():
    net = Net()
    torch.set_default_dtype(torch.float64)  # for whatever is built next
    return net


def full(x):
    if x.shape[0] > 4:
        raise MemoryError


def fits_four():
    return Net(full)


def allocates():
    held = []

    def more(x):
        while True:
            held.append(torch.empty(1 << 25))

    return Net(more)
"""


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / "m.py").write_text(MODELS)
    (tmp_path / ".git").mkdir()

    def start(models, *words, limit_kb="unlimited"):
        named = [f"m.py:{model}" for model in models]
        command = [sys.executable, "-m", "backbone_bench", "run", *named, *words]
        setting = ["--input", "3x16x16", "-d", "cpu", "-t", "1", "--quick", "-f", "json"]
        return subprocess.Popen(
            ["bash", "-c", f'ulimit -v {limit_kb}; exec "$@"', "bash", *command, *setting],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_a_row_that_dies_exits_or_fills_the_memory_says_so_and_the_rest_is_measured(sweep, tmp_path):
    models = ("fine", "dies", "exits", "breaks", "allocates")
    process = sweep(models, "-o", "out.jsonl", limit_kb=32_000_000)  # a CUDA build alone maps several GB
    out, err = process.communicate()
    assert process.returncode == 3
    reasons = {}
    for record in json.loads(out)["records"]:
        assert record["cost"]["flops"] == 4 * 3 * 9 * 14 * 14
        reasons[record["workload"]["model"].removeprefix("m.py:")] = record["latency"].get("message")
    assert list(reasons) == list(models)
    assert reasons["fine"] is None
    assert reasons["dies"] == "was killed (signal 9): out of memory, most likely"
    assert reasons["exits"] == "m.py:exits called sys.exit(4)"
    assert reasons["breaks"] == "failed: IndexError: list index out of range"
    assert "does not fit on cpu" in reasons["allocates"]
    assert "m.py:dies (fp32, cpu, 3x16x16:float32, 1 thread): was killed" in err
    assert len(store.read([tmp_path / "out.jsonl"], pytest.fail)) == len(models)


def test_a_row_that_hangs_ends_at_the_timeout(sweep):
    process = sweep(["hangs"], "--timeout", "8")
    _, err = process.communicate()
    assert process.returncode == 3
    assert "ran past the timeout of 8 s" in err


def test_the_largest_batch_that_fits_is_found_and_the_row_says_so(sweep):
    out, _ = sweep(["fits_four"], "-b", "auto,8").communicate()
    found, too_large = json.loads(out)["records"]
    assert (found["workload"]["batch"], found["flags"][0]) == (4, "auto_batch")
    assert found["workload"]["inputs"] == ["4x3x16x16:float32"]
    assert "batch 8 does not fit on cpu" in too_large["latency"]["message"]


def test_in_this_process_prints_do_not_reach_stdout_and_what_a_model_does_costs_its_row_only(sweep):
    process = sweep(["prints", "exits", "breaks", "doubles", "fine"], "--in-process")
    out, err = process.communicate()
    assert process.returncode == 3
    records = json.loads(out)["records"]
    assert ["wall" in record["latency"] for record in records] == [True, False, False, True, True]
    assert records[2]["latency"]["message"] == "failed: IndexError: list index out of range"
    assert records[4]["cost"]["params_bytes"] == records[0]["cost"]["params_bytes"]
    assert "built" in err


def test_a_sweep_that_was_killed_goes_on_where_it_was(sweep, tmp_path):
    file, models = tmp_path / "out.jsonl", ("fine", "prints", "fits_four")
    killed = sweep(models, "-o", "out.jsonl")
    assert eventually(lambda: whole_lines(file) >= 1, within_s=120)
    killed.kill()
    killed.communicate()
    resumed = sweep(models, "-o", "out.jsonl", "--resume")
    out, _ = resumed.communicate()
    assert resumed.returncode == 0
    names = [f"m.py:{model}" for model in models]
    assert [record["workload"]["model"] for record in json.loads(out)["records"]] == names
    assert [record.workload.model for record in store.read([file], pytest.fail)] == names


def test_a_signal_in_the_middle_of_a_row_keeps_the_rows_before_it(sweep, tmp_path):
    stopped = sweep(["fine", "hangs"], "-o", "out.jsonl", "-o", "out.md")
    assert eventually(lambda: whole_lines(tmp_path / "out.jsonl") >= 1, within_s=120)
    stopped.send_signal(signal.SIGTERM)
    out, err = stopped.communicate()
    assert stopped.returncode == 143
    (record,) = json.loads(out)["records"]
    assert record["workload"]["model"] == "m.py:fine"
    assert "stopped by SIGTERM: 1 of 2 rows are finished." in err
    assert "m.py:fine" in (tmp_path / "out.md").read_text()


def test_a_rerun_shows_the_new_record_beside_the_old(sweep, tmp_path):
    sweep(["fine"], "-o", "out.jsonl").communicate()
    command = [sys.executable, "-m", "backbone_bench", "rerun", "out.jsonl", "--trust"]
    output = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert output.returncode == 0
    assert "| wall latency (ms) |" in output.stdout
    (old,) = store.read([tmp_path / "out.jsonl"], pytest.fail)
    assert old.started_utc in output.stdout
    assert isinstance(old.latency, Latencies)
    assert isinstance(old.latency.graph, Missing)
