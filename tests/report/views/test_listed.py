"""`bench count` of zoo networks prints the same from the catalogue as from a count, and loads no torch for it."""

import re
import subprocess
import sys

import pytest
import torch

from backbone_bench.report.views import listed
from backbone_bench.zoo import catalogue
from tests.cli.conftest import bench

__all__ = ["bench"]

# The counted rows are counted where the catalogue is not asked.
NOT_ASKED = "from backbone_bench.report.views import listed; listed.installed_torch = lambda: None\n"


def run(*words: str, first: str = "") -> tuple[str, bool]:
    """Output of `bench` in a process of its own, and whether that loaded torch."""
    program = (
        f"{first}import sys; from backbone_bench.cli import main; sys.argv = {['bench', *words]}\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return ended.stdout, ended.stderr.split() == ["True"]


def without_time(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


# One network of each family; that the catalogue has all that is counted of every network is what `make results` checks.
ONE_EACH = tuple({entry.family: name for name, entry in catalogue.entries().items()}.values())


@pytest.mark.parametrize("what", [ONE_EACH, ("resnet18", "darknet53", "--flops-convention", "2")], ids=["one", "two"])
def test_what_is_printed_is_what_is_counted(what, tmp_path):
    files = [tmp_path / name for name in ("zoo.txt", "zoo.csv")]
    words = ("count", *what, "-f", "md", "-o", str(files[0]), "-o", str(files[1]))
    found = {}
    for first in ("", NOT_ASKED):
        out, loaded = run(*words, first=first)
        assert loaded is bool(first)
        found[first] = [without_time(text) for text in (out, *(file.read_text() for file in files))]
    assert found[""] == found[NOT_ASKED]
    assert all(f"| {name} |" in found[""][0] for name in what if name in catalogue.entries())


@pytest.mark.parametrize(
    "words",
    [
        ("-f", "json"), ("-f", "jsonl"), ("-o", "x.html"), ("--layers",), ("--train",), ("--batch-size", "2"),
        ("--precision", "fp16"), ("--input-size", "256"), ("--input", "3x256x256"), ("--arg", "num_classes=10"),
        ("--cross-check",), ("torch.nn:Identity", "--input", "3x64x64"),
    ],
)  # fmt: skip
def test_what_the_catalogue_does_not_have_is_counted(words, bench, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listed, "row", lambda *_: pytest.fail("the catalogue was asked"))
    assert bench("count", "resnet18", *words).code == 0


@pytest.mark.parametrize("words", [(), ("-f", "table"), ("-f", "csv"), ("--precision", "fp32"), ("-o", "x.md")])
def test_what_the_catalogue_has_is_not_counted(words, bench, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("backbone_bench.profiler.count", lambda *_: pytest.fail("it was counted"))
    output = bench("count", "resnet18", *words)
    assert (output.code, output.err) == (0, "")


def test_the_version_of_torch_is_the_one_that_it_has_when_it_is_loaded():
    assert listed.installed_torch() == torch.__version__


def test_without_a_version_that_can_be_read_torch_is_loaded(monkeypatch, tmp_path):
    monkeypatch.setattr(listed, "find_spec", lambda name: None)
    assert listed.installed_torch() is None
