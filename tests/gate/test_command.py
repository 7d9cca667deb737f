"""The command `bench gate`: options, outputs and exit codes."""

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from inspect import signature
from pathlib import Path
from xml.etree import ElementTree

import pytest

from backbone_bench.base.program import commit
from backbone_bench.cli import gate
from backbone_bench.gate import baseline, sides
from backbone_bench.gate.measured import THRESHOLDS
from backbone_bench.gate.noisy import RoundPlan
from backbone_bench.records import store
from backbone_bench.run.runner import JobResult
from backbone_bench.versus.rounds import FreshRounds
from tests.gate.conftest import git, widen
from tests.gate.samples import COST, WIDER, counted, processes, timed

QUIET = (-0.002, 0.001, 0.0, 0.002, -0.001)


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(store.dumps([*processes(0.04, QUIET), counted("other")]))
    return path


@pytest.fixture
def new(tmp_path):
    path = tmp_path / "new.jsonl"
    path.write_text(store.dump_lines([*processes(0.044, QUIET), counted("other", WIDER)]))
    return path


def test_two_equal_files_pass(bench, old):
    output = bench("gate", "--baseline", old, "--current", old)
    assert output.code == 0
    assert output.out.startswith("## bench gate passed:")
    assert output.err == ""


def test_every_output_is_written_before_the_program_fails(bench, old, new, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    files = [tmp_path / f"report.{suffix}" for suffix in ("md", "json", "csv", "txt", "xml")]
    words = [word for file in files for word in ("-o", file)]
    output = bench(
        "gate", "--baseline", old, "--current", new, *words,
        "--export", f"bencher={tmp_path / 'bencher.json'}",
        "--export", f"github-action-benchmark={tmp_path / 'github.json'}",
    )  # fmt: skip
    assert output.code == 1
    assert output.out == files[0].read_text() == (tmp_path / "summary.md").read_text()
    assert json.loads(files[1].read_text())["exit_code"] == 1
    assert int(ElementTree.parse(files[4]).getroot().attrib["failures"]) > 0
    assert output.err.count("::error") == 2
    assert json.loads((tmp_path / "bencher.json").read_text())
    assert json.loads((tmp_path / "github.json").read_text())


def test_a_reader_who_leaves_does_not_change_the_exit_code(old, new):
    words = [sys.executable, "-m", "backbone_bench", "gate", "--baseline", str(old), "--current", str(new)]
    command = f"{shlex.join(words)} | true; exit ${{PIPESTATUS[0]}}"
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 1


def test_a_summary_that_cannot_be_written_is_told_before_anything_is_compared(bench, old, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "summary.md"))
    output = bench("gate", "--baseline", old, "--current", old)
    assert (output.code, output.out) == (2, "")
    assert "there is no folder" in output.err


def test_a_change_is_accepted_with_its_reason_and_then_passes(bench, old, new):
    accepted = bench(
        "gate", "--baseline", old, "--current", new, "--update-baseline", "--reason", "wider stem, issue 12"
    )
    assert accepted.code == 0
    assert "Accepted: wider stem, issue 12" in accepted.out
    (entry,) = baseline.read(old).notes.log
    assert entry.reason == "wider stem, issue 12"
    assert any(change.startswith("other 1x3x224x224 has higher counts") for change in entry.changes)
    assert bench("gate", "--baseline", old, "--current", new).code == 0


def test_a_workload_that_is_gone_can_be_taken_off_the_baseline(bench, old, tmp_path):
    fewer = tmp_path / "fewer.json"
    fewer.write_text(store.dumps(processes(0.04, QUIET)))
    assert bench("gate", "--baseline", old, "--current", fewer).code == 3
    words = ("--update-baseline", "--reason", "no longer in use")
    assert bench("gate", "--baseline", old, "--current", fewer, *words).code == 0
    assert {record.workload.model for record in baseline.read(old).records} == {"net"}


@pytest.fixture
def here(bench, tmp_path, monkeypatch):
    """A folder with two models in net.py and a baseline of both; `gate` compares the models named with it, exactly."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(TWO)

    def gate(*words, models=("wide", "deep"), **how):
        named = [word for name in models for word in ("--model", f"net.py:{name}")]
        return bench("gate", "--baseline", "counts.json", "--exact", *words, *named, "--input", "3x8x8", **how)

    assert gate("--update-baseline").code == 0
    return gate


TWO = """from torch import nn


def wide():
    return nn.Conv2d(3, 32, 3)


def deep():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
"""


@pytest.mark.slow
def test_what_the_words_no_longer_name_is_missing_unless_they_say_that_the_run_is_a_part(here):
    fewer = here(models=["wide"])
    assert fewer.code == 3
    assert "net.py:deep 1x3x8x8 is in the baseline, but was not compared now." in fewer.out
    for words, models in (("--part",), ["wide"]), (("--shard", "1/2"), ["wide", "deep"]):
        part = here(*words, models=models)
        assert part.code == 0
        assert "1 of the baseline's workloads were left out: net.py:deep 1x3x8x8." in part.out


@pytest.mark.slow
def test_the_old_name_of_a_renamed_model_is_missing_and_dropped_with_a_reason(here):
    Path("net.py").write_text(TWO.replace("deep", "deeper"))
    renamed = here(models=["wide", "deeper"])
    assert renamed.code == 3
    assert "Perhaps it has a new name: net.py:deeper 1x3x8x8 has the same counts" in renamed.out
    assert here("--update-baseline", "--reason", "renamed", models=["wide", "deeper"]).code == 0
    stored = baseline.read(Path("counts.json"))
    assert [record.workload.model for record in stored.records] == ["net.py:wide", "net.py:deeper"]
    assert any("net.py:deep 1x3x8x8 is in the baseline" in change for change in stored.notes.log[-1].changes)


@pytest.mark.slow
def test_an_update_by_a_part_keeps_the_other_entries(here):
    assert here("--part", "--update-baseline", "--reason", "again", models=["wide"]).code == 0
    assert {record.workload.model for record in baseline.read(Path("counts.json")).records} == {
        "net.py:wide", "net.py:deep",
    }  # fmt: skip


@pytest.mark.slow
def test_what_could_not_be_run_is_invalid_not_missing_and_no_baseline_is_written(here):
    before = Path("counts.json").read_bytes()
    Path("net.py").write_text(TWO.replace("def deep():", "def deep():\n    raise ValueError('no')"))
    output = here("--update-baseline", "--reason", "because", "-f", "json")
    assert output.code == 2
    assert {one["verdict"] for one in json.loads(output.out)["findings"]} == {"pass", "invalid"}
    assert "counts.json is not written, because net.py:deep" in output.err
    assert Path("counts.json").read_bytes() == before


@pytest.mark.slow
def test_a_first_run_without_a_baseline_says_what_to_do_and_writes_its_reports(here):
    Path("counts.json").unlink()
    output = here("-o", "report.json", "-o", "report.xml")
    assert output.code == json.loads(Path("report.json").read_text())["exit_code"] == 4
    assert "There is no file counts.json" in output.out
    assert "gate --update-baseline" in output.out
    assert ElementTree.parse("report.xml").getroot().attrib["errors"] == "2"
    assert not Path("counts.json").exists()


def test_fail_on_adds_verdicts(bench, old, tmp_path):
    more = tmp_path / "more.json"
    more.write_text(store.dumps([*processes(0.04, QUIET), counted("other"), counted("fresh")]))
    assert bench("gate", "--baseline", old, "--current", more).code == 0
    assert bench("gate", "--baseline", old, "--current", more, "--fail-on", "new").code == 1


def test_thresholds_are_the_users(bench, old, new):
    output = bench("gate", "--baseline", old, "--current", new, "--latency-threshold", "12", "-f", "json")
    wall = next(found for found in json.loads(output.out)["findings"] if found["metric"] == "wall_s")
    assert (wall["verdict"], wall["threshold"]) == ("pass", 0.12)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "--baseline FILE or --base-ref REVISION"),
        (["--baseline", "a.json", "--base-ref", "main"], 2, "either"),
        (["--base-ref", "main", "--part", "--model", "resnet18"], 2, "part of a baseline"),
        (["--baseline", "OLD", "--current", "OLD", "--shard", "1/2"], 2, "use --part"),
        (["--baseline", "OLD", "--exact", "--shard", "3/2", "--model", "resnet18"], 2, "--shard 3/2"),
        (["--baseline", "a.json", "--current", "b.json", "--model", "resnet18"], 2, "nothing is run"),
        (["--current", "b.json"], 2, "--baseline FILE"),
        (["--base-ref", "main", "--update-baseline"], 2, "--update-baseline needs"),
        (["--baseline", "OLD", "--update-baseline", "--model", "resnet18"], 2, "say why with --reason"),
        (["--baseline", "OLD", "--current", "OLD", "--reason", "because"], 2, "--reason goes with"),
        (["--baseline", "a.jsonl", "--update-baseline", "--model", "resnet18"], 2, ".json file"),
        (["--baseline", "OLD", "--calibrate", "--update-baseline", "--model", "resnet18"], 2, "--calibrate"),
        (["--baseline", "OLD", "--calibrate", "--exact", "--model", "resnet18"], 2, "counts have none"),
        (["--baseline", "OLD", "--base-python", "python3", "--model", "resnet18"], 2, "--base-python"),
        (["--base-ref", "HEAD", "--base-python", "no/python", "--exact", "--model", "resnet18"], 2, "no such program"),
        (["--baseline", "OLD", "--current", "OLD", "--fail-on", "regresed"], 2, "Did you mean 'regressed'"),
        (["--baseline", "OLD", "--current", "OLD", "--export", "bencher"], 2, "TRACKER=FILE"),
        (["--baseline", "OLD", "--current", "OLD", "-o", "report.xlsx"], 2, "suffix"),
        (["--baseline", "OLD", "--model", "resnet18", "--batch-size", "auto"], 2, "--batch-size auto"),
        (["--baseline", "OLD", "--model", "resnet19"], 2, "Did you mean 'resnet18'"),
        (["--baseline", "OLD", "--", "run", "--model", "resnet18", "--resume"], 2, "--resume"),
        (["--baseline", "OLD", "--modle", "resnet18"], 2, "--modle"),
        (["--baseline", "OLD", "--exact"], 2, "Name a model"),
    ],
)
def test_words_that_say_too_little_or_too_much_are_told_in_one_line(bench, old, words, code, message):
    output = bench("gate", *(old if word == "OLD" else word for word in words))
    assert output.code == code
    assert message in output.err
    assert (output.out, output.err.count("\n")) == ("", 1)


def test_a_baseline_that_cannot_be_understood_is_left_as_it_is(bench, old, new):
    old.write_text(old.read_text()[:-200])
    before = old.read_bytes()
    output = bench("gate", "--baseline", old, "--current", new, "--update-baseline", "--reason", "because")
    assert output.code == 2
    assert "left as it is" in output.err
    assert old.read_bytes() == before


def test_a_history_is_shown_and_what_is_no_quantity_refused(bench, old):
    assert "net 1x3x224x224, 1 thread" in bench("history", old, "--model", "net").out
    assert bench("history", old, "--metric", "flags").code == 2
    assert "No record of nothing" in bench("history", old, "--model", "nothing").err


@pytest.fixture
def scripted(repository, monkeypatch):
    """Sides without processes, in a repository: the counts of base and head to set, and a log of how the base ran."""
    monkeypatch.chdir(repository)
    costs, bases = [COST, COST], []

    def side(place):
        return lambda job, on_progress: JobResult(job, counted("net", costs[place]))

    def with_revision(at, python, timeout_s, say):
        bases.append((at.commit, python))
        return FreshRounds((side(0), side(1)))

    monkeypatch.setattr(sides, "with_revision", with_revision)
    return costs, bases


def test_a_revision_that_costs_the_same_passes_and_a_change_since_it_is_accepted_with_a_reason(bench, scripted):
    costs, _ = scripted
    words = ("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    assert bench(*words).code == 0
    costs[1] = WIDER
    assert bench(*words).code == 1
    output = bench(*words, "--reason", "wider on purpose")
    assert (output.code, "Accepted: Wider on purpose." in output.out) == (0, True)
    (file,) = Path("bench-accepted").iterdir()
    assert f"The changes are accepted in bench-accepted/{file.name}" in output.err
    assert json.loads(file.read_text())["reason"] == "wider on purpose"
    again = bench(*words)
    assert (again.code, "bench gate passed: 5 accepted" in again.out) == (0, True)


def test_other_numbers_than_the_accepted_ones_are_red_again(bench, scripted):
    costs, _ = scripted
    words = ("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    costs[1] = WIDER
    assert bench(*words, "--reason", "wider on purpose").code == 0
    costs[1] = replace(WIDER, params=WIDER.params + 1)
    output = bench(*words)
    assert output.code == 1
    assert "parameters +20.1 %" in output.out
    assert "4 accepted" in output.out  # the counts that are as they were accepted


def test_what_was_accepted_and_merged_accepts_nothing_more(bench, scripted, repository):
    costs, _ = scripted
    words = ("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    costs[1] = WIDER
    assert bench(*words, "--reason", "wider on purpose").code == 0
    git(repository, "add", ".")
    git(repository, "commit", "--message=Accepted")
    assert bench(*words).code == 1


def test_an_acceptance_without_any_change_writes_nothing(bench, scripted):
    output = bench("gate", "--base-ref", "main", "--exact", "--model", "net.py:small", "--reason", "because")
    assert (output.code, Path("bench-accepted").exists()) == (0, False)
    assert "Nothing was accepted" in output.err


def test_a_file_that_accepts_nothing_readable_is_refused_in_one_line(bench, scripted):
    Path("bench-accepted").mkdir()
    Path("bench-accepted", "x.json").write_text('{"reason": 1}')
    output = bench("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    assert (output.code, output.out, output.err.count("\n")) == (2, "", 1)


TOLERANCES = """
[gate.counts]
flops = {{ increase_percent = {flops} }}
access_elems = {{ increase_percent = 100 }}
traffic_elems = {{ increase_percent = 100 }}
params = {{ max = {params} }}
"""


@pytest.mark.parametrize(
    ("flops", "params", "verdicts"),
    [
        (80, 1200, {"pass"}),
        (78, 1200, {"pass", "changed"}),  # FLOPs rise by 78.4 %
        (80, 1199, {"pass", "exceeded"}),
    ],
)
def test_tolerances_of_counts_stand_in_bench_toml(bench, scripted, flops, params, verdicts):
    costs, _ = scripted
    costs[1] = WIDER
    Path("bench.toml").write_text(TOLERANCES.format(flops=flops, params=params))
    output = bench("gate", "--base-ref", "main", "--exact", "-f", "json", "--model", "net.py:small")
    assert output.code == (verdicts != {"pass"})
    assert {one["verdict"] for one in json.loads(output.out)["findings"]} == verdicts


def test_a_cheaper_model_is_red_and_said_to_be_cheaper_unless_tolerances_allow_it(bench, scripted):
    costs, _ = scripted
    costs[0] = WIDER
    words = ("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    red = bench(*words)
    assert red.code == 1
    assert "It is cheaper, but so is a network that lost a layer by accident" in red.out
    Path("bench.toml").write_text(TOLERANCES.format(flops=0, params=5000))
    allowed = bench(*words)
    assert allowed.code == 0
    assert "bench gate passed: 4 improved, 1 pass" in allowed.out
    assert "net 1x3x224x224 has lower counts: parameters −16.7 %" in allowed.out


def test_a_tolerance_of_one_model_replaces_that_of_all_and_a_model_that_was_not_compared_is_named(bench, scripted):
    costs, _ = scripted
    costs[1] = WIDER
    own = "[gate.models.net]\nflops = { increase_percent = 80 }\n[gate.models.nett]\nops = {}\n"
    Path("bench.toml").write_text(TOLERANCES.format(flops=0, params=5000) + own)
    output = bench("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    assert output.code == 0
    assert "There are tolerances for nett, which was not compared." in output.out


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[gate.counts]\nflop = {}\n", "Did you mean 'flops'"),
        ("[gate.counts]\nflops = { increase_percent = -1 }\n", "gate.counts.flops.increase_percent"),
        ("[gate.counts]\nflops = 5\n", "gate.counts.flops"),
        ("gate = 5\n", "gate"),
        ("[gate.count]\n", "gate.count"),
    ],
)
def test_a_wrong_tolerance_is_told_in_one_line_and_disturbs_no_other_command(bench, scripted, table, message):
    Path("bench.toml").write_text(table)
    output = bench("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    assert (output.code, output.out, output.err.count("\n")) == (2, "", 1)
    assert message in output.err
    assert bench("config").code == 0


def test_a_file_compared_with_itself_says_little(bench, tmp_path):
    file = tmp_path / "many.json"
    file.write_text(store.dumps([timed(0.04, f"net{n}") for n in range(24)]))
    output = bench("gate", "--baseline", file, "--current", file)
    assert output.code == 0
    assert len(output.out.splitlines()) < 10
    assert "48 measured quantities of 24 workloads are not judged." in output.out


def test_a_base_that_needs_other_packages_asks_for_an_interpreter_and_runs_under_it(bench, scripted, repository):
    (repository / "requirements.txt").write_text("torch==2.12\n")
    git(repository, "add", "requirements.txt")
    git(repository, "commit", "--message=Other packages")
    (repository / "requirements.txt").write_text("torch==2.13\n")
    words = ("gate", "--base-ref", "main", "--exact", "--model", "net.py:small")
    output = bench(*words)
    assert (output.code, output.out) == (2, "")
    assert "asks for other packages (requirements.txt)" in output.err
    assert "--base-python" in output.err
    assert bench(*words, "--base-python", sys.executable).code == 0
    assert scripted[1] == [(git(repository, "rev-parse", "main").strip(), Path(sys.executable))]


@pytest.mark.slow
def test_a_widened_convolution_is_changed_since_the_revision_and_its_module_named(bench, repository, monkeypatch):
    monkeypatch.chdir(repository)
    words = ("gate", "--base-ref", "main", "--exact", "-f", "json", "--", "run", "--model", "net.py:small")
    inputs = ("--input", "3x32x32")
    widen(repository)
    output = bench(*words, *inputs)
    assert output.code == 1
    found = json.loads(output.out)["findings"]
    assert {one["metric"] for one in found} == {"params", "flops", "access_elems", "traffic_elems", "shapes_sha256"}
    assert {row["module"] for row in found[0]["moved"]} == {"0", "1", "2"}


@pytest.mark.slow
def test_a_baseline_of_counts_is_made_compared_and_kept_without_processes(bench, tmp_path):
    file = tmp_path / "counts.json"
    words = ("gate", "--baseline", file, "--exact", "--model", "resnet18", "-m", "vovnet27_slim")
    assert bench(*words, "--update-baseline").code == 0
    assert bench(*words).code == 0
    assert len(baseline.read(file).records) == 2


def test_a_revision_that_cannot_be_laid_out_is_told_in_one_line(bench, repository, monkeypatch):
    monkeypatch.chdir(repository)
    words = ("gate", "--base-ref", "HEAD", "-q", "--", "net.py:small")

    def nowhere(prefix):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("tempfile.TemporaryDirectory", nowhere)
    assert (
        bench(*words).err
        == "bench: A checkout of another revision needs a temporary folder: No such file or directory.\n"
    )
    monkeypatch.setenv("PATH", "")
    output = bench(*words)
    assert (output.code, output.err.count("\n")) == (2, 1)
    assert "git is needed for this, and cannot be run" in output.err


def test_where_git_cannot_be_run_a_record_names_no_commit(bench, monkeypatch):
    monkeypatch.setenv("PATH", "")
    commit.cache_clear()
    output = bench("count", "resnet18", "-f", "json")
    commit.cache_clear()
    assert output.code == 0
    assert json.loads(output.out)["records"][0]["tool"]["git"] is None


def test_the_page_and_the_options_allow_what_the_rules_allow():
    latency, energy, memory = (THRESHOLDS[kind] for kind in ("latency", "energy", "memory"))
    assert energy == memory
    page = " ".join((Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8").split())
    assert f"{100 * latency:.0f} % for latency, {100 * energy:.0f} % for energy and memory" in page
    options = signature(gate.gate).parameters
    assert options["latency_threshold"].default == 100 * latency
    assert options["energy_threshold"].default == 100 * energy
    assert options["rounds"].default == RoundPlan().rounds
