"""Signals in every phase of a command: finished work is kept, one line reports it, no temporary file is left."""

import os
import signal

import pytest

from backbone_bench import __main__, cli, profiler
from backbone_bench.gate import comparisons
from backbone_bench.records import store
from backbone_bench.run import live, runner
from backbone_bench.run.messages import Failed
from backbone_bench.versus import rotations
from tests.cli.conftest import Output
from tests.gate.conftest import git, repository
from tests.report.samples import RESNET50, VOVNET39, record
from tests.run.scripted import rounds_of

__all__ = ["repository"]

BOTH = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a file of records, and an empty folder for temporary files."""
    for name in (".git", "temporary"):
        (tmp_path / name).mkdir()
    store.write(tmp_path / "old.json", store.dumps([RESNET50, VOVNET39]))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rows(monkeypatch):
    """Rows without a process; the row of `resnet34` sends the signal that the test puts into the list."""
    to_send: list[int] = []

    def run(job, on_progress, *how):
        if job.model == "resnet34":
            os.kill(os.getpid(), to_send[0])
        return runner.JobResult(job, record(job.model, 4_000_000, 0.001))

    monkeypatch.setattr(live, "take_round", rounds_of(run))
    monkeypatch.setattr(runner, "run_isolated", run)
    monkeypatch.setattr(runner, "resolve", lambda jobs, worker=None: [Failed("not here", 2)] * len(jobs))
    return to_send


@pytest.fixture
def signal_at(monkeypatch):
    """`signal_at(module, name, number)`: the first call of that function sends the signal to this process."""

    def place(module, name, number):
        known, left = getattr(module, name), [number]

        def interrupted(*arguments, **named):
            if left:
                os.kill(os.getpid(), left.pop())
            return known(*arguments, **named)

        monkeypatch.setattr(module, name, interrupted)

    return place


def kept(folder):
    """The models of the records that the sweep appended to its file."""
    return [made.workload.model for made in store.read([folder / "out.jsonl"], pytest.fail)]


def left_behind(folder):
    return [str(path) for path in (*folder.rglob(".bench-*"), *(folder / "temporary").iterdir())]


@BOTH
def test_a_signal_within_a_row_keeps_the_rows_before_it_in_every_output(bench, folder, rows, number, code):
    rows.append(number)
    output = bench("run", "resnet18", "resnet34", "resnet50", "-d", "cpu", "-q", "-o", "out.jsonl", "-o", "out.md")
    name = signal.Signals(number).name
    assert (output.code, output.err) == (code, f"bench: stopped by {name}: 1 of 3 rows are finished.\n")
    assert kept(folder) == ["resnet18"]
    assert output.out == (folder / "out.md").read_text()
    assert "resnet18" in output.out


@BOTH
@pytest.mark.usefixtures("rows")
def test_a_signal_while_a_row_is_written_waits_for_its_end(bench, folder, signal_at, number, code):
    store.append(folder / "out.jsonl", RESNET50)
    signal_at(store, "_write_all", number)
    output = bench("run", "resnet18", "resnet50", "-d", "cpu", "-q", "-o", "out.jsonl")
    assert (output.code, output.err.count("\n")) == (code, 1)
    assert kept(folder) == ["resnet50", "resnet18"]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("run resnet18 -d cpu -q -o a.md -o b.csv", ["a.md", "b.csv"]),
        ("versus resnet18 resnet50 -d cpu -q -o a.md -o b.json", ["a.md", "b.json"]),
        ("claims vgg-E-params -o a.md -o b.csv", ["a.md", "b.csv"]),
        ("compare old.json -o a.md -o b.html", ["a.md", "b.html"]),
        ("merge old.json -o a.jsonl -o b.json", ["a.jsonl", "b.json"]),
        ("history old.json -o a.md -o b.csv", ["a.md", "b.csv"]),
        ("report old.json -o page --copy-records", ["page/index.html", "page/records.jsonl", "page/tables.csv"]),
        (
            "gate --baseline old.json --current old.json --update-baseline --reason because -o a.md -o b.xml",
            ["a.md", "b.xml"],
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_a_signal_while_results_are_written_waits_until_all_are(bench, folder, signal_at, words, written):
    signal_at(os, "replace", signal.SIGTERM)
    output = bench(*words.split())
    assert (output.code, output.err) == (143, "bench: stopped by SIGTERM.\n")
    assert all((folder / name).stat().st_size for name in written)
    assert left_behind(folder) == []


def test_a_signal_amid_counting_prints_what_is_counted(bench, folder, monkeypatch):
    counted = iter([RESNET50])

    def count(job):
        for made in counted:
            return made
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(profiler, "count", count)
    output = bench("count", "resnet50", "resnet18", "-f", "json")
    assert (output.code, output.err) == (130, "bench: stopped by SIGINT: 1 of 2 rows were counted.\n")
    assert "resnet50" in output.out


def test_a_signal_amid_measured_claims_judges_those_that_are_measured_and_counts_no_others(
    bench, folder, rows, monkeypatch
):
    monkeypatch.setattr(rotations, "MOST_LIVE", 2)
    rows.append(signal.SIGTERM)
    names = ("densenet201-slower-than-161", "article-resnet34-is-18pct-of-vgg19", "resnet50-flops")
    output = bench("claims", *names, "--measure", "--device", "cpu", "--rounds", "4", "--no-energy", "-q", "-f", "csv")
    assert output.code == 143
    assert "bench: stopped by SIGTERM: 1 of 2 comparisons are finished.\n" in output.err
    assert [line.split(",")[0] for line in output.out.splitlines()[1:]] == ["densenet201-slower-than-161"]


def test_a_signal_that_a_library_makes_an_error_of_is_still_one_line(bench, folder, monkeypatch):
    def imported(paths, warn):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException as error:
            raise ImportError("a half is missing") from error

    monkeypatch.setattr(store, "read", imported)
    assert bench("compare", "old.json") == Output(143, "", "bench: stopped by SIGTERM.\n")


def test_a_signal_leaves_no_checkout_of_another_revision_behind(bench, folder, repository, signal_at, monkeypatch):
    monkeypatch.chdir(repository)
    signal_at(comparisons, "revisions", signal.SIGINT)
    output = bench("gate", "--base-ref", "HEAD", "-q", "--", "net.py:small", "-d", "cpu")
    assert (output.code, output.out, output.err) == (130, "", "bench: stopped by SIGINT: nothing was compared.\n")
    assert git(repository, "worktree", "list").count("\n") == 1
    assert left_behind(folder) == []


def test_a_signal_while_the_command_line_is_loaded_is_one_line_too(monkeypatch, capfd):
    """A SIGINT after the end gives no traceback either: the default handler of the system is back by then."""
    monkeypatch.setattr(cli, "main", lambda: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 143
    assert capfd.readouterr() == ("", "bench: stopped by SIGTERM.\n")


def test_a_second_signal_waits_for_nothing(bench, folder, signal_at, monkeypatch):
    """For example while a slow reader blocks the pipe."""
    monkeypatch.setattr("backbone_bench.base.signals.PATIENCE_S", 0.0)
    signal_at(os, "fsync", signal.SIGINT)
    signal_at(os, "replace", signal.SIGINT)
    output = bench("compare", "old.json", "-o", "a.md")
    assert (output.code, output.out, output.err) == (130, "", "bench: stopped by SIGINT.\n")
    assert left_behind(folder) == []
