"""Commands over several rows: listing, errors, merging, comparing. Nothing here measures: rows are scripted."""

import csv
import json
import sys
from dataclasses import replace

import pytest

from backbone_bench.records import PENDING, LayerTimes, OpTime, store
from backbone_bench.run import live, runner
from backbone_bench.run.messages import Failed, ResolvedJob
from tests.report.samples import CPU, RESNET50, VOVNET39, record
from tests.run.scripted import rounds_of


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working folder without settings files in it or above it."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(output):
    return [row["row"] for row in json.loads(output.out)]


def test_a_dry_run_lists_every_combination_with_its_time_and_runs_nothing(bench, elsewhere):
    words = ("run", "resnet18", "vgg19", "-d", "cpu", "-b", "1,8", "--precision", "fp32,bf16", "--dry-run")
    output = bench(*words, "-f", "json")
    assert output.code == 0
    assert output.err == ""
    listed = json.loads(output.out)
    assert len(listed) == 8
    assert listed[1]["row"] == "resnet18 (fp32, cpu, batch 8)"
    assert all(0 < row["least_s"] < row["most_s"] for row in listed)
    assert "Rows: 8." in bench(*words).out


def test_the_shards_of_a_sweep_list_every_row_once(bench, elsewhere):
    words = ("run", "--family", "vgg", "-d", "cpu", "-b", "1,2", "--dry-run", "-f", "json")
    whole = rows(bench(*words))
    parts = [rows(bench(*words, "--shard", f"{number}/4")) for number in range(1, 5)]
    assert sorted(row for part in parts for row in part) == sorted(whole)
    assert all(parts)


def test_settings_of_a_file_make_rows_and_the_command_line_is_heard_first(bench, elsewhere):
    (elsewhere / "bench.toml").write_text('model = ["resnet18"]\nbatch-size = [1, 4]\ndevice = "cpu"\nthreads = 1')
    assert rows(bench("run", "--dry-run", "-f", "json")) == [
        "resnet18 (fp32, cpu, 1 thread)",
        "resnet18 (fp32, cpu, batch 4, 1 thread)",
    ]
    output = bench("run", "vgg19", "-b", "2", "--dry-run", "-f", "json")
    assert rows(output) == ["vgg19 (fp32, cpu, batch 2, 1 thread)"]


def test_config_says_where_each_setting_comes_from(bench, elsewhere, monkeypatch):
    (elsewhere / "pyproject.toml").write_text("[tool.backbone-bench]\nseed = 3\nthreads = 2")
    monkeypatch.setenv("BACKBONE_BENCH_THREADS", "1")
    lines = {line["setting"]: line for line in json.loads(bench("config", "-f", "json").out)}
    assert (lines["seed"]["value"], lines["seed"]["origin"]) == (
        3,
        f"{elsewhere}/pyproject.toml, [tool.backbone-bench]",
    )
    assert (lines["threads"]["value"], lines["threads"]["origin"]) == ([1], "environment")
    assert (lines["quick"]["value"], lines["quick"]["origin"]) == (False, "default")
    assert "| threads | 1 | environment |" in bench("config").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "resnet18", "-b", "many"], "command line: batch-size is 'many'"),
        (["run", "resnet18", "--precision", "fp32,fp8"], "precision is 'fp8'"),
        (["run", "resnet18", "--no-energy", "--require-energy"], "contradict"),
        (["run", "resnet18", "--channels-last", "--memory-format", "contiguous"], "give one"),
        (["run", "resnet18", "--shard", "5/4"], "--shard 5/4"),
        (["run", "resnet18", "--resume"], "name it with -o FILE.jsonl"),
        (["run", "resnet18", "--resume", "-o", "out.json"], "name it with -o FILE.jsonl"),
        (["run", "resnet18", "--in-process", "--timeout", "5"], "--timeout needs"),
        (["run"], "Name a model"),
        (["run", "resnet18", "--trace", "t.json"], "give --layers too"),
        (["run", "resnet18", "-b", "1,2", "--layers", "--trace", "t.json"], "of one row, and these are 2"),
        (["run", "resnet18", "--layers", "--trace", "no/such/t.json"], "no/such"),
        (["versus", "resnet18", "resnet35"], "or 'resnet34'"),
        (["versus", "resnet18", "--a", "precison=fp16"], "--a: there is no setting 'precison'"),
        (["versus", "resnet18", "--a", "precision"], "write it as key=value"),
        (["versus", "resnet18", "--b", "model=vgg19"], "of one model"),
        (["versus", "resnet18", "-b", "1,2"], "several rows"),
        (["versus", "resnet18", "--a", "device=cpu", "--b", "device=cuda"], "one device"),
        (["versus", "resnet18", "-o", "out.html"], "the suffix decides the format"),
        (["versus", "resnet18", "--rounds", "3"], "--rounds"),
        (["merge", "none.jsonl"], "Cannot read none.jsonl"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_swept_is_told_in_one_line_before_anything_runs(bench, elsewhere, words, message):
    output = bench(*words)
    assert (output.code, output.out) == (2, "")
    assert message in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("key", ["batch_size", "devise"])
def test_an_unknown_key_of_a_file_is_exit_2_with_the_closest(bench, elsewhere, key):
    (elsewhere / "bench.toml").write_text(f"{key} = 1")
    for command in (("config",), ("run", "resnet18"), ("versus", "resnet18")):
        output = bench(*command)
        assert output.code == 2
        assert output.err == (
            f"bench: {elsewhere}/bench.toml: there is no setting '{key}'. "
            f"Did you mean '{'batch-size' if key == 'batch_size' else 'device'}'?\n"
        )


def test_merging_keeps_every_record_once_in_the_order_of_the_files(bench, elsewhere):
    one, two, merged = (elsewhere / name for name in ("1.jsonl", "2.json", "all.jsonl"))
    store.write(one, store.dump_lines([RESNET50]))
    store.write(two, store.dumps([VOVNET39, RESNET50]))
    output = bench("merge", one, two, "-o", merged)
    assert output.code == 0
    assert store.read([merged], pytest.fail) == (RESNET50, VOVNET39)


@pytest.mark.parametrize("source", ["file", "zoo"])
def test_code_that_a_record_names_is_run_only_where_the_user_says_so(bench, elsewhere, source):
    strange = replace(RESNET50, workload=replace(RESNET50.workload, model="evil.py:main", source=source))
    store.write(elsewhere / "r.jsonl", store.dump_line(strange))
    output = bench("rerun", elsewhere / "r.jsonl")
    assert output.code == 2
    assert "--trust" in output.err


def test_a_record_is_chosen_by_how_its_id_begins(bench, elsewhere):
    store.write(elsewhere / "r.jsonl", store.dump_line(RESNET50))
    output = bench("rerun", elsewhere / "r.jsonl", "--id", "nothing")
    assert (output.code, output.out) == (2, "")
    assert "begins with 'nothing'" in output.err


@pytest.fixture
def scripted(monkeypatch):
    """Rows without a process: resnet18 takes 1 ms, other models 2 ms, and `vgg19` is killed."""

    def run(job, on_progress, *how):
        on_progress("measuring", 0.5)
        if job.model == "vgg19":
            return runner.JobResult(job, None, Failed("was killed", 3))
        took_s = 0.001 if job.model == "resnet18" else 0.002
        made = record(job.model, 4_000_000, took_s)
        if job.layers:
            row = OpTime("stem", "convolution", "3x3", 10 * took_s, 1, 0, 0.0)
            made = replace(made, layer_times=LayerTimes("operations", 3, (row,), 0.0, PENDING, 1.0))
        return runner.JobResult(job, replace(made, workload=replace(made.workload, precision=job.precision)))

    def locate(jobs, worker=None):
        return [ResolvedJob(replace(RESNET50.workload, model=job.model), CPU) for job in jobs]

    monkeypatch.setattr(live, "take_round", rounds_of(run))
    monkeypatch.setattr(runner, "run_isolated", run)
    monkeypatch.setattr(runner, "resolve", locate)


def test_versus_writes_what_it_prints_and_keeps_every_record(bench, elsewhere, scripted):
    output = bench("versus", "resnet18", "resnet34", "-d", "cpu", "-o", "found.json", "-o", "rounds.jsonl")
    assert output.code == 0
    assert output.out.startswith(
        "**resnet18 is faster than resnet34: it takes 0.500 times as long (99 % confidence interval"
    )
    assert "The counts are the same, so one would expect no difference, but the first is faster." in output.out
    found = json.loads((elsewhere / "found.json").read_text())
    assert found["verdict"] == "faster"
    assert len(found["rounds"]) == 6
    order = [made.workload.model for made in store.read([elsewhere / "rounds.jsonl"], pytest.fail)]
    assert order == ["resnet18", "resnet34"] * 6


def test_versus_shows_by_layer_where_two_differ(bench, elsewhere, scripted):
    output = bench("versus", "resnet18", "resnet34", "-d", "cpu", "-q", "--layers")
    assert output.code == 0
    assert "Where they differ: time per image by kind of operation" in output.out
    assert "resnet34 takes 1.00 ms more than resnet18 in 3x3 convolution" in output.out


def test_where_more_than_two_differ_is_not_shown(bench, elsewhere, scripted):
    output = bench("versus", "resnet18", "resnet34", "resnet50", "--layers")
    assert (output.code, output.out) == (2, "")
    assert "leave it out, or compare two" in output.err


def test_versus_takes_one_model_under_two_settings(bench, elsewhere, scripted):
    output = bench("versus", "resnet34", "--a", "precision=fp16", "-f", "csv", "-q")
    assert (output.code, output.err) == (0, "")
    assert output.out.splitlines()[0] == "quantity,a,b,ratio,ratio_low,ratio_high,missing"
    assert output.out.splitlines()[-1].startswith("wall_per_image_s,0.00")


def test_versus_of_three_models_compares_every_two_with_joint_intervals(bench, elsewhere, scripted):
    output = bench("versus", "resnet18", "resnet34", "resnet50", "-d", "cpu", "-q", "-f", "csv", "-o", "rounds.jsonl")
    rows = list(csv.DictReader(output.out.splitlines()))
    assert [(row["a"], row["b"], row["verdict"]) for row in rows] == [
        ("resnet18", "resnet34", "faster"),
        ("resnet18", "resnet50", "faster"),
        ("resnet34", "resnet50", "no difference"),
    ]
    assert (
        "all 3 ratios together with 99 % confidence"
        in bench("versus", "resnet18", "resnet34", "resnet50", "-d", "cpu", "-q").out
    )
    order = [made.workload.model for made in store.read([elsewhere / "rounds.jsonl"], pytest.fail)]
    assert order == ["resnet18", "resnet34", "resnet50"] * 6


def test_of_several_models_one_that_dies_costs_its_own_ratios(bench, elsewhere, scripted):
    output = bench("versus", "resnet18", "vgg19", "resnet34", "-d", "cpu", "-q", "-f", "json")
    assert output.code == 0
    assert "vgg19 (fp32, cpu): was killed" in output.err
    assert [(one["a"], one["b"]) for one in json.loads(output.out)["pairs"]] == [("resnet18", "resnet34")]


def test_settings_of_one_side_are_for_two_models(bench, elsewhere, scripted):
    output = bench("versus", "resnet18", "resnet34", "resnet50", "--a", "precision=fp16", "-d", "cpu", "-q")
    assert (output.code, output.out, output.err.count("\n")) == (2, "", 1)


def test_versus_of_a_model_that_dies_is_exit_3_with_the_reason(bench, elsewhere, scripted):
    output = bench("versus", "resnet18", "vgg19", "-d", "cpu", "-q")
    assert (output.code, output.out) == (3, "")
    lost = "Round 1 is lost and taken again: vgg19 (fp32, cpu): was killed."
    assert output.err == f"{lost}\nbench: vgg19 (fp32, cpu): was killed\n"


def test_a_rerun_prints_both_records_with_their_ratio_and_what_differs(bench, elsewhere, scripted):
    old = replace(record("resnet34", 4_000_000, 0.001), environment=replace(CPU, torch="2.12.0"))
    store.write(elsewhere / "old.jsonl", store.dump_lines([RESNET50, old]))
    output = bench("rerun", "old.jsonl", "--id", old.id, "-q")
    assert output.code == 0
    assert "| wall latency (ms) | 2.001 | 1.000 | 2.000 |" in output.out
    rows = csv.DictReader(bench("rerun", "old.jsonl", "--id", old.id, "-q", "-f", "csv").out.splitlines())
    assert next(row["ratio"] for row in rows if row["quantity"] == "wall_s") == "2.0"
    assert "What was measured cannot be compared: torch: 2.12.0, now 2.13.0." in output.out


def test_nobody_who_hears_of_a_failed_row_costs_no_other_row(bench, elsewhere, scripted, monkeypatch):
    def gone(text):
        raise BrokenPipeError

    monkeypatch.setattr(sys.stderr, "write", gone)
    output = bench("run", "vgg19", "resnet18", "-d", "cpu", "-o", "out.jsonl", "-f", "json")
    assert output.code == 3
    assert [made["workload"]["model"] for made in json.loads(output.out)["records"]] == ["resnet18"]


def test_a_failed_row_is_said_and_the_others_are_kept(bench, elsewhere, scripted):
    output = bench("run", "resnet18", "vgg19", "resnet34", "-d", "cpu", "-o", "out.jsonl", "-f", "json")
    assert output.code == 3
    assert "bench: vgg19 (fp32, cpu): was killed\n" in output.err
    names = [made["workload"]["model"] for made in json.loads(output.out)["records"]]
    assert names == ["resnet18", "resnet34"]
    again = bench("run", "resnet18", "resnet50", "resnet34", "-d", "cpu", "-o", "out.jsonl", "-f", "json", "--resume")
    assert again.err.splitlines()[0] == "bench: Already recorded: 2 of 3 rows."
    names = [made["workload"]["model"] for made in json.loads(again.out)["records"]]
    assert names == ["resnet18", "resnet50", "resnet34"]
    assert len((elsewhere / "out.jsonl").read_text().splitlines()) == 3


def test_a_row_that_failed_without_a_record_keeps_its_place_with_the_reason(bench, elsewhere, scripted):
    shown = bench("run", "resnet18", "vgg19", "resnet34", "-d", "cpu", "-o", "out.json", "-f", "md")
    rows = [line.split(" | ") for line in shown.out.splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows[2:]] == ["resnet18", "vgg19", "resnet34"]
    assert "failed: was killed" in shown.out
    assert "do not quote: failed" in next(line for line in shown.out.splitlines() if "vgg19" in line)
    kept = json.loads((elsewhere / "out.json").read_text())["records"]
    assert [made["workload"]["model"] for made in kept] == ["resnet18", "resnet34"]


def test_a_size_that_a_network_cannot_take_is_said_before_the_first_row(bench):
    done = bench("run", "vgg16", "cifar_resnet20", "--input-size", "64,16,8", "--device", "cpu")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert "vgg16 at 16, 8. Leave them out." in line


def test_a_size_that_only_a_batch_of_one_in_training_refuses_is_taken(bench):
    """At 32 pixels the last maps have one position: a batch norm in training needs two images."""
    words = ("run", "resnet18", "--input-size", "32", "--train", "--batch-size", "8", "--device", "cpu", "--dry-run")
    assert bench(*words).code == 0


def test_the_forecast_of_claims_holds_the_budget_but_for_two_rounds(bench):
    words = ("claims", "vovnet-2x-faster", "--measure", "--device", "cpu", "--dry-run", "-f", "json")
    free, held, short = (
        json.loads(bench(*words, *more).out)[0]["least_s"] for more in ((), ("--budget", "100"), ("--budget", "1"))
    )
    assert held == 100 < free
    assert short == pytest.approx(free / 3)  # two of the six rounds before the first analysis
    assert bench(*words, "--budget", "0").code == 2


def test_a_count_of_several_sizes_has_a_row_of_each(bench):
    shown = bench("count", "resnet18", "--input-size", "64,32,64", "-f", "json")
    assert shown.code == 0, shown.err
    inputs = [record["workload"]["inputs"] for record in json.loads(shown.out)["records"]]
    assert inputs == [["1x3x64x64:float32"], ["1x3x32x32:float32"]]
    assert "'--input-size'" in bench("count", "resnet18", "--input-size", "64,x").err
