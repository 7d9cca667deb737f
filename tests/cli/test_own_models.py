"""Models of the user: two files in one command, each with its own `blocks.py`, and models that end the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.zoo.test_neighbours import folder


def test_both_rows_of_one_command_are_right(bench, tmp_path):
    old, new = folder(tmp_path / "old", 8), folder(tmp_path / "new", 16)
    shown = bench("count", f"{old}:Net", f"{new}:Net", "--input", "3x32x32", "-f", "json")
    assert shown.code == 0, shown.err
    assert [record["cost"]["params"] for record in json.loads(shown.out)["records"]] == [224, 448]


ENDS = """
import os
from torch import nn

{at_import}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {at_build}
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        {at_call}
        return self.conv(x)
"""


@pytest.mark.parametrize("place", ["at_import", "at_build", "at_call"])
@pytest.mark.parametrize("command", ["count", "gate"])
def test_a_model_that_ends_the_process_is_no_success(bench, tmp_path, place, command):
    lines = dict.fromkeys(("at_import", "at_build", "at_call"), "pass") | {place: "os._exit(0)"}
    net, report = tmp_path / "net.py", tmp_path / "g.md"
    net.write_text(ENDS.format(**lines))
    words = {
        "count": ("count", f"{net}:Net", "--input", "3x8x8"),
        "gate": ("gate", "--exact", "--update-baseline", "--baseline", str(tmp_path / "b.json"), "-o", str(report),
                 "--", f"{net}:Net", "--input", "3x8x8"),
    }  # fmt: skip
    shown = bench(*words[command])
    assert shown.code in (2, 3), shown
    assert "exit(0)" in shown.err + shown.out  # Markdown escapes the underscore


PRINTS = """
import os
from torch import nn
print("while importing")

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        os.write(1, b"as C does\\n")
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        print("while counting")
        return self.conv(x)
"""


SHAPE = ("--input", "3x8x8")


@pytest.mark.parametrize(
    "words",
    [
        ("count", "{net}:Net", *SHAPE, "-f", "json"),
        ("run", "{net}:Net", *SHAPE, "--quick", "--in-process", "-d", "cpu", "-f", "json"),
        ("check", "{net}:Net", "--input-size", "8", "--params", "112", "-f", "json"),
        (
            "gate",
            "--exact",
            "--update-baseline",
            "--baseline",
            "{base}",
            "-f",
            "json",
            "--",
            "{net}:Net",
            "--input",
            "3x8x8",
        ),
    ],
    ids=lambda words: words[0],
)
def test_what_a_model_prints_is_no_part_of_the_result(bench, tmp_path, words):
    net = tmp_path / "net.py"
    net.write_text(PRINTS)
    shown = bench(*(word.format(net=net, base=tmp_path / "b.json") for word in words))
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)
    for printed in ("while importing", "as C does", "while counting"):
        assert printed in shown.err


COUNTING_GATE = ("gate", "--exact", "--update-baseline", "--baseline", "b.json", "--")
SUDDEN = {
    "exit": "sys.exit(0)",
    "quit": "quit()",
    "exec": "os.execv('/bin/true', ['true'])",
    "generator": "raise GeneratorExit",
    "cancelled": "raise asyncio.CancelledError",
    "thread": "threading.Thread(target=os._exit, args=(0,)).start()",
    "C": "ctypes.CDLL(None)._exit(0)",
}


@pytest.mark.parametrize("how", SUDDEN)
@pytest.mark.parametrize("command", [("count",), COUNTING_GATE])
def test_no_end_of_a_model_passes_for_success(tmp_path, how, command):
    net = tmp_path / "net.py"
    lines = dict.fromkeys(("at_import", "at_build", "at_call"), "pass") | {"at_call": SUDDEN[how]}
    net.write_text("import asyncio, ctypes, sys, threading\n" + ENDS.format(**lines))
    shown = program(*command, f"{net}:Net", "--input", "3x8x8", folder=tmp_path)
    if how == "C":
        assert (shown.returncode, shown.stdout) == (3, "")
        assert "net.py:Net: the process ended early with exit code 0, before its work was done." in shown.stderr
    elif how == "thread":  # the thread alone ends
        assert (shown.returncode, "net.py:Net" in shown.stdout) == (0, True)
    else:
        assert shown.returncode == 2, shown


ENDS_IN_C = "import ctypes\ndef build(): ctypes.CDLL(None)._exit(0)\n"


@pytest.mark.parametrize(
    "words",
    [
        ("check", "net.py:build", "--params", "1"),
        ("predict", "net.py:build", "--on", "h200"),
        ("run", "net.py:build", "-d", "cpu", "--in-process"),
    ],
    ids=lambda words: words[0],
)
def test_no_command_that_runs_a_model_in_its_process_passes_for_success_if_c_code_ends_it(tmp_path, words):
    (tmp_path / "net.py").write_text(ENDS_IN_C)
    shown = program(*words, folder=tmp_path)
    assert (shown.returncode, shown.stdout) == (3, "")
    assert "exit code 0, before its work was done" in shown.stderr


def test_a_crash_of_c_code_is_told_in_a_line(tmp_path):
    (tmp_path / "net.py").write_text("import ctypes\ndef build(): ctypes.string_at(0)\n")
    shown = program("count", "net.py:build", "--input", "3x8x8", folder=tmp_path)
    assert (shown.returncode, shown.stdout) == (3, "")
    assert "net.py:build: the process ended by signal 11 (SIGSEGV), before its work was done." in shown.stderr


@pytest.mark.parametrize("end", ["os._exit", "ctypes.CDLL(None)._exit"])
def test_a_handler_at_exit_does_not_turn_a_failure_into_success(tmp_path, end):
    net = tmp_path / "net.py"
    net.write_text(f"import atexit, ctypes, os\natexit.register({end}, 0)\ndef build(): raise RuntimeError('no')\n")
    assert program("count", f"{net}:build", "--input", "3x8x8", folder=tmp_path).returncode == 2


def test_a_killed_worker_is_no_success(tmp_path):
    net = tmp_path / "net.py"
    lines = dict.fromkeys(("at_import", "at_build"), "pass") | {"at_call": "os.kill(os.getpid(), 9)"}
    net.write_text(ENDS.format(**lines))
    shown = program("run", f"{net}:Net", "--input", "3x8x8", "-d", "cpu", "--quick", folder=tmp_path)
    assert shown.returncode == 3
    assert "was killed (signal 9)" in shown.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", [("count", "resnet18"), ("list",), ("config",)])
def test_a_full_disk_is_no_success(tmp_path, words):
    with open("/dev/full", "w") as full:
        shown = program(*words, folder=tmp_path, stdout=full)
    assert shown.returncode != 0
    assert "No space left" in shown.stderr


NOTHING = {
    "compare": ("compare", "{empty}"),
    "history": ("history", "{empty}"),
    "report": ("report", "{empty}", "-o", "{folder}/out"),
    "gate": ("gate", "--baseline", "{baseline}", "--current", "{empty}"),
    "gate of nothing": ("gate", "--exact", "--baseline", "{baseline}"),
    "merge": ("merge", "{empty}", "-o", "{folder}/m.jsonl"),
    "rerun": ("rerun", "{empty}"),
    "count": ("count",),
    "family": ("count", "--family", "none"),
    "run": ("run",),
    "claims": ("claims", "no-such-claim"),
}


@pytest.mark.parametrize("what", NOTHING)
def test_nothing_to_do_is_no_success(bench, tmp_path, what):
    empty, baseline = tmp_path / "empty.jsonl", tmp_path / "b.json"
    empty.write_text("")
    baseline.write_text('{"schema_version": "1", "records": []}')
    shown = bench(*(word.format(empty=empty, baseline=baseline, folder=tmp_path) for word in NOTHING[what]))
    assert shown.code not in (0, 1), shown


def program(*words, folder, stdout=subprocess.PIPE):
    """Run the program in a process of its own, which the code of a model could end."""
    command = (sys.executable, "-m", "backbone_bench", *words)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        command, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


def test_a_file_that_parses_its_command_line_gets_one_without_arguments(bench, tmp_path):
    net = tmp_path / "net.py"
    net.write_text(
        "import argparse, sys\nfrom torch import nn\nargv = sys.argv\nparser = argparse.ArgumentParser()\n"
        "width = parser.add_argument('--width', type=int, default=4)\noptions = parser.parse_args()\n"
        "def build():\n    assert sys.argv == argv == [__file__]\n    return nn.Conv2d(3, options.width, 1)\n"
    )
    shown = bench("count", f"{net}:build", "--input", "3x8x8", "-f", "json")
    assert shown.code == 0, shown.err
    (record,) = json.loads(shown.out)["records"]
    assert record["cost"]["params"] == 3 * 4 + 4
    assert record["tool"]["argv"][1:3] == ["count", f"{net}:build"]


@pytest.mark.parametrize("line", ["from .blocks import Net", "from . import blocks", "from ..blocks import Net"])
def test_a_relative_import_gets_a_hint(bench, tmp_path, line):
    net = tmp_path / "net.py"
    net.write_text(line)
    shown = bench("count", f"{net}:Net", "--input", "3x8x8")
    assert shown.code == 2
    assert "package.module:factory" in shown.err
