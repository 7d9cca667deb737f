"""`bench predict` and `bench calibrate`: every format, exit codes, and a device that the line does not hold on."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from backbone_bench.cli.options import ROWS
from backbone_bench.predictor import choose, learn, sets
from backbone_bench.predictor.calibration import loads
from backbone_bench.records import Latencies, Missing, store
from backbone_bench.report.tables.formats import FORMATS, formats

FOLDER = Path(__file__).parents[2] / "results" / "records" / "h200"
BATCH_32 = FOLDER / "batch32.jsonl"


@pytest.mark.parametrize("form", formats(ROWS))
def test_every_format_has_the_same_predictions(bench, form, tmp_path):
    file = tmp_path / f"out{FORMATS[form].suffix}"
    told = bench("predict", "resnet50", "--on", "h200", "-b", "1", "--format", form, "-o", file)
    assert (told.code, told.err) == (0, "")
    assert told.out == file.read_text()
    assert "resnet50" in told.out


def test_csv_and_json_are_in_base_units(bench):
    (row,) = csv.DictReader(io.StringIO(bench("predict", "vgg19", "--on", "h200", "-b", "32", "-f", "csv").out))
    (same,) = json.loads(bench("predict", "vgg19", "--on", "h200", "-b", "32", "-f", "json").out)
    assert float(row["time_s"]) == same["time_s"] == pytest.approx(27.89e-3 / 32, rel=0.005)
    assert float(row["time_low_s"]) < same["time_s"] < float(row["time_high_s"])
    assert sum(same["terms_s"].values()) == pytest.approx(32 * same["time_s"])
    assert same["relative"] == {"missing": "not_asked", "message": "no model to compare with at this batch"}


def test_the_batches_of_the_calibration_are_the_default(bench):
    rows = json.loads(bench("predict", "resnet50", "--on", "h200", "-f", "json").out)
    assert [row["batch"] for row in rows] == [1, 32]
    (row,) = json.loads(bench("predict", "resnet50", "--on", "rtx3090", "-f", "json").out)
    assert row["batch"] == 1024


def test_relative_to_another_network(bench):
    rows = json.loads(
        bench("predict", "resnet152", "--on", "h200", "-b", "1", "--relative-to", "resnet50", "-f", "json").out
    )
    found = {row["model"]: row for row in rows}
    assert found["resnet50"]["relative"] == 1
    assert found["resnet152"]["relative"] == found["resnet152"]["time_s"] / found["resnet50"]["time_s"]


def test_by_operation_shows_where_the_time_goes(bench):
    told = bench("predict", "resnet18", "--on", "h200", "-b", "1", "--by-op", "--depth", "2").out
    assert "by module, to depth 2, and operation" in told
    assert "add up to the whole" in told


def test_what_is_refused_ends_with_2_and_the_others_are_predicted(bench):
    told = bench("predict", "mobilenetv2", "resnet50", "--on", "h200", "-b", "1")
    assert told.code == 2
    assert "960 groups" in told.err
    assert "| resnet50 | 1 |" in told.out
    assert "mobilenetv2" not in told.out
    whole = bench("predict", "mobilenetv2", "--on", "h200", "-b", "1", "--extrapolate")
    assert whole.code == 0
    assert "mobilenetv2 at batch 1 is extrapolated: " in whole.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--on", "h201"], "Did you mean 'h200'?"),
        (["--on", "none.toml"], "Cannot read none.toml"),
        (
            ["--on", "h200", "--precision", "bf16"],
            "not calibrated for precision bf16 (calibrated for h200 are: ",
        ),
        (["--on", "h200", "-b", "0"], "write whole numbers"),
        (["--on", "h200", "-b", "one"], "write whole numbers"),
    ],
)
def test_bad_input_is_said_in_a_line(bench, words, sentence):
    told = bench("predict", "resnet50", *words)
    assert told.code == 2
    assert told.out == ""
    assert sentence in told.err
    assert told.err.count("\n") == 1


def test_a_calibration_of_records_predicts_what_is_not_in_them(bench, tmp_path):
    file = tmp_path / "own.toml"
    made = bench("calibrate", "--records", BATCH_32, "-o", file, "-f", "json")
    assert made.code == 0
    errors = {row["model"]: row["left_out_error"] for row in json.loads(made.out)}
    assert errors["resnext50_32x4d"]["missing"] == "alone"  # the only one with grouped convolutions
    assert abs(errors["vgg19"]) < 0.2
    told = json.loads(bench("predict", "resnet18", "--on", file, "-f", "json").out)
    assert [row["batch"] for row in told] == [32]
    shipped = json.loads(bench("predict", "resnet18", "--on", "h200", "-b", "32", "-f", "json").out)
    assert told[0]["time_s"] == pytest.approx(shipped[0]["time_s"], rel=0.1)


def test_records_of_the_device_stand_beside_the_prediction(bench, tmp_path):
    records = store.read([BATCH_32], pytest.fail)
    four = tmp_path / "four.jsonl"
    store.write(four, store.dump_lines([one for one in records if "vovnet" not in one.workload.model]))
    assert bench("calibrate", "--records", four, "-o", tmp_path / "own.toml").code == 0
    words = ("predict", "vovnet39", "--on", tmp_path / "own.toml", "-f", "json")
    assert json.loads(bench(*words).out)[0]["measured_s"]["missing"] == "not_measured"
    (row,) = json.loads(bench(*words, "--records", BATCH_32).out)
    assert row["measured_s"] == pytest.approx(13.37e-3 / 32, rel=0.001)
    assert abs(row["error"]) < 0.1


def test_few_rows_borrow_the_band_and_widen_it(bench, tmp_path):
    records = store.read([BATCH_32], pytest.fail)
    few = tmp_path / "few.jsonl"
    chosen = ("resnet50", "vgg19", "densenet121", "resnext50_32x4d")
    store.write(few, store.dump_lines([one for one in records if one.workload.model in chosen]))
    assert bench("calibrate", "--records", few, "-o", tmp_path / "own.toml").code == 0
    made = loads((tmp_path / "own.toml").read_text(), "own.toml")
    lent = max(band.half_width for band in choose("h200").calibration.bands if band.of == "time")
    (band,) = [band for band in made.bands if band.of == "time"]
    assert band.borrowed
    assert band.half_width >= lent


def test_what_does_not_fit_is_not_written(bench, tmp_path):
    """One of two networks with the same counts was slowed threefold: no line goes through both."""
    records = store.read([BATCH_32], pytest.fail)
    one = next(record for record in records if record.workload.model == "resnet50")
    assert isinstance(one.latency, Latencies)
    graph = one.latency.graph
    assert not isinstance(graph, Missing)
    slowed = replace(graph, samples_s=tuple(3 * sample_s for sample_s in graph.samples_s))
    other = replace(one, id="slowed", latency=replace(one.latency, graph=slowed))
    store.write(tmp_path / "both.jsonl", store.dump_lines([one, other]))
    told = bench("calibrate", "--records", tmp_path / "both.jsonl", "-o", tmp_path / "own.toml")
    assert told.code == 3
    assert "was not written: the fit misses resnet50 at batch 32" in told.err
    assert not (tmp_path / "own.toml").exists()


def test_records_of_several_settings_make_no_calibration(bench, tmp_path):
    one, *_ = store.read([BATCH_32], pytest.fail)
    other = replace(one, workload=replace(one.workload, precision="tf32"))
    store.write(tmp_path / "both.jsonl", store.dump_lines([one, other]))
    told = bench("calibrate", "--records", tmp_path / "both.jsonl", "-o", tmp_path / "own.toml")
    assert told.code == 4
    assert "fp32, contiguous, eager" in told.err
    assert "tf32, contiguous, eager" in told.err


def test_a_training_step_makes_no_calibration(bench, tmp_path):
    one, *_ = store.read([BATCH_32], pytest.fail)
    store.write(tmp_path / "one.jsonl", store.dump_lines([replace(one, workload=replace(one.workload, mode="train"))]))
    told = bench("calibrate", "--records", tmp_path / "one.jsonl", "-o", tmp_path / "own.toml")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "resnet50 was trained" in told.err


@pytest.mark.parametrize("words", [["--with", "spikes"], ["-m", "resnet51"], ["-b", "x"], ["-o", "own.json"]])
def test_what_cannot_be_calibrated_is_said_before_anything_is_measured(bench, tmp_path, words):
    told = bench("calibrate", "--device", "cuda", "-o", tmp_path / "own.toml", *words)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)


def test_a_family_that_is_off_in_one_direction_is_named(bench):
    told = bench("predict", "densenet169", "resnet18", "--on", "h200", "-b", "1").out
    assert "rows of densenet at batch 1 are predicted +" in told
    assert "rows of resnet " not in told


def test_a_record_of_another_network_is_refused(bench, tmp_path):
    one, *_ = store.read([BATCH_32], pytest.fail)
    assert not isinstance(one.cost, Missing)
    rows = tuple(replace(row, groups=None, reduction_depth=None, out_elems=None) for row in one.cost.by_op[:-1])
    store.write(tmp_path / "cut.jsonl", store.dump_lines([replace(one, cost=replace(one.cost, by_op=rows))]))
    told = bench("calibrate", "--records", tmp_path / "cut.jsonl", "-o", tmp_path / "own.toml")
    assert told.code == 2
    assert "it is of another network" in told.err


def test_a_cpu_is_refused_with_the_reason(bench, tmp_path):
    told = bench("calibrate", "--device", "cpu", "-o", tmp_path / "here.toml")
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert "results/predict-cpu.md" in told.err


def test_a_device_is_measured_for_real(bench, tmp_path, monkeypatch):
    """On this CPU, as if it were accepted: there is no other device everywhere. It may be busy: any fit is written."""
    monkeypatch.setattr(sets, "HOST_IS_ACCEPTED", True)
    monkeypatch.setattr(learn, "WORST", 1e9)
    file = tmp_path / "here.toml"
    words = ("--device", "cpu", "--quick", "-b", "1,2", "--input-size", "64", "--budget", "0.2", "-q")
    told = bench("calibrate", *words, "-o", file)
    assert told.code == 0, told.err
    assert len(store.read([file.with_suffix(".jsonl")], pytest.fail)) == 2
    (row,) = json.loads(bench("predict", "resnet34", "--on", file, "-b", "1", "--input-size", "64", "-f", "json").out)
    assert row["time_s"] > 0
    assert row["wall_s"]["missing"] == "is_wall"
