import json

from backbone_bench.report.tables.formats import written
from backbone_bench.run.fleet import lock, status
from backbone_bench.run.fleet.events import EventLog
from backbone_bench.run.fleet.slurm import commands
from backbone_bench.run.fleet.slurm.commands import Task
from tests.run.fleet.plans import planned


def noted(of, *happened):
    log = EventLog(of.output, "x")
    for what, row, node, *job in happened:
        log.note(what, row, node, job=job[0] if job else None, message="out of memory" if what == "failed" else None)
    return log


def test_rows_that_a_dead_driver_has_started_are_lost_and_those_of_a_living_one_run(tmp_path):
    of = planned(tmp_path)
    noted(of, ("started", 1, "n1"))
    now = status.read(of, [], 0.0)
    assert now.numbers == {"lost": 1, "waiting": 2}
    assert now.over
    with lock.driving(of.output):
        assert status.read(of, [], 0.0).numbers == {"lost": 1, "waiting": 2}  # another driver had started it
        noted(of, ("started", 2, "n1"))
        now = status.read(of, [], 0.0)
        assert now.numbers == {"lost": 1, "running": 1, "waiting": 1}
        assert not now.over


def test_slurm_says_which_rows_run_and_why_others_wait(tmp_path, monkeypatch):
    of = planned(tmp_path, engine="slurm", address=None)
    noted(of, ("started", 1, "n1", "7_0"), ("started", 2, "n1", "7_1"))
    queue = [
        Task("7_0", "b", "RUNNING", "n1", "None"),
        Task("7_1", "b", "RUNNING", "n2", "None"),  # started again, on another node, and has not said so yet
        Task("7_2", "b", "PENDING", "", "Resources"),
    ]
    monkeypatch.setattr(commands, "tasks", lambda name: queue)
    now = status.read(of, [], 0.0)
    assert [row.state for row in now.rows] == ["running", "lost", "waiting"]
    assert now.queue == ("1 for Resources",)
    assert not now.over
    queue.clear()
    assert status.read(of, [], 0.0).over


def test_the_time_left_follows_the_rows_that_have_ended(tmp_path):
    of = planned(tmp_path, models="abcdef")
    with lock.driving(of.output):
        noted(of, ("started", 1, "n1"), ("recorded", 1, "n1"), ("started", 2, "n1"), ("started", 3, "n2"))
        now = status.read(of, [1], 0.0)
    took_s = now.rows[0].took_s
    assert took_s is not None
    assert now.left_s == took_s * 5 / 2


def test_people_see_numbers_by_kind_and_the_rows_that_need_a_look(tmp_path):
    of = planned(tmp_path, models=("one", "two"), kinds=("a100", "h100"))
    noted(of, ("started", 1, "n1"), ("recorded", 1, "n1"), ("started", 2, "n2"), ("failed", 2, "n2"))
    answer = status.answer(status.read(of, [1], 0.0))
    text = written(answer, "md")
    assert "| a100 | 2 | 1 | 1 | 0 | 0 | 0 | 0 |" in text
    assert "| h100 | 2 | 0 | 0 | 0 | 2 | 0 | 0 |" in text
    assert "2 of 4 rows have ended, 0 running, nothing in the queue: --resume goes on." in text
    assert "| 2 | two (fp32, cpu) on a100 | failed | n2 |" in text
    assert "three" not in text
    rows = json.loads(str(written(answer, "json")))
    assert [(row["row"], row["state"], row["message"]) for row in rows] == [
        (1, "done", None), (2, "failed", "out of memory"), (3, "waiting", None), (4, "waiting", None),
    ]  # fmt: skip
