"""Contents of the wheel and the source archive, built as `make dist` builds them."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from backbone_bench.base.program import __version__

ROOT = Path(__file__).parents[2]
CALIBRATION = "backbone_bench/predictor/calibrations/h200.toml"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built, tmp_path_factory):
    (archive,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(archive) as archive_file:
        archive_file.extractall(folder)
    return folder


def _tracked():
    output = subprocess.run(["git", "ls-files", "backbone_bench"], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(output.stdout.split())


def test_a_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    files = {str(path.relative_to(wheel)) for path in wheel.rglob("*") if path.is_file()}
    package = {name for name in files if not name.partition("/")[0].endswith(".dist-info")}
    assert package == _tracked()
    assert {"backbone_bench/py.typed", "backbone_bench/zoo/catalogue.json", CALIBRATION} <= package


def test_a_wheel_alone_counts_and_checks_claims_from_any_folder(wheel, tmp_path):
    code = (
        "import sys, backbone_bench; print(backbone_bench.__file__)\n"
        "from backbone_bench.cli import main; sys.argv[1:] = ['claims', 'vgg-E-params', '-f', 'csv']; main()"
    )
    output = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(wheel)},
    ).stdout  # fmt: skip
    assert output.startswith(f"{wheel}/backbone_bench/__init__.py\n")
    assert "holds" in output


def test_a_source_archive_holds_what_a_build_needs_and_no_measurements(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as archive_file:
        names = {name.partition("/")[2] for name in archive_file.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt"} <= names
    assert _tracked() <= names
    assert not any(name.startswith(("results/", "tests/", "tools/")) for name in names)


def test_the_citation_names_the_version_that_is_released():
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
