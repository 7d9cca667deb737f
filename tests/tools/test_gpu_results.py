"""Measurement of a GPU's page: its rows can be run, it measures nothing twice, and it keeps what was finished."""

import inspect
import signal
import subprocess
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from backbone_bench.cli.app import app
from backbone_bench.records import Latencies, store
from backbone_bench.zoo import catalogue
from tests.report.samples import record
from tools import gpu_results
from tools.gpu_results import ROWS, Rows

TINY = "backbone_bench.zoo.micro:plain"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_results, "FOLDER", tmp_path / "gpu")
    return tmp_path / "gpu"


@pytest.mark.parametrize("model", sorted({model for rows in ROWS for model in rows.models}))
def test_every_model_is_there(model):
    module, _, builder = model.partition(":")
    assert callable(getattr(import_module(module), builder)) if builder else model in catalogue.entries()


@pytest.mark.parametrize("rows", ROWS, ids=lambda rows: f"{rows.name}-{rows.words}")
def test_every_command_line_is_one_of_bench_run(rows, folder, capsys):
    folder.mkdir()
    app([*gpu_results.bench_words(rows, "cuda"), "--dry-run", "--quiet"], standalone_mode=False)
    assert f"Rows: {rows.size}." in capsys.readouterr().out


def test_an_argument_of_a_stack_is_one_of_its_builder():
    for rows in gpu_results.STACKS:
        words = rows.words.split()
        given = {word.partition("=")[0] for option, word in pairwise(words) if option == "--arg"}
        for model in rows.models:
            module, _, builder = model.partition(":")
            assert given <= inspect.signature(getattr(import_module(module), builder)).parameters.keys()


def test_all_but_what_is_predicted_or_compiled_takes_less_than_eight_minutes():
    """What is compiled comes last, since nobody knows how long it takes; what was predicted takes two minutes."""
    names = list(dict.fromkeys(rows.name for rows in ROWS))
    assert names[-2:] == ["predicted", "compiled"]
    taken_s = {
        name: sum(gpu_results.START_S + rows.size * rows.row_s for rows in ROWS if rows.name == name) for name in names
    }
    assert sum(taken_s[name] for name in names[:-2]) < 60 * gpu_results.MINUTES
    assert taken_s["predicted"] < 120


def test_a_dry_run_lists_every_row_and_starts_nothing(folder, capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert gpu_results.main(["--dry-run"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(rows.size for rows in ROWS)
    assert total.startswith(f"Rows: {len(lines)}. About ")
    assert not folder.exists()


def test_a_second_call_measures_nothing_again(folder, capsys, monkeypatch):
    rows = Rows("tiny", (TINY,), "--no-energy --quick --input-size 7", budget_s=0.2)
    monkeypatch.setattr(gpu_results, "ROWS", (rows,))
    assert gpu_results.main(["--device", "cpu"]) == 0
    (first,) = store.read([folder / "tiny.jsonl"], pytest.fail)
    assert isinstance(first.latency, Latencies)
    assert first.environment.host is None
    assert f"{folder / 'tiny.jsonl'}: 1 records" in capsys.readouterr().out

    monkeypatch.setattr(subprocess, "Popen", None)
    assert gpu_results.main(["--device", "cpu"]) == 0
    assert store.read([folder / "tiny.jsonl"], pytest.fail) == (first,)


class Interrupted:
    """A process during which Ctrl-C is pressed after its first record."""

    def __init__(self, words, stdout):
        self.raw = Path(words[words.index("-o") + 1])
        self.signals: list[int] = []

    def wait(self, timeout=None):
        if not self.signals:
            store.append(self.raw, record("net", 10**9, 0.01))
            raise KeyboardInterrupt
        assert self.signals == [signal.SIGINT]

    def send_signal(self, number):
        self.signals.append(number)


def test_an_interrupt_keeps_what_was_finished(folder, capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    assert gpu_results.main(["--only", "settings"]) == 1
    (kept,) = store.read([folder / "settings.jsonl"], pytest.fail)
    assert kept.workload.model == "net"
    assert "call it again" in capsys.readouterr().err


def test_no_process_starts_when_the_time_is_up(folder, capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert gpu_results.main(["--minutes", "0"]) == 1
    assert "0 minutes are over" in capsys.readouterr().err


def test_a_call_that_fails_is_named_and_the_next_one_runs(folder, capsys, monkeypatch):
    codes = iter([3, 0, 0, 0])
    monkeypatch.setattr(gpu_results, "bench", lambda words, left_s: next(codes))
    assert gpu_results.main(["--only", "settings", "--budget", "0.5"]) == 1
    assert next(codes, None) is None
    error = capsys.readouterr().err
    assert error.startswith("Exit code 3, see above: bench run --in-process --device cuda")
    assert "--budget 0.5" in error


def test_without_the_device_one_call_is_enough(folder, capsys, monkeypatch):
    codes = iter([2, 0])
    monkeypatch.setattr(gpu_results, "bench", lambda words, left_s: next(codes))
    assert gpu_results.main(["--device", "cuda"]) == 1
    assert next(codes) == 0
    assert capsys.readouterr().err.count("Exit code") == 1
