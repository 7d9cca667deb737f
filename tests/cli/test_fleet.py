"""`bench run --fleet` and `bench fleet` on this machine: real processes, with a stand-in for the profiler."""

import json

import pytest

from backbone_bench.records import store
from backbone_bench.run.fleet import lock, machine, plan
from backbone_bench.run.fleet.slurm import batch, commands
from backbone_bench.run.fleet.slurm.commands import Cards, Task
from tests.run.fleet.plans import job as plan_job
from tests.run.test_isolation import STAND_IN


@pytest.fixture
def fleet(tmp_path, monkeypatch, bench):
    """`fleet(*words)`: `bench` in a folder without settings."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "worker", lambda conditions: STAND_IN)
    return bench


# Functions of the stand-in, as models of one's own: those are not looked up before their row runs.
FINE, PRINTS, SEGFAULTS = "x:fine", "x:prints", "x:segfaults"


def rows(folder):
    return [json.loads(line)["placement"]["row"] for line in (folder / "s.jsonl").read_text().splitlines()]


def run(*words):
    return ("run", *words, "--device", "cpu", "-o", "s.jsonl")


def test_a_fleet_records_every_row_once_and_resume_adds_what_is_new(fleet, tmp_path):
    first = fleet(*run(FINE, PRINTS, "--fleet", "local:1"))
    assert first.code == 0
    assert first.out.count("| x:fine |") == 1
    assert rows(tmp_path) == [1, 2]
    again = fleet(*run(FINE, "-b", "1,2", "--fleet", "local:1", "--resume"))
    assert "Already recorded: " in again.err
    assert [row.job.batch for row in plan.read(tmp_path / "s.jsonl").rows] == [1, 1, 2]


def test_a_row_that_fails_has_its_reason_and_the_exit_code_says_so(fleet, tmp_path):
    output = fleet(*run(FINE, SEGFAULTS, "--fleet", "local:1"))
    assert output.code == 3
    assert "Row 2 (x:segfaults (fp32, cpu)): ended by signal 11 (SIGSEGV)" in output.err
    shown = fleet("fleet", "status", "s.jsonl").out
    assert "| any | 2 | 1 | 1 | 0 | 0 | 0 | 0 |" in shown
    assert "ended by signal 11 (SIGSEGV)" in shown
    collected = fleet("fleet", "collect", "s.jsonl")
    assert collected.code == 3
    assert "Records: 1 of 2 rows" in collected.err


def test_resume_without_models_runs_what_the_plan_has_left(fleet, tmp_path):
    fleet(*run(FINE, PRINTS, "--fleet", "local:1"))
    path = tmp_path / "s.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:1]))
    assert fleet(*run("--fleet", "local:1", "--resume")).code == 0
    assert rows(tmp_path) == [1, 2]


def test_a_dry_run_shows_the_rows_and_writes_nothing(fleet, tmp_path):
    output = fleet(*run("resnet18", "--fleet", "local:2", "--dry-run"))
    assert output.code == 0
    assert "Rows: 1." in output.out
    assert [path.name for path in tmp_path.iterdir()] == [".git"]


def test_a_dry_run_says_the_card_hours_of_each_way_to_share(fleet, monkeypatch):
    monkeypatch.setattr(commands, "cards", lambda: [Cards("a100", 8), Cards("a100", 4)])
    words = ("run", "resnet18", "--device", "cuda", "-b", "1,8,32", "--fleet", "slurm", "--on", "each-kind")
    output = fleet(*words, "-o", "s.jsonl", "--dry-run")
    alone, shared = (float(word) for word in output.out.split("Card-hours: ")[1].split() if word[0].isdigit())
    assert alone == pytest.approx(8 * shared, abs=0.1)
    assert "resnet18 (fp32, cuda, batch 8) on a100" in output.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "resnet18", "--fleet", "local:1"), "needs one .jsonl output"),
        (("run", "resnet18", "--fleet", "lokal:1", "-o", "s.jsonl"), "no such engine. Did you mean 'local'?"),
        (("run", "resnet18", "--fleet", "local", "-o", "s.jsonl"), "as in local:4"),
        (("run", "resnet18", "--fleet", "slurm:x", "-o", "s.jsonl"), "takes no address"),
        (("run", "resnet18", "--fleet", "local:1", "--on", "a100", "-o", "s.jsonl"), "--on chooses among"),
        (("run", "resnet18", "--fleet", "local:1", "--shard", "1/2", "-o", "s.jsonl"), "--shard is for one machine"),
        (("run", "--fleet", "local:1", "--resume", "-o", "s.jsonl"), "Name a model"),
        (("run", "resnet18", "--on", "a100", "-o", "s.jsonl"), "--on is about a fleet: give --fleet too"),
        (("run", "resnet18", "--sbatch=--time=5", "-o", "s.jsonl"), "--sbatch is about a fleet"),
        (
            ("run", "resnet18", "--fleet", "slurm", "--side-by-side", "--share-node", "-o", "s.jsonl"),
            "--share-node allows more than --side-by-side",
        ),
        (("run", "resnet18", "--fleet", "local:1", "--sbatch=-x", "-o", "s.jsonl"), "are for --fleet slurm"),
        (("run", "resnet18", "--fleet", "local:1", "--side-by-side", "-o", "s.jsonl"), "are for many machines"),
        (("run", "resnet18", "--fleet", "local:1", "-v", "-o", "s.jsonl"), "--verbose is for one machine"),
        (("run", "resnet18", "--fleet", "local:9999", "-o", "s.jsonl"), "cores only"),
        (("run", "resnet18", "--fleet", "slurm", "-o", "s.jsonl", "-o", "s.md"), "to `bench fleet collect"),
        (("run", "resnet18", "--fleet", "local:1", "-o", "s.plan.jsonl"), "are plans of fleets"),
        (("run", "resnet18", "-o", "s.plan.jsonl"), "are plans of fleets"),
        (("fleet", "status", "s.jsonl"), "There is no plan"),
        (("fleet", "collect", "s.jsonl"), "There is no plan"),
        (("fleet", "cancel", "s.jsonl"), "There is no plan"),
        (("fleet", "work", "s.jsonl", "1", "0"), "There is no plan"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing_behind(fleet, tmp_path, words, said):
    output = fleet(*words)
    assert output.code == 2
    assert said in output.err
    assert output.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [".git"]


def test_a_plan_is_not_overwritten_and_a_sweep_not_driven_twice(fleet, tmp_path):
    fleet(*run(FINE, "--fleet", "local:1"))
    output = fleet(*run(FINE, "--fleet", "local:1"))
    assert output.code == 2
    assert "is the plan of a sweep: --resume continues it" in output.err
    (tmp_path / "s.jsonl").unlink()
    with lock.driving(tmp_path / "s.jsonl"):
        output = fleet(*run("--fleet", "local:1", "--resume"))
    assert output.code == 2
    assert "is being measured already" in output.err


def test_the_options_of_a_plan_stay_unless_they_are_given_again(fleet, tmp_path):
    fleet(*run(FINE, "--fleet", "local:1", "--timeout", "77", "--mixed"))
    fleet(*run("--fleet", "local:1", "--resume"))
    kept = plan.read(tmp_path / "s.jsonl").conditions
    assert (kept.timeout_s, kept.mixed) == (77, True)
    fleet(*run("--fleet", "local:1", "--resume", "--timeout", "88"))
    assert plan.read(tmp_path / "s.jsonl").conditions.timeout_s == 88


def test_a_resume_that_is_refused_changes_nothing(fleet, tmp_path):
    fleet(*run(FINE, "--fleet", "local:1", "--timeout", "77"))
    before = plan.file(tmp_path / "s.jsonl").read_bytes()
    with lock.driving(tmp_path / "s.jsonl"):
        assert fleet(*run(PRINTS, "--fleet", "local:1", "--resume", "--timeout", "5")).code == 2
    assert plan.file(tmp_path / "s.jsonl").read_bytes() == before


def test_no_engine_goes_on_while_slurm_still_has_jobs_of_the_sweep(fleet, tmp_path, monkeypatch):
    fleet(*run(FINE, "--fleet", "local:1"))
    monkeypatch.setattr(commands, "largest_array", lambda: 10)
    monkeypatch.setattr(commands, "submit", lambda words, command: "7")
    of = plan.read(tmp_path / "s.jsonl")
    batch.submit(of, of.rows)
    monkeypatch.setattr(commands, "tasks", lambda name: [Task("7_0", name, "RUNNING", "n1", "None")])
    output = fleet(*run("--fleet", "local:1", "--resume"))
    assert output.code == 2
    assert "Slurm still has 1 jobs of this sweep" in output.err


def test_rows_for_a_kind_of_card_are_not_run_on_whatever_is_here(fleet, tmp_path, monkeypatch):
    of = plan.new(tmp_path / "s.jsonl", plan.Conditions.of("slurm"), [plan_job()], ["h100"])
    plan.write(of)
    for words in ((), ("--dry-run",)):
        output = fleet(*run("--fleet", "local:1", "--resume", *words))
        assert output.code == 2
        assert "The plan has rows for h100, and local has no such kind of card." in output.err


@pytest.mark.parametrize("command", ["status", "collect"])
def test_a_sweep_is_no_output_of_itself(fleet, tmp_path, command):
    fleet(*run(FINE, "--fleet", "local:1"))
    before = (tmp_path / "s.jsonl").read_bytes()
    assert fleet("fleet", command, "s.jsonl", "-o", "s.jsonl").code == 2
    assert (tmp_path / "s.jsonl").read_bytes() == before
    assert fleet("fleet", command, "s.jsonl", "-o", "other.jsonl").code == 0
    assert len((tmp_path / "other.jsonl").read_text().splitlines()) == 1


def test_a_gathering_job_that_is_started_twice_submits_nothing(fleet, tmp_path, monkeypatch):
    fleet(*run(FINE, SEGFAULTS, "--fleet", "local:1"))
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    mine, others = Task("9", "b", "RUNNING", "n1", "None"), Task("10_0", "b", "PENDING", "", "Resources")
    monkeypatch.setattr(commands, "tasks", lambda name: [mine, others])
    output = fleet("fleet", "gather", "s.jsonl")
    assert output.code == 0
    assert "they are not submitted again" in output.err


def test_nothing_is_canceled_where_nothing_runs(fleet):
    fleet(*run(FINE, "--fleet", "local:1"))
    output = fleet("fleet", "cancel", "s.jsonl")
    assert output.code == 0
    assert "Nothing runs any more." in output.err


def test_the_records_of_a_fleet_are_read_like_any_others(fleet, tmp_path):
    fleet(*run(FINE, PRINTS, "--fleet", "local:1"))
    assert len(store.read([tmp_path / "s.jsonl"], pytest.fail)) == 2
    assert "| x:prints |" in fleet("compare", "s.jsonl").out
