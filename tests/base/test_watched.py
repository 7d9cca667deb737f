"""A program that works in a child process: nobody notices, and its exit code 0 means that the work was done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backbone_bench.base import watched
from backbone_bench.cli import choose

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the program splits on Linux only")

SPLIT = """
import ctypes, os, signal, sys, time
from backbone_bench.base import signals, watched
with signals.handled(), watched.splittable():
    try:
        print("once")
        watched.split("a model")
        {work}
        watched.tell(code)
        {after}
        sys.exit(code)
    except signals.Interrupted as interrupted:
        print("interrupted")
        watched.tell(interrupted.exit_code)
        sys.exit(interrupted.exit_code)
"""


def program(work: str, after: str = "pass") -> subprocess.Popen[str]:
    text = SPLIT.format(work=work, after=after)
    return subprocess.Popen([sys.executable, "-c", text], stdout=-1, stderr=-1, text=True, start_new_session=True)


@pytest.mark.parametrize("code", [0, 1, 130])
def test_the_exit_code_is_that_of_the_child_and_nothing_is_printed_twice(code: int) -> None:
    process = program(f"code = {code}")
    assert process.communicate() == ("once\n", "")
    assert process.returncode == code


@pytest.mark.parametrize(
    ("work", "after", "code"),
    [
        ("code = 0", "ctypes.CDLL(None)._exit(0)", 0),  # the work was done
        ("code = 5", "ctypes.CDLL(None)._exit(0)", 5),
        ("code = 0", "ctypes.CDLL(None)._exit(7)", 7),
        ("ctypes.CDLL(None)._exit(7)", "pass", 7),
        ("if not os.fork(): time.sleep(9)\n        code = 0", "pass", 0),  # a process left behind holds the pipe open
    ],
)
def test_a_sudden_end_hides_no_failure(work: str, after: str, code: int) -> None:
    with program(work, after) as process:
        assert process.wait(timeout=8) == code


@pytest.mark.parametrize("end", ["ctypes.CDLL(None)._exit(0)", "ctypes.CDLL(None).exit(0)", "ctypes.string_at(0)"])
def test_an_end_before_the_work_was_done_is_a_failure(end: str) -> None:
    process = program(end)
    assert "CouldNotMeasure: a model: the process ended" in process.communicate()[1]
    assert process.returncode == 1


def asleep() -> tuple[subprocess.Popen[str], int]:
    """A program whose child sleeps, and the id of the child."""
    process = program("print(os.getpid(), flush=True); time.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "once\n"
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_signal_reaches_the_child_once(send: Callable[[int, int], None]) -> None:
    process, _ = asleep()
    send(process.pid, signal.SIGINT)
    assert process.communicate(timeout=8) == ("interrupted\n", "")
    assert process.returncode == 130


def test_the_child_does_not_outlive_a_program_that_is_killed() -> None:
    process, child = asleep()
    with process:
        process.kill()
    deadline_s = time.monotonic() + 8
    while runs(child) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not runs(child)


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended: one that nobody has waited for stays a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_only_models_that_are_not_the_zoos_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(watched, "split", told.append)
    choose.watch(["resnet50", "vgg19"])
    assert told == []
    choose.watch(["net.py:Net", "resnet50", "timm:resnet50", "net.py:Net"])
    assert told == ["net.py:Net, timm:resnet50"]


def test_a_process_that_is_not_the_programs_own_does_not_split() -> None:
    own = os.getpid()
    watched.split("a model")
    assert os.getpid() == own
