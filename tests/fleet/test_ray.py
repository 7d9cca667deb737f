"""A fleet on a real Ray cluster of virtual nodes: whatever dies, each row is recorded once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.jobs.job import Job
from backbone_bench.records import store
from backbone_bench.run.fleet import engines, events, plan
from backbone_bench.run.fleet.engines import EngineAddress
from backbone_bench.run.fleet.ray import cluster
from tests.fleet import virtual

pytestmark = [
    pytest.mark.fleet,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'backbone-bench[ray]'"),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

LIMIT_S = 180.0


@pytest.fixture(scope="module")
def whole():
    with virtual.started() as made:
        yield made


@pytest.fixture
def nodes(whole, tmp_path):
    """The cluster, with no node but the head yet; rows leave their surroundings in the folder `shown`."""
    (tmp_path / "shown").mkdir()
    yield whole
    whole.clear()


def three(nodes, tmp_path, **given):
    for name in ("one", "two", "three"):
        nodes.add(name, env={"FLEET_SHOWN": str(tmp_path / "shown")}, **given)


def planned(nodes, tmp_path, jobs, *, kind=None, **how):
    conditions = plan.Conditions.of("ray", nodes.address, **how)
    made = plan.new(tmp_path / "sweep.jsonl", conditions, jobs, [kind])
    plan.write(made)
    return made


def jobs(count, model="naps", device="cpu"):
    return [Job(model, {}, seed=seed, device=device) for seed in range(count)]


def records(of):
    return store.read([of.output], print) if of.output.exists() else ()


def rows(of):
    return Counter(record.placement.row for record in records(of) if record.placement is not None)


def once(count):
    return dict.fromkeys(range(1, count + 1), 1)


def happened(of, what):
    return [event for event in events.read(of.output) if event.what == what]


def until(holds, limit_s=LIMIT_S):
    end_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end_s, "it took too long"
        time.sleep(0.05)


def ended(driver):
    """What a driver has told at its end, its exit code, and what it has said."""
    out, err = driver.communicate(timeout=LIMIT_S)
    assert out, err
    return json.loads(out), driver.returncode, err


def shown(tmp_path):
    return [json.loads(file.read_text()) for file in sorted((tmp_path / "shown").glob("*.json"))]


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_node_that_is_killed_costs_no_row_and_is_not_used_again(nodes, tmp_path):
    three(nodes, tmp_path)
    of = planned(nodes, tmp_path, jobs(30))
    driver = nodes.driver(of.output)
    until(lambda: len(rows(of)) >= 8 and any(row.node == "two" for row in happened(of, "started")))
    until(lambda: events.read(of.output)[-1].what == "started")
    nodes.kill("two")
    killed_s = time.time()
    told, code, err = ended(driver)
    assert (told["done"], told["failed"], code) == (30, [], 0)
    assert rows(of) == once(30)
    lost = happened(of, "lost")
    assert [event.node for event in lost] == ["two"]
    assert err == f"Row {lost[0].row} ({of.row(lost[0].row)}) is lost: two has died.\n"
    assert {event.node for event in happened(of, "started") if event.at_s > killed_s} == {"one", "three"}
    assert len({record.environment.host for record in records(of)}) == 3


def test_nothing_of_a_killed_driver_runs_on_and_the_next_one_runs_what_is_left(nodes, tmp_path):
    three(nodes, tmp_path)
    of = planned(nodes, tmp_path, jobs(12))
    driver = nodes.driver(of.output)
    until(lambda: len(rows(of)) >= 4)
    driver.kill()
    driver.communicate()
    have = rows(of)
    until(lambda: not any(lives(row[whose]) for row in shown(tmp_path) for whose in ("pid", "parent")), 20)
    started = len(shown(tmp_path))
    time.sleep(2)
    assert len(shown(tmp_path)) == started
    assert rows(of) == have
    told, code, _ = ended(nodes.driver(of.output))
    assert (told["done"], code) == (12 - len(have), 0)
    assert rows(of) == once(12)


def test_a_signal_ends_the_driver_and_its_rows(nodes, tmp_path):
    three(nodes, tmp_path)
    of = planned(nodes, tmp_path, jobs(4, "sleeps"))
    driver = nodes.driver(of.output)
    until(lambda: len(shown(tmp_path)) == 3)
    driver.terminate()
    told, code, err = ended(driver)
    assert (told["done"], told["ended"], code, err) == (0, "stopped by SIGTERM", 143, "")
    until(lambda: not any(lives(row["pid"]) for row in shown(tmp_path)), 20)


def test_nodes_with_another_torch_or_a_full_disk_are_refused_and_their_rows_go_elsewhere(nodes, tmp_path):
    torch = tmp_path / "other" / "torch"
    torch.mkdir(parents=True)
    (torch / "__init__.py").touch()
    (torch / "version.py").write_text("__version__ = '1.0'\ncuda = None\n")
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], check=False).returncode == 0
    temporary = full if mounted else full / "none"
    try:
        nodes.add("one", env={"FLEET_SHOWN": str(tmp_path / "shown")})
        nodes.add("two", path=f"{torch.parent}:{virtual.PATH}")
        nodes.add("three", env={"TMPDIR": str(temporary)})
        of = planned(nodes, tmp_path, jobs(8))
        told, code, err = ended(nodes.driver(of.output))
    finally:
        if mounted:
            nodes.clear()
            subprocess.run(["umount", full], check=True)
    assert (told["done"], told["failed"], code) == (8, [], 0)
    assert rows(of) == once(8)
    assert {record.placement.node for record in records(of) if record.placement is not None} == {"one"}
    reason = "No space left on device" if mounted else "No such file or directory"
    assert sorted(err.splitlines()) == [
        f"three is not used: cannot write to {temporary}: {reason}.",
        f"two is not used: torch 1.0 instead of {of.conditions.versions.torch}, cuda none instead of "
        f"{of.conditions.versions.cuda}." if of.conditions.versions.cuda else
        f"two is not used: torch 1.0 instead of {of.conditions.versions.torch}.",
    ]  # fmt: skip


def test_a_node_without_this_program_is_refused(nodes, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['backbone_bench'] = None\n")
    nodes.add("one", path=str(hidden))
    of = planned(nodes, tmp_path, jobs(2))
    told, code, err = ended(nodes.driver(of.output))
    assert code == 3
    assert sorted(row for row, _ in told["failed"]) == [1, 2]
    assert err.startswith("one is not used: backbone-bench with the engine Ray is not installed: ")


def test_rows_end_with_the_reason_when_no_node_is_left(nodes, tmp_path):
    nodes.add("one", env={"FLEET_SHOWN": str(tmp_path / "shown")})
    of = planned(nodes, tmp_path, jobs(3, "sleeps"))
    driver = nodes.driver(of.output)
    until(lambda: shown(tmp_path))
    nodes.kill("one")
    told, code, _ = ended(driver)
    assert code == 3
    assert sorted(row for row, _ in told["failed"]) == [1, 2, 3]
    assert all(why.startswith("no node with CPUs is left") for _, why in told["failed"])


def test_a_row_whose_worker_is_killed_runs_again_where_it_was(nodes, tmp_path):
    nodes.add("one", env={"FLEET_SHOWN": str(tmp_path / "shown")})
    of = planned(nodes, tmp_path, jobs(2))
    driver = nodes.driver(of.output)
    until(lambda: shown(tmp_path))
    os.kill(shown(tmp_path)[0]["parent"], signal.SIGKILL)
    told, code, err = ended(driver)
    assert (told["done"], code) == (2, 0)
    assert rows(of) == once(2)
    assert [event.node for event in happened(of, "lost")] == ["one"]
    assert "is lost: " in err


def test_what_ray_sets_does_not_reach_a_row(nodes, tmp_path):
    nodes.add("one", cpus=2, env={"FLEET_SHOWN": str(tmp_path / "shown"), "MKL_NUM_THREADS": "7"})
    of = planned(nodes, tmp_path, jobs(1, "shows"), variables={"OMP_PROC_BIND": "true"})
    ended(nodes.driver(of.output))
    (row,) = shown(tmp_path)
    leaked = {name for name in row["variables"] if name.startswith("RAY_")} & {"RAY_JOB_ID", "RAY_RAYLET_PID"}
    assert leaked | row["variables"].keys() & {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONBREAKPOINT"} == set()
    assert row["variables"]["OMP_PROC_BIND"] == "true"
    assert not [folder for folder in row["path"] if "site-packages/ray" in folder]
    assert row["folder"] == of.conditions.folder
    if os.geteuid() == 0:
        assert row["nice"] == os.getpriority(os.PRIO_PROCESS, 0)


def test_a_real_row_runs_on_as_many_threads_as_elsewhere(nodes, tmp_path, monkeypatch):
    """Ray asks for one OpenMP thread for each CPU that the row holds; the row must not see that."""
    (tmp_path / "tiny.py").write_text("import torch\n\n\ndef tiny():\n    return torch.nn.Conv2d(3, 8, 3)\n")
    monkeypatch.chdir(tmp_path)
    nodes.add("one", row="")
    job = Job("tiny.py:tiny", {}, device="cpu", input_size=32, quick=True, energy="off")
    of = planned(nodes, tmp_path, [job])
    told, code, err = ended(nodes.driver(of.output))
    assert (told["failed"], code, err) == ([], 0, "")
    (record,) = records(of)
    assert record.workload.threads == len(os.sched_getaffinity(0))
    assert not any("OMP_NUM_THREADS" in str(pair) for pair in record.environment.variables)


def test_rows_on_a_kind_of_card_run_side_by_side_on_nodes_of_that_kind(nodes, tmp_path):
    nodes.add("one", cpus=4, env={"FLEET_SHOWN": str(tmp_path / "shown")})
    nodes.add(
        "two",
        cpus=4,
        num_gpus=2,
        resources={"accelerator_type:A100": 1},
        env={"FLEET_SHOWN": str(tmp_path / "shown")},
    )
    of = planned(nodes, tmp_path, jobs(4, device="cuda"), kind="a100", sharing="side_by_side")
    told, code, _ = ended(nodes.driver(of.output))
    assert (told["done"], code) == (4, 0)
    found = [record.placement for record in records(of)]
    assert {placement.node for placement in found if placement is not None} == {"two"}
    assert {placement.neighbours for placement in found if placement is not None} == {1}
    assert all("shared_node" in record.flags for record in records(of))
    assert {row["variables"]["CUDA_VISIBLE_DEVICES"] for row in shown(tmp_path)} == {"0", "1"}


def test_kinds_are_those_of_the_cluster_and_another_is_refused_before_a_row_runs(nodes, tmp_path):
    nodes.add("one", num_gpus=2, resources={"accelerator_type:A100": 1})
    assert engines.kinds(EngineAddress("ray", nodes.address), ["each-kind"]) == ["A100"]
    assert cluster.cards(nodes.address) == {"A100": 2, None: 2}
    of = planned(nodes, tmp_path, jobs(1, device="cuda"), kind="h100")
    told, code, _ = ended(nodes.driver(of.output))
    assert code == 2
    assert told["ended"] == (
        "No node of the Ray cluster has a card of kind h100 for naps (fp32, cuda) on h100. The kinds of card are A100."
    )


def test_an_actor_of_somebody_else_on_the_node_is_a_neighbour(nodes, tmp_path):
    nodes.add("one", env={"FLEET_SHOWN": str(tmp_path / "shown")})
    script = (
        "import os, ray\n"
        f"ray.init(address={nodes.address!r}, log_to_driver=False)\n"
        "@ray.remote(num_cpus=0, label_selector={'ray.io/node-id': [n['NodeID'] for n in ray.nodes()\n"
        "                                                          if n['Alive'] and n['NodeName'] == 'one'][0]})\n"
        "class Actor:\n"
        "    def there(self): return True\n"
        "actor = Actor.remote()\n"
        "print(ray.get(actor.there.remote()), flush=True)\n"
        "input()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert other.stdout is not None
    assert b"True\n" in other.stdout
    of = planned(nodes, tmp_path, jobs(1))
    ended(nodes.driver(of.output))
    other.communicate(b"\n", timeout=60)
    (record,) = records(of)
    assert record.placement.neighbours == 1
    assert "shared_node" in record.flags


def test_a_wrong_token_is_one_line(nodes, tmp_path):
    nodes.add("one")
    of = planned(nodes, tmp_path, jobs(1))
    told, code, err = ended(nodes.driver(of.output, RAY_AUTH_TOKEN="0" * 64))
    assert (code, err) == (2, "")
    assert told["ended"].startswith(f"The Ray cluster at {nodes.address} does not let this program in: its token is")
    missing = nodes.driver(of.output, RAY_AUTH_TOKEN="", HOME=str(tmp_path))
    told, code, err = ended(missing)
    assert (code, err) == (2, "")
    assert told["ended"].startswith(f"The Ray cluster at {nodes.address} does not let this program in: its token is")


@pytest.mark.usefixtures("whole")  # Ray reads once, when it is loaded, whether tokens are on
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:9", "No Ray cluster answers at "),
        ("nonsense", "--fleet ray:nonsense: Invalid address format: nonsense. An address is HOST:PORT."),
        ("ray://head:10001", "--fleet ray:ray://head:10001: this does not work through Ray Client"),
    ],
)
def test_a_wrong_address_is_one_line(address, reason):
    with pytest.raises(UserError, match="^" + reason.replace(".", r"\.")), cluster.connected(address):
        pass
