"""Slurm's commands, played by programs that print what Slurm 22.05 prints."""

import os

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.records import Missing
from backbone_bench.run.fleet.slurm import commands
from backbone_bench.run.fleet.slurm.commands import Cards, Ending, Task


@pytest.fixture
def play(tmp_path, monkeypatch):
    """`play(program, script)`: a program of Slurm that is this script; each call is written to the file `calls`."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def make(program, script):
        path = tmp_path / program
        path.write_text(f'#!/bin/sh\necho "$(basename $0) $*" >> {tmp_path}/calls\n{script}\n')
        path.chmod(0o755)
        return tmp_path / "calls"

    return make


def test_a_job_is_submitted_with_its_options_and_its_command_in_one_word(play):
    calls = play("sbatch", "echo '17;cluster'; test $# = 4")
    assert commands.submit(["--array=0-3"], "exec bench fleet work 's w.jsonl'") == "17"
    assert calls.read_text() == "sbatch --parsable --array=0-3 --wrap exec bench fleet work 's w.jsonl'\n"


def test_a_command_within_a_job_does_not_take_itself_for_that_job(play, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    monkeypatch.setenv("SQUEUE_STATES", "COMPLETING")
    monkeypatch.setenv("SBATCH_PARTITION", "gpu")
    play("sbatch", "env | grep -E '^(SLURM|SQUEUE|SBATCH)_' | sort")
    assert commands.ask("sbatch").splitlines() == [
        "SBATCH_PARTITION=gpu",
        "SLURM_BITSTR_LEN=0",
        "SLURM_CONF=/etc/slurm.conf",
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1", "Slurm refuses: sbatch: error: inval"),
        ("exit 3", "Slurm refuses: exit code 3"),
    ],
)
def test_a_complaint_of_slurm_is_one_line(play, script, said):
    play("sbatch", script)
    with pytest.raises(UserError, match=said):
        commands.submit([], "true")


def test_a_machine_without_slurm_says_what_is_needed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="There is no command squeue: --fleet slurm needs a login node"):
        commands.tasks("bench-1")


def test_a_controller_that_does_not_answer_is_no_hang(play, monkeypatch):
    monkeypatch.setattr(commands, "_LIMIT_S", 0.2)
    play("squeue", "exec sleep 60")
    with pytest.raises(UserError, match="does not answer"):
        commands.tasks("bench-1")


def test_elements_that_wait_and_run_are_read_with_their_reasons(play):
    play("squeue", "echo '19_0|bench-1|RUNNING|n1|None'; echo '19_3|bench-1|PENDING||ReqNodeNotAvail, Reserved|x'")
    assert commands.tasks("bench-1") == [
        Task("19_0", "bench-1", "RUNNING", "n1", "None"),
        Task("19_3", "bench-1", "PENDING", "", "ReqNodeNotAvail, Reserved|x"),
    ]


def test_the_ends_of_elements_are_read_and_what_slurm_has_forgotten_is_left_out(play):
    play(
        "scontrol",
        """case $4 in 43)
        echo 'JobId=44 ArrayJobId=43 ArrayTaskId=0 JobState=FAILED Reason=NonZeroExitCode ExitCode=3:0 NodeList=n1'
        echo 'JobId=45 ArrayJobId=43 ArrayTaskId=4294967294 JobState=CANCELLED ExitCode=0:0 NodeList='
        echo 'JobId=43 ArrayJobId=43 ArrayTaskId=1 JobName=b JobState=COMPLETED Reason=None NodeList=n2';;
        *) echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1;; esac""",
    )
    assert commands.endings(["43", "9"]) == {
        "43_0": Ending("FAILED", "n1"),
        "43_1": Ending("COMPLETED", "n2"),
        "43_*": Ending("CANCELLED", ""),
    }


PENDING = "JobId=29 ArrayJobId=29 ArrayTaskId=3-7 JobState=PENDING Partition=main ExcNodeList=n[1-2] NodeList="
SHOWN = f"""case $2 in hostnames) echo n1; echo n2;; update) echo 'Job is no longer pending' >&2; exit 1;;
  *) echo 'JobId=30 ArrayTaskId=2 JobState=RUNNING ExcNodeList=n9'; echo '{PENDING}';; esac"""


def test_a_node_is_left_out_for_what_is_pending_beside_those_before(play):
    """Slurm complains of an array of which a part has begun, and does it all the same."""
    play("sinfo", "printf 'n1\\nn2\\nn3\\nn4\\nn4\\n'")
    calls = play("scontrol", SHOWN)
    commands.exclude("29", "n4")
    assert calls.read_text().splitlines()[-1] == "scontrol update JobId=29 ExcNodeList=n1,n2,n4"
    assert "sinfo --noheader --Node --partition=main --format=%N" in calls.read_text()


def test_what_no_node_is_left_for_does_not_wait_for_ever(play):
    play("sinfo", "printf 'n1\\nn2\\nn4\\n'")
    play("scontrol", SHOWN)
    calls = play("scancel", "")
    with pytest.raises(UserError, match="No node is left that may run the rows: n1, n2, n4 are not used"):
        commands.exclude("29", "n4")
    assert calls.read_text().splitlines()[-1] == "scancel --state=PENDING 29"


def test_of_an_array_that_has_begun_as_a_whole_no_node_is_left_out(play):
    calls = play("scontrol", "echo 'JobId=30 ArrayTaskId=2 JobState=RUNNING ExcNodeList=n9'")
    commands.exclude("29", "n4")
    assert len(calls.read_text().splitlines()) == 1


def test_all_jobs_of_a_name_are_ended_and_counted(play):
    play("squeue", "echo '7_1|b|PENDING||None'; echo '7_2|b|RUNNING|n1|None'")
    calls = play("scancel", "")
    assert commands.cancel("b") == 2
    assert calls.read_text().splitlines()[-1] == "scancel --name=b"
    play("squeue", "")
    assert commands.cancel("b") == 0


@pytest.mark.parametrize(("private", "hides"), [("none", False), ("accounts,jobs", True), ("usage", False)])
def test_a_site_that_hides_jobs_is_known(play, private, hides):
    commands.hides_jobs.cache_clear()
    play("scontrol", f"echo 'PrivateData             = {private}'")
    assert commands.hides_jobs() is hides


def test_only_elements_that_a_node_could_not_start_are_released(play):
    play("squeue", "echo '7_1|b|PENDING||launch failed requeued held'; echo '7_2|b|PENDING||JobHeldUser'")
    calls = play("scontrol", "")
    commands.release_held("b")
    assert calls.read_text().splitlines()[1:] == ["scontrol release 7_1"]


def test_neighbours_are_the_other_jobs_on_a_node(play):
    play("squeue", "echo 28; echo 29_0")
    assert commands.neighbours("n1", "29_0") == 1
    hidden = commands.neighbours("n1", "29_0", hidden=True)
    assert isinstance(hidden, Missing)
    play("squeue", "echo 'slurm_load_jobs error: access denied' >&2; exit 1")
    assert commands.neighbours("n1", "29_0") == Missing(
        "not_told", "Slurm refuses: slurm_load_jobs error: access denied."
    )


def test_cards_are_read_by_node_with_and_without_a_kind(play):
    play("sinfo", "printf 'gpu:a100:4(S:0-1),nic:2\\ngpu:8\\n(null)\\ngpu:h100:2,gpu:l4:1\\n'")
    assert commands.cards() == [Cards("a100", 4), Cards(None, 8), Cards("h100", 2), Cards("l4", 1)]


def test_the_largest_array_is_that_of_the_site(play):
    play("scontrol", "echo 'MaxArraySize            = 1001'")
    assert commands.largest_array() == 1001
    play("scontrol", "echo nothing")
    with pytest.raises(UserError, match="MaxArraySize"):
        commands.largest_array()
