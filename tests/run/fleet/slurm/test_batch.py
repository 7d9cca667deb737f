"""Submissions and elements, with Slurm's commands as functions."""

import shlex
from dataclasses import replace

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.records import store
from backbone_bench.run import runner
from backbone_bench.run.fleet import collect, events, machine
from backbone_bench.run.fleet.events import EventLog
from backbone_bench.run.fleet.machine import Fitness
from backbone_bench.run.fleet.slurm import batch, commands, element
from backbone_bench.run.fleet.slurm.batch import Left
from backbone_bench.run.fleet.slurm.commands import Ending
from backbone_bench.run.messages import Failed
from tests.report.samples import record
from tests.run.fleet.plans import planned


class Slurm:
    """What was asked of Slurm, and what it answers."""

    def __init__(self):
        self.submitted, self.canceled, self.excluded, self.ends = [], [], [], {}
        self.refuses_after, self.largest = 99, 1001

    def submit(self, words, command):
        if len(self.submitted) == self.refuses_after:
            raise UserError("Slurm refuses: no.")
        self.submitted.append((list(words), command))
        return str(len(self.submitted))


@pytest.fixture
def slurm(monkeypatch):
    made = Slurm()
    monkeypatch.setattr(commands, "submit", made.submit)
    monkeypatch.setattr(commands, "cancel", made.canceled.append)
    monkeypatch.setattr(commands, "exclude", lambda job, node: made.excluded.append((job, node)))
    monkeypatch.setattr(commands, "largest_array", lambda: made.largest)
    monkeypatch.setattr(commands, "endings", lambda jobs: made.ends)
    monkeypatch.setattr(commands, "neighbours", lambda node, own, hidden=False: 0)
    monkeypatch.setattr(commands, "hides_jobs", lambda: False)
    monkeypatch.setattr(commands, "release_held", lambda name: None)
    return made


def plan_of(tmp_path, models=("one", "two", "three"), kinds=(None,), **how):
    return planned(tmp_path, models, kinds, engine="slurm", address=None, **how)


def test_a_path_reaches_slurm_as_it_is_written(tmp_path, slurm):
    odd = tmp_path / "50% of 'it', %j"
    odd.mkdir()
    of = plan_of(odd)
    batch.submit(of, of.rows)
    (words, command), (waits, _) = slurm.submitted
    logs = str(odd / "sweep.fleet" / "logs").replace("%", "%%")
    assert f"--output={logs}/%A_%a.log" in words
    assert f"--output={logs}/collect-%j.log" in waits
    assert shlex.split(command)[-3] == str(of.output)


def test_a_path_with_a_backslash_is_refused(tmp_path, slurm):
    (tmp_path / "a\\b").mkdir()
    of = plan_of(tmp_path / "a\\b")
    with pytest.raises(UserError, match="no path with a backslash"):
        batch.submit(of, of.rows)
    assert slurm.submitted == []


def test_the_collecting_job_asks_for_no_card(tmp_path, slurm):
    of = plan_of(tmp_path, words=("--partition=gpu", "--gres=gpu:2", "--cpus-per-task=8", "--time=5", "-w", "n1"))
    batch.submit(of, of.rows)
    assert slurm.submitted[0][0][-6:] == list(of.conditions.words)
    assert [word for word in slurm.submitted[1][0] if word in of.conditions.words] == [
        "--partition=gpu",
        "--time=5",
        "n1",
    ]


def test_an_array_has_an_element_for_each_row_and_a_job_that_waits_for_it(tmp_path, slurm):
    of = plan_of(tmp_path, words=("--partition=gpu",))
    submission = batch.submit(of, of.rows)
    (words, command), (waits, collecting) = slurm.submitted
    assert "--array=0-2" in words
    assert {"--exclusive", "--mem=0", "--requeue", f"--job-name=bench-{of.id}", "--open-mode=append"} <= set(words)
    assert words[-1] == waits[-1] == "--partition=gpu"
    assert not any(word.startswith("--gres") for word in words)
    assert command.endswith(f"-m backbone_bench fleet work {of.output} 1 0")
    assert "--dependency=afterany:1" in waits
    assert collecting.endswith(f"fleet gather {of.output}")
    assert batch.submissions(of) == [submission]
    assert submission.arrays[0].elements == ((1,), (2,), (3,))


def test_each_kind_of_card_has_an_array_of_its_own(tmp_path, slurm):
    of = plan_of(tmp_path, models=("one", "two"), kinds=("a100", "h100"))
    batch.submit(of, of.rows)
    grants = [[word for word in words if word.startswith("--gres")] for words, _ in slurm.submitted]
    assert grants == [["--gres=gpu:a100:1"], ["--gres=gpu:h100:1"], []]
    assert "--dependency=afterany:1:2" in slurm.submitted[2][0]


@pytest.mark.parametrize(
    ("sharing", "words"), [("exclusive", {"--exclusive"}), ("side_by_side", {"--exclusive=user"}), ("shared", set())]
)
def test_how_a_node_is_shared_is_said_to_slurm(tmp_path, slurm, sharing, words):
    of = plan_of(tmp_path, sharing=sharing)
    batch.submit(of, of.rows)
    assert {word for word in slurm.submitted[0][0] if word.startswith("--exclusive")} == words


@pytest.mark.parametrize(
    ("rows_per_job", "largest", "elements"),
    [(None, 1001, [5]), (2, 1001, [3]), (None, 2, [2]), (2, 2, [2, 1]), (1, 2, [2, 2, 1])],
)
def test_every_row_is_in_one_element_and_no_array_is_larger_than_allowed(
    tmp_path, slurm, rows_per_job, largest, elements
):
    slurm.largest = largest
    of = plan_of(tmp_path, models="abcde", rows_per_job=rows_per_job)
    submission = batch.submit(of, of.rows)
    assert [len(array.elements) for array in submission.arrays] == elements
    assert [row for array in submission.arrays for rows in array.elements for row in rows] == [1, 2, 3, 4, 5]


def test_a_submission_that_slurm_refuses_halfway_leaves_nothing_in_the_queue(tmp_path, slurm):
    of = plan_of(tmp_path, kinds=("a100", "h100"))
    slurm.refuses_after = 1
    with pytest.raises(UserError, match="Slurm refuses"):
        batch.submit(of, of.rows)
    assert slurm.canceled == [batch.name(of)]
    assert batch.submissions(of) == []
    slurm.refuses_after = 99
    assert batch.submit(of, of.rows).number == 2  # elements of the first may still come to run
    assert [one.number for one in batch.submissions(of)] == [2]


ELEMENT = element.here(
    {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": "18", "SLURMD_NODENAME": "n1"}
)


@pytest.fixture
def rows_run(monkeypatch):
    """The rows that were run; the one of the model `two` fails."""
    ran = []

    def run(job, on_progress, timeout_s, worker, argv):
        ran.append(job.model)
        failure = Failed("ran out of memory", 3) if job.model == "two" else None
        return runner.JobResult(job, None if failure else record(job.model, 4_000_000, 0.01), failure)

    monkeypatch.setattr(runner, "run_isolated", run)
    return ran


def test_an_element_runs_its_rows_and_writes_files_of_its_own(tmp_path, slurm, rows_run):
    of = plan_of(tmp_path, rows_per_job=3)
    batch.submit(of, of.rows)
    assert element.work(of, 1, 0, ELEMENT, lambda line: None) == 3
    assert rows_run == ["one", "two", "three"]
    assert [(one.what, one.row, one.job) for one in events.read(of.output)] == [
        ("started", 1, "17_0"), ("recorded", 1, "17_0"), ("started", 2, "17_0"), ("failed", 2, "17_0"),
        ("started", 3, "17_0"), ("recorded", 3, "17_0"),
    ]  # fmt: skip
    assert [path.name for path in collect.parts(of.output).iterdir()] == ["17_0-0.jsonl"]
    assert collect.recorded(of) == [1, 3]


def test_an_element_that_starts_again_runs_only_what_it_has_not_finished(tmp_path, slurm, rows_run):
    of = plan_of(tmp_path, rows_per_job=3)
    batch.submit(of, of.rows)
    log = EventLog(of.output, ELEMENT.writer)
    log.note("started", 1, "n1", job="17_0")
    log.note("recorded", 1, "n1", job="17_0")
    log.note("started", 2, "n1", job="17_0")
    element.work(of, 1, 0, ELEMENT._replace(node="n2", restarts=1), lambda line: None)
    assert rows_run == ["two", "three"]


def test_a_node_that_cannot_run_rows_says_so_and_is_left_out_of_the_array(tmp_path, slurm, rows_run, monkeypatch):
    of = plan_of(tmp_path)
    batch.submit(of, of.rows)
    monkeypatch.setattr(machine, "fitness", lambda conditions: Fitness(("torch 2 instead of 3",), ()))
    with pytest.raises(UserError, match="n1 is not used: torch 2 instead of 3"):
        element.work(of, 1, 0, ELEMENT, lambda line: None)
    assert rows_run == []
    assert slurm.excluded == [("17", "n1")]
    assert [one.what for one in events.read(of.output)] == ["refused"]


def test_a_node_whose_disk_is_full_is_left_out_of_the_array(tmp_path, slurm, rows_run, monkeypatch):
    def full(path, found):
        raise UserError(f"Cannot write {path}: No space left on device.")

    of = plan_of(tmp_path)
    batch.submit(of, of.rows)
    monkeypatch.setattr(store, "append", full)
    with pytest.raises(UserError, match="No space left"):
        element.work(of, 1, 0, ELEMENT, lambda line: None)
    assert slurm.excluded == [("17", "n1")]


def test_outside_a_job_of_slurm_no_element_runs():
    with pytest.raises(UserError, match="within an array of Slurm only: 'SLURM_ARRAY_JOB_ID' is not set"):
        element.here({})


def test_what_no_node_has_finished_is_left_with_the_nodes_that_could_not(tmp_path, slurm):
    of = plan_of(tmp_path, models="abcdefg")
    batch.submit(of, of.rows)
    log = EventLog(of.output, "x")
    log.note("started", 1, "n1", job="1_0")
    log.note("recorded", 1, "n1", job="1_0")
    log.note("started", 2, "n1", job="1_1")
    log.note("failed", 2, "n1", job="1_1")
    log.note("started", 3, "n1", job="1_2")  # lost
    log.note("refused", 4, "n2", job="1_3")
    for _ in range(3):
        log.note("started", 5, "n1", job="1_4")  # lost again and again
    log.note("started", 6, "n1", job="1_5")  # canceled by its user
    slurm.ends = {"1_5": Ending("CANCELLED", "n1"), "1_6": Ending("FAILED", "n3"), "1_2": Ending("FAILED", "n1")}
    left = batch.left(of, [1])
    assert [row.row for row in left.rows] == [3, 4, 7]
    assert [row.row for row in left.given_up] == [5]
    assert left.avoid == {"n2", "n3"}  # n3 could not even write that it had begun


def test_a_row_that_failed_in_part_and_then_lost_its_node_runs_again(tmp_path, slurm):
    of = plan_of(tmp_path, models="a")
    batch.submit(of, of.rows)
    log = EventLog(of.output, "x")
    log.note("started", 1, "n1", job="1_0")
    log.note("failed", 1, "n1", job="1_0")
    assert batch.left(of, []).rows == ()
    batch.submit(of, of.rows)  # somebody asks for it again
    assert batch.left(of, []).rows == of.rows  # nothing is known of it in this round
    log.note("started", 1, "n1", job="3_0")
    assert batch.left(of, []).rows == of.rows


def test_what_was_canceled_before_it_began_stays_away(tmp_path, slurm):
    of = plan_of(tmp_path)
    batch.submit(of, of.rows)
    EventLog(of.output, "x").note("started", 1, "n1", job="1_0")
    slurm.ends = {"1_*": Ending("CANCELLED", ""), "1_0": Ending("NODE_FAIL", "n1")}
    assert [row.row for row in batch.left(of, []).rows] == [1]


def test_the_submissions_of_a_round_are_counted_anew_when_somebody_asks_again(tmp_path, slurm):
    of = plan_of(tmp_path)
    for _ in range(3):
        batch.submit(of, of.rows)
    assert batch.left(of, []).submissions == 1
    batch.submit(of, of.rows, batch.left(of, []))
    assert batch.left(of, []).submissions == 2


def test_rows_are_submitted_again_without_the_nodes_that_could_not(tmp_path, slurm):
    of = plan_of(tmp_path)
    batch.submit(of, of.rows)
    left = Left(of.rows[1:], (), frozenset(("n2", "n1")), 1, 1)
    again = batch.submit(of, left.rows, left)
    assert (again.number, again.of_round) == (2, 1)
    assert "--exclude=n1,n2" in slurm.submitted[2][0]
    assert [one.number for one in batch.submissions(of)] == [1, 2]
    assert replace(again, number=1) != batch.submissions(of)[0]
