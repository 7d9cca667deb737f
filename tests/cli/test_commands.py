"""Output of the commands: data on stdout, everything else on stderr."""

import csv
import io
import json
import re
import subprocess
import sys

import jsonschema
import pytest

from backbone_bench.records import Latencies, Latency, store
from backbone_bench.zoo import catalogue


def test_the_exact_integers_of_the_papers_networks(bench):
    output = bench("count", "vgg19", "resnet34", "resnet50", "vovnet39", "vovnet39_paper", "--format", "json")
    costs = {record["workload"]["model"]: record["cost"] for record in json.loads(output.out)["records"]}
    assert costs["vgg19"]["flops"] == 19632062464
    assert costs["vgg19"]["params"] == 143667240
    assert costs["resnet34"]["flops"] == 3663761408
    assert costs["resnet50"]["flops"] == 4089184256
    assert costs["vovnet39"]["flops"] == 7072227328
    assert costs["vovnet39"]["params"] == 22600296
    assert costs["vovnet39"]["access_elems"] == 37853224
    assert costs["vovnet39"]["conv_access_elems"] == 36827200
    assert costs["vovnet39_paper"]["flops"] == 7765860352


def test_a_model_that_cannot_be_counted_costs_its_own_row_only(bench, tmp_path):
    output = bench("count", "no.py:Net", "resnet18", "none.py:Net", "-o", tmp_path / "kept.jsonl")
    assert output.code == 2
    assert "resnet18" in output.out
    assert [line[:7] for line in output.err.splitlines()] == ["bench: "] * 2
    assert len(store.read([tmp_path / "kept.jsonl"], pytest.fail)) == 1


def test_every_form_says_the_same(bench):
    texts = {form: bench("count", "vovnet39", "--format", form).out for form in ("json", "jsonl", "csv", "md", "table")}
    assert json.loads(texts["json"])["records"][0]["cost"] == json.loads(texts["jsonl"])["cost"]
    row = next(csv.DictReader(io.StringIO(texts["csv"])))
    assert (row["model"], row["flops"]) == ("vovnet39", "7072227328")
    assert "| vovnet39 | 7.072 | 22.600 |" in texts["md"]
    assert "7.072" in texts["table"]


def test_a_record_printed_is_valid_against_the_schema_printed(bench):
    schema = json.loads(bench("schema").out)
    record = json.loads(bench("count", "vovnet39", "--format", "jsonl").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(record, schema)


def test_files_are_written_by_their_suffix_beside_what_is_printed(bench, tmp_path):
    files = [tmp_path / f"a{suffix}" for suffix in (".json", ".jsonl", ".csv", ".md", ".txt")]
    output = bench("count", "vovnet39", *(word for file in files for word in ("-o", file)))
    assert output.code == 0
    assert "vovnet39" in output.out
    assert all("vovnet39" in file.read_text() for file in files)
    assert store.read(files[:1], print) == store.read(files[1:2], print)


def test_two_per_multiply_add_is_for_display_only(bench):
    assert "14.144" in bench("count", "vovnet39", "--flops-convention", "2", "--format", "md").out
    record = json.loads(bench("count", "vovnet39", "--flops-convention", "2", "--format", "jsonl").out)
    assert record["cost"]["flops"] == 7072227328


def test_the_list_names_the_whole_zoo(bench):
    output = json.loads(bench("list", "--format", "json").out)
    assert [entry["name"] for entry in output] == list(catalogue.entries())


@pytest.mark.parametrize("command", [["list"], ["config"], ["run", "resnet18", "-d", "cpu", "--dry-run"]])
def test_a_listing_has_the_same_rows_in_every_form_for_programs(bench, command):
    rows = json.loads(bench(*command, "-f", "json").out)
    assert [json.loads(line) for line in bench(*command, "-f", "jsonl").out.splitlines()] == rows
    assert len(list(csv.reader(io.StringIO(bench(*command, "-f", "csv").out)))) == len(rows) + 1


def test_a_closed_pipe_ends_quietly():
    """The reader has closed the pipe: the program exits with 0 and prints no error."""
    listing = subprocess.Popen(
        [sys.executable, "-m", "backbone_bench", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert listing.stdout is not None
    listing.stdout.close()
    _, complaints = listing.communicate()
    assert (listing.returncode, complaints) == (0, b"")


@pytest.mark.slow
def test_a_run_on_the_cpu_prints_a_table_and_keeps_a_valid_record(tmp_path):
    """The main command as a user types it; no warning of a dependency reaches the terminal."""
    file = tmp_path / "run.jsonl"
    words = ["run", "--model", "cifar_resnet20", "--device", "cpu", "--threads", "1", "--quick", "-o", str(file)]
    output = subprocess.run(
        [sys.executable, "-m", "backbone_bench", *words], capture_output=True, text=True, check=False
    )
    assert output.returncode == 0
    assert output.stderr == "[1/1] cifar_resnet20 (fp32, cpu, 1 thread)\n"
    assert "| cifar_resnet20 | 40.551 |" in output.stdout
    (record,) = store.read([file], print)
    jsonschema.validate(json.loads(file.read_text()), store.schema())
    assert record.workload.threads == 1
    assert isinstance(record.latency, Latencies)
    assert isinstance(record.latency.wall, Latency)
    assert record.latency.wall.n >= 6


def test_cuda_without_a_gpu_is_told_in_one_line_with_what_is_missing(bench):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    output = bench("run", "--model", "vovnet39", "--device", "cuda", "--quiet")
    assert (output.code, output.out) == (2, "")
    assert "No CUDA device" in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("list", ["resnet18"]),
        ("config", []),
        ("doctor", []),
        ("count", ["resnet18"]),
        ("check", ["resnet18", "--params", "11.7M"]),
        ("claims", ["vgg-E-params"]),
        ("compare", ["FILE"]),
        ("history", ["FILE"]),
        ("merge", ["FILE"]),
    ],
)
def test_a_command_writes_every_format_that_it_offers(bench, tmp_path, command, words):
    file = tmp_path / "counted.jsonl"
    bench("count", "resnet18", "-o", file)
    offered = re.search(r"--format\s+<([a-z|]+)>", bench(command, "--help").out)
    assert offered is not None
    for form in offered[1].split("|"):
        output = bench(command, *(file if word == "FILE" else word for word in words), "-f", form)
        assert output.code == 0, (form, output.err)
        assert output.out
