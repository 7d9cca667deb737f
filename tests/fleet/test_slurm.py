"""Sweeps on a real Slurm of three virtual nodes: nothing is lost and nothing twice, whatever dies."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backbone_bench.base.program import PACKAGE
from tests.fleet.cluster import Cluster, missing, slurm_cluster

WHY = missing()
pytestmark = [pytest.mark.fleet, pytest.mark.skipif(WHY is not None, reason=str(WHY))]

NET = """
import time
import torch

class Net(torch.nn.Module):
    def __init__(self, sleep_s=0.0):
        super().__init__()
        time.sleep(sleep_s)
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x)
"""
QUICK = ("--input", "3x8x8", "--device", "cpu", "--quick", "--budget", "0.1", "--no-energy", "-q")


class Site:
    """A login node: a folder that all nodes see, and the program."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.sweep = folder / "sweep.jsonl"
        self.environment = {**cluster.variables, "PYTHONPATH": str(PACKAGE.parent)}

    def bench(self, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-P", "-m", "backbone_bench", *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, rows: int, *words: str, sleep_s: float = 0) -> None:
        batches = ",".join(map(str, range(1, rows + 1)))
        self.bench(
            "run", "net.py:Net", "--arg", f"sleep_s={sleep_s}", "-b", batches, *QUICK,
            "--fleet", "slurm", "-o", self.sweep.name, *words,
        )  # fmt: skip

    def rows(self, *states: str) -> list[dict[str, Any]]:
        """The rows that are in one of these states, as `bench fleet status` tells."""
        found = json.loads(self.bench("fleet", "status", self.sweep.name, "-f", "json").stdout)
        return [row for row in found if row["state"] in states]

    def wait_for(self, number: int, *states: str, limit_s: float = 120) -> list[dict[str, Any]]:
        self.cluster.wait_until(lambda: len(self.rows(*states)) >= number, limit_s)
        return self.rows(*states)

    def wait_for_end(self, limit_s: float = 240) -> None:
        """Until Slurm has nothing left of it, the collecting job included."""
        self.cluster.wait_until(lambda: not self.cluster.run("squeue", "--noheader"), limit_s)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.sweep.read_text().splitlines()]

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted((self.folder / "sweep.fleet" / "logs").glob("*")))


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return sorted(record["placement"]["row"] for record in records)


def nodes(records: list[dict[str, Any]]) -> Counter[str]:
    return Counter(record["placement"]["node"] for record in records)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with slurm_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def site(running: Cluster, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "50% of 'it', here"  # whatever people call their folders
    (folder / ".git").mkdir(parents=True)
    (folder / "net.py").write_text(NET)
    (folder / "random.py").write_text("raise ImportError('not the one of Python')\n")  # it must shadow nothing
    yield Site(running, folder)
    for node in running.kinds.keys() - running.daemons.keys():
        running.start(node)
    running.run("scancel", "--user=root")
    running.wait_until_idle(60)


def test_a_sweep_comes_home_with_the_place_of_every_row(site):
    site.start(4, "--on", "each-kind")
    site.wait_for_end()
    records = site.records()
    assert numbers(records) == list(range(1, 9))
    assert {(one["placement"]["kind"], one["placement"]["node"]) for one in records} <= {
        ("a100", "n1"), ("a100", "n2"), ("h100", "n3"),
    }  # fmt: skip
    assert {one["placement"]["neighbours"] for one in records} == {0}
    assert {one["placement"]["sharing"] for one in records} == {"exclusive"}
    assert all(one["placement"]["job"].count("_") == 1 for one in records)
    assert len({one["environment"]["host"] for one in records}) == 3
    assert all(one["tool"]["argv"][1:3] == ["run", "net.py:Net"] for one in records)
    assert not any("shared_node" in one["flags"] for one in records)
    shown = site.bench("fleet", "collect", site.sweep.name).stdout
    assert shown.count("| batch |") == 1  # virtual nodes have one processor: their kinds differ in name alone
    assert [row["state"] for row in site.rows("done")] == ["done"] * 8


def test_thirty_rows_survive_a_node_that_loses_its_power(site):
    site.start(30)
    (lost, *_) = [row for row in site.wait_for(3, "running") if row["node"] == "n2"]
    site.cluster.kill("n2")
    site.wait_for_end(400)
    records = site.records()
    assert numbers(records) == list(range(1, 31))
    (again,) = (one["placement"] for one in records if one["placement"]["row"] == lost["row"])
    assert again["node"] in ("n1", "n3")
    assert again["job"] == lost["job"]


def test_a_sweep_whose_submission_died_halfway_is_begun_again_without_a_second_record(site):
    """The array is submitted, and the process dies before it can say so."""
    died = site.folder / "sbatch"
    died.write_text(f'#!/bin/sh\n{shutil.which("sbatch", path=site.environment["PATH"])} "$@"\nkill -9 $PPID\n')
    died.chmod(0o755)
    before = site.environment
    site.environment = {**before, "PATH": f"{site.folder}{os.pathsep}{before['PATH']}"}
    with pytest.raises(AssertionError, match="-9"):
        site.start(6)
    site.environment = before
    again = ("run", "--fleet", "slurm", "--resume", "-o", site.sweep.name, "-q")
    if site.cluster.run("squeue", "--noheader"):
        assert "wait for them" in site.bench(*again, code=2).stderr
    site.wait_for_end()
    site.bench(*again)
    site.wait_for_end()
    site.bench("fleet", "collect", site.sweep.name)
    assert numbers(site.records()) == list(range(1, 7))


@contextmanager
def another_torch(site: Site, *on: str) -> Iterator[None]:
    """Some nodes have another torch than the login node."""
    other = site.folder / "other"
    other.mkdir()
    (other / "__init__.py").touch()
    (other / "version.py").write_text("__version__ = '2.0.1'\ncuda = None\n")
    real = Path(str(__import__("torch").__file__)).parent
    for node in on:
        site.cluster.inside(node, f"mount --bind {shlex.quote(str(other))} {real}")
    try:
        yield
    finally:
        for node in on:
            site.cluster.inside(node, f"umount {real}")


def test_a_node_with_another_torch_is_refused_and_its_rows_go_elsewhere(site):
    with another_torch(site, "n3"):
        site.start(16)
        site.wait_for_end()
    records = site.records()
    assert numbers(records) == list(range(1, 17))
    assert set(nodes(records)) == {"n1", "n2"}
    assert 1 <= site.logs().count("n3 is not used: torch 2.0.1 instead of") <= 2  # then it gets no more of the array
    assert "Slurm refuses" not in site.logs()


def test_a_sweep_that_no_node_may_run_ends_and_says_so(site):
    with another_torch(site, "n1", "n2", "n3"):
        site.start(9)
        site.wait_for_end()
    assert not site.sweep.exists()
    assert "No node is left that may run the rows: n1, n2, n3 are not used" in site.logs()
    shown = site.bench("fleet", "status", site.sweep.name).stdout
    assert "0 of 9 rows have ended, 0 running, nothing in the queue: --resume goes on." in shown
    site.bench("run", "--fleet", "slurm", "--resume", "-o", site.sweep.name, "-q")
    site.wait_for_end()
    assert numbers(site.records()) == list(range(1, 10))


def test_a_collecting_job_that_starts_twice_submits_nothing_twice(site):
    site.start(3, sleep_s=3)
    assert "they are not submitted again" in site.bench("fleet", "gather", site.sweep.name).stderr
    site.wait_for_end()
    assert numbers(site.records()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("temporary", "n1 is not used: cannot write to"),
        ("sweep.fleet/events", "sweep.fleet/events/"),  # it cannot even write that a row has begun
    ],
)
def test_a_node_with_a_full_disk_is_left_out_and_its_rows_go_elsewhere(site, folder, said):
    full = site.folder / folder
    full.mkdir(parents=True)
    site.environment["TMPDIR"] = str(site.folder / "temporary")
    (site.folder / "temporary").mkdir(exist_ok=True)
    there = shlex.quote(str(full))
    site.cluster.inside("n1", f"mount -t tmpfs -o size=4k tmpfs {there} && head -c 4k /dev/zero > {there}/full")
    try:
        site.start(6)
        site.wait_for_end()
    finally:
        site.cluster.inside("n1", f"umount {there}")
    records = site.records()
    assert numbers(records) == list(range(1, 7))
    assert set(nodes(records)) == {"n2", "n3"}
    assert said in site.logs()
    assert "Submitted" in site.logs()


def test_a_canceled_sweep_keeps_its_records_and_goes_on_with_resume(site):
    site.start(6, sleep_s=2)
    site.wait_for(1, "done")
    assert "Ended" in site.bench("fleet", "cancel", site.sweep.name).stderr
    site.wait_for_end()
    site.bench("fleet", "collect", site.sweep.name, code=3)
    before = numbers(site.records())
    assert 1 <= len(before) < 6
    site.bench("run", "--fleet", "slurm", "--resume", "-o", site.sweep.name, "-q")
    site.wait_for_end()
    assert numbers(site.records()) == list(range(1, 7))


def test_rows_side_by_side_are_flagged_from_what_slurm_runs_on_the_node(site):
    site.start(2, "--share-node", "--sbatch=--nodelist=n1", "--sbatch=--gres=none", sleep_s=5)
    site.wait_for_end()
    records = site.records()
    assert numbers(records) == [1, 2]
    assert all("shared_node" in one["flags"] for one in records)
    assert {one["placement"]["neighbours"] for one in records} == {1}


def test_what_slurm_refuses_is_one_line_and_leaves_no_job(site):
    refused = site.bench(
        "run", "resnet18", *QUICK, "--fleet", "slurm", "-o", site.sweep.name, "--sbatch=--partition=nope", code=2
    )
    assert "Slurm refuses: sbatch: error: invalid partition specified: nope." in refused.stderr
    assert site.cluster.run("squeue", "--noheader") == ""
    kinds = site.bench("run", "resnet18", *QUICK, "--fleet", "slurm", "--on", "a10", "-o", "x.jsonl", code=2)
    assert "slurm has no such kind of card. Did you mean 'a100'?" in kinds.stderr
