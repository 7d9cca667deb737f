"""The laws of the tests' own cluster: it spreads an array, survives a power cut, and its nodes may differ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.cluster import Cluster, missing, slurm_cluster

WHY = missing()
pytestmark = [pytest.mark.fleet, pytest.mark.skipif(WHY is not None, reason=str(WHY))]


@pytest.fixture(scope="module")
def software(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is empty on all nodes but n2."""
    return tmp_path_factory.mktemp("software")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is on a full disk on n3."""
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, software: Path, disk: Path) -> Iterator[Cluster]:
    other = tmp_path_factory.mktemp("other")
    (other / "torch").touch()
    prepare = {
        "n2": [f"mount --bind {other} {software}"],
        "n3": [f"mount -t tmpfs -o size=64k tmpfs {disk}", f"head -c 64k /dev/zero > {disk}/full"],
    }
    with slurm_cluster(tmp_path_factory.mktemp("cluster"), prepare=prepare) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The cluster, idle before and after the test, with every node switched on."""
    yield running
    for node in running.kinds.keys() - running.daemons.keys():
        running.start(node)
    running.run("scancel", "--user=root")
    running.wait_until_idle(60)


def submit(cluster: Cluster, script: str, out: Path, *options: str) -> str:
    """Queue a script of one line, whose lines of output each element adds to one file; the job's number."""
    options = ("--parsable", "--gres=gpu:1", "--open-mode=append", f"--output={out}", *options)
    return cluster.run("sbatch", *options, f"--wrap={script}")


def nodes_of(cluster: Cluster, job: str) -> list[str]:
    """Node of each of the job's elements that run now."""
    return cluster.run("squeue", "--noheader", "--states=RUNNING", "--format=%N", f"--jobs={job}").split()


def test_an_array_of_six_runs_is_spread_over_three_nodes_one_at_a_time_each(cluster, tmp_path):
    script = "echo $SLURM_ARRAY_TASK_ID $(hostname) $CUDA_VISIBLE_DEVICES; sleep 1"
    job = submit(cluster, script, tmp_path / "out", "--array=0-5")
    cluster.wait_until(lambda: bool(nodes_of(cluster, job)), 20)
    assert sorted(nodes_of(cluster, job)) == ["n1", "n2", "n3"]
    cluster.wait_until_idle(60)
    elements, nodes, cards = zip(*map(str.split, (tmp_path / "out").read_text().splitlines()), strict=True)
    assert sorted(elements) == list("012345")
    assert {*nodes} == {"n1", "n2", "n3"}
    assert {*cards} == {"0"}


def test_a_job_goes_to_a_node_with_the_kind_of_card_that_it_asks_for(cluster, tmp_path):
    submit(cluster, "hostname", tmp_path / "out", "--gres=gpu:h100:1", "--wait")
    assert (tmp_path / "out").read_text() == "n3\n"


def test_a_job_whose_node_loses_its_power_ends_on_another_node(cluster, tmp_path):
    script = 'echo $(hostname) "${SLURM_RESTART_COUNT:-0}"; sleep 5; echo end'
    job = submit(cluster, script, tmp_path / "out", "--requeue")
    cluster.wait_until((tmp_path / "out").exists, 20)
    (node,) = nodes_of(cluster, job)
    cluster.kill(node)
    cluster.wait_until_idle(90)
    first, second, end = (tmp_path / "out").read_text().splitlines()
    assert (first, end) == (f"{node} 0", "end")
    assert second in {f"{other} 1" for other in cluster.kinds if other != node}


def test_what_a_killed_node_ran_is_gone_at_once(cluster, tmp_path):
    job = submit(cluster, "(setsid sleep 61.37 &) ; sleep 61.37", tmp_path / "out", "--nodelist=n1")
    cluster.wait_until(lambda: len(sleeping("61.37")) == 2, 20)
    cluster.kill("n1")
    assert sleeping("61.37") == []
    cluster.run("scancel", job)


def sleeping(argument: str) -> list[str]:
    """Processes of this machine that are `sleep` with this argument."""
    lines = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline")]
    return [line.decode() for line in lines if line == f"sleep\0{argument}\0".encode()]


def test_a_drained_node_takes_no_job_until_it_is_resumed(cluster, tmp_path):
    cluster.drain("n3")
    job = submit(cluster, "true", tmp_path / "out", "--gres=gpu:h100:1")
    cluster.wait_until(lambda: cluster.states()["n3"] == "drained", 20)
    assert nodes_of(cluster, job) == []
    cluster.resume("n3")
    cluster.wait_until_idle(20)


def test_a_node_may_have_software_of_its_own_or_a_full_disk(cluster, tmp_path, software, disk):
    script = f"echo $(hostname) $(ls {software}) $(cp /proc/version {disk}/$(hostname) 2>/dev/null || echo full)"
    submit(cluster, script, tmp_path / "out", "--array=0-2", "--wait")
    assert sorted((tmp_path / "out").read_text().splitlines()) == ["n1", "n2 torch", "n3 full"]


def test_a_disk_may_fill_up_while_the_node_is_on(cluster, disk):
    cluster.inside("n3", f"rm {disk}/full; echo text > {disk}/some")
    cluster.inside("n3", f"! head -c 1m /dev/zero > {disk}/full")
    with pytest.raises(RuntimeError, match="No space left on device"):
        cluster.inside("n3", f"cp /proc/version {disk}")
    assert [*disk.iterdir()] == []


def test_nothing_of_a_cluster_runs_after_it(tmp_path):
    with slurm_cluster(tmp_path / "cluster", kinds=("a100",)) as cluster:
        submit(cluster, "sleep 61.73", tmp_path / "out")
        cluster.wait_until(lambda: bool(sleeping("61.73")), 20)
        daemons = [*cluster.daemons.values()]
    assert sleeping("61.73") == []
    assert None not in [daemon.poll() for daemon in daemons]
