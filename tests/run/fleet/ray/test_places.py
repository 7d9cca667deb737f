"""What rows ask of Ray, and what is made of what Ray says, with a Ray that is a script."""

import sys
from types import ModuleType

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.records import Missing
from backbone_bench.run.fleet import plan
from backbone_bench.run.fleet.drive import Ended, Lost, Refused, Started, Stranded
from backbone_bench.run.fleet.plan import Conditions
from backbone_bench.run.fleet.ray import cluster
from backbone_bench.run.fleet.ray.places import RayPlaces, _neighbours
from tests.run.fleet.plans import job
from tests.run.fleet.ray.scripted import NodeDiedError, RayError, ScriptedRay, node


def opened(tmp_path, ray, jobs, kind=None, sharing="exclusive"):
    of = plan.new(tmp_path / "sweep.jsonl", Conditions.of("ray", sharing=sharing), jobs, [kind])
    places = RayPlaces(ray, of)
    for row in of.rows:
        places.submit(row, ())
    return places, of.rows


def asked(ray):
    return [(task.row, task.options["num_cpus"], task.options["num_gpus"]) for task in ray.tasks]


@pytest.fixture
def no_task_list(monkeypatch):
    """Ray without a dashboard, which alone lists tasks."""
    state, exception = ModuleType("ray.util.state"), ModuleType("ray.util.state.exception")

    def list_tasks(**given):
        raise RayError("no dashboard")

    vars(state).update(list_tasks=list_tasks)
    vars(exception).update(RayStateApiException=RayError)
    for module in (ModuleType("ray"), ModuleType("ray.util"), state, exception):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_row_for_itself_asks_for_all_of_a_node_and_one_more_waits(tmp_path):
    ray = ScriptedRay(node("head", cpus=0), node("n1", 8, 2), node("n2", 8, 2))
    places, rows = opened(tmp_path, ray, [job(f"m{number}") for number in range(9)])
    places._hand_over()
    assert asked(ray) == [(row, 8, 2) for row in (1, 2, 3, 4)]
    ray.tasks[1].begins("id of n2")
    assert places.next() == Started(rows[1], "n2", "task 2")
    ray.tasks[1].fails()
    assert isinstance(places.next(), Ended)
    places._hand_over()
    assert [task.row for task in ray.tasks] == [1, 2, 3, 4, 5]


def test_nodes_of_two_sizes_are_asked_for_apart_and_no_row_waits_for_one_of_them(tmp_path):
    ray = ScriptedRay(node("small", 4), node("large", 16))
    places, _ = opened(tmp_path, ray, [job(f"m{number}") for number in range(5)])
    places._hand_over()
    assert sorted(task.options["num_cpus"] for task in ray.tasks) == [4, 16]
    selectors = {task.options["num_cpus"]: task.options["label_selector"] for task in ray.tasks}
    assert selectors == {4: {"ray.io/node-id": "!in(id of large)"}, 16: None}


@pytest.mark.usefixtures("no_task_list")
@pytest.mark.parametrize(
    ("sharing", "device", "threads", "takes"),
    [
        ("side_by_side", "cuda", None, (2, 1)),
        ("side_by_side", "cpu", None, (5, 0)),
        ("side_by_side", "cpu", 2, (2, 0)),
        ("shared", "cuda", None, (1, 1)),
        ("shared", "cpu", None, (1, 0)),
    ],
)
def test_a_row_that_shares_asks_for_its_part(tmp_path, sharing, device, threads, takes):
    ray = ScriptedRay(node("n1", 5, 2))
    places, _ = opened(tmp_path, ray, [job("one", device=device, threads=threads)], sharing=sharing)
    places._hand_over()
    assert asked(ray) == [(1, *takes)]


def test_a_kind_of_card_is_asked_for_as_ray_spells_it(tmp_path):
    ray = ScriptedRay(node("n1", 4, 1, "A100"), node("n2", 4, 1, "H100"))
    places, _ = opened(tmp_path, ray, [job("one", device="cuda")], "a100")
    places._hand_over()
    assert ray.tasks[0].options["resources"] == {"accelerator_type:A100": 0.001}


def test_a_kind_that_no_node_has_is_refused_before_a_row_runs(tmp_path):
    ray = ScriptedRay(node("n1", 4, 1, "A100"))
    places, _ = opened(tmp_path, ray, [job("one", device="cuda")], "h100")
    with pytest.raises(UserError, match=r"has a card of kind h100 for .* The kinds of card are A100\."):
        places.next()
    assert ray.tasks == []


def test_a_node_that_refuses_is_left_out_of_what_is_asked_next(tmp_path):
    ray = ScriptedRay(node("n1"), node("n2"))
    places, rows = opened(tmp_path, ray, [job("one")])
    places._hand_over()
    ray.tasks[0].refuses("id of n1")
    assert places.next() == Refused(rows[0], "n1", ("no room",))
    places.submit(rows[0], {"n1"})
    places._hand_over()
    assert ray.tasks[1].options["label_selector"] == {"ray.io/node-id": "!in(id of n1)"}


def test_what_waits_for_a_node_that_is_gone_is_stranded(tmp_path):
    ray = ScriptedRay(node("n1"))
    places, rows = opened(tmp_path, ray, [job("one"), job("two")])
    places._hand_over()
    ray.tasks[0].begins("id of n1")
    assert isinstance(places.next(), Started)
    ray.there.clear()
    ray.tasks[0].texts.append(NodeDiedError("dead"))
    assert places.next() == Lost(rows[0], "n1", "n1 has died", True)
    places.submit(rows[0], {"n1"})
    stranded = sorted((places.next(), places.next()), key=lambda happening: happening.row.row)
    assert stranded == [Stranded(row, "no node with CPUs is left that has not refused or lost a row") for row in rows]
    assert ray.tasks[1].cancelled


def test_a_row_whose_worker_dies_has_not_lost_its_node(tmp_path, monkeypatch):
    monkeypatch.setattr("backbone_bench.run.fleet.ray.places._DEATH_S", 0.0)
    ray = ScriptedRay(node("n1"))
    places, rows = opened(tmp_path, ray, [job("one")])
    places._hand_over()
    ray.tasks[0].begins("id of n1")
    places.next()
    ray.tasks[0].texts.append(RayError("the worker was killed\nand more"))
    assert places.next() == Lost(rows[0], "n1", "the worker was killed", False)


def test_two_nodes_of_one_name_get_names_of_their_own(tmp_path):
    ray = ScriptedRay(node("n1"), {**node("n1"), "NodeID": "0123456789"})
    names: dict[str, str] = {}
    assert cluster.nodes(ray, names).keys() == {"id of n1", "0123456789"}
    assert names == {"id of n1": "n1", "0123456789": "n1-01234567"}


@pytest.mark.usefixtures("no_task_list")
def test_company_that_is_known_counts_even_if_other_company_is_not_known(tmp_path):
    ray = ScriptedRay(node("n1", 4, 2))
    places, _ = opened(tmp_path, ray, [job("one", device="cuda"), job("two", device="cuda")], sharing="side_by_side")
    places._hand_over()
    for task in ray.tasks:
        task.begins("id of n1")
    places.next()
    places.next()
    assert [_neighbours(task) for task in places._tasks.values()] == [1, 1]


@pytest.mark.usefixtures("no_task_list")
def test_company_that_ray_does_not_tell_of_is_missing(tmp_path):
    ray = ScriptedRay(node("n1", 4, 2))
    places, _ = opened(tmp_path, ray, [job("one", device="cuda")], sharing="shared")
    places._hand_over()
    ray.tasks[0].begins("id of n1")
    places.next()
    (task,) = places._tasks.values()
    neighbours = _neighbours(task)
    assert isinstance(neighbours, Missing)
    assert neighbours.missing == "no_task_list"


def test_ray_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs Ray: pip install 'backbone-bench\[ray\]'"), cluster.connected(None):
        pass
