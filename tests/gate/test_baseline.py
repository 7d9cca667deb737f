"""The baseline file: read or rejected as a whole, never half written, and safe for gates that run at the same time."""

import fcntl
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.gate import baseline
from backbone_bench.gate.baseline import Baseline, Calibration
from backbone_bench.gate.noisy import Spread
from backbone_bench.gate.verdicts import Acknowledgement
from backbone_bench.records import store
from tests.gate.samples import WIDER, counted

ENTRY = Acknowledgement("2026-11-24T06:00:00Z", "wider stem, issue 12", "0.1.0", ("net costs more",))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "baseline.json"
    baseline.write(path, Baseline((counted("a"), counted("b"))))
    return path


def test_it_is_read_as_it_was_written(path):
    full = Baseline((counted("a"),)).updated([counted("b")], ENTRY, whole=False)
    full = full.calibrated([Calibration("2026-11-24T06:00:00Z", "f1", "a", "wall_s", 0.012, 10)])
    baseline.write(path, full)
    assert baseline.read(path) == full


def test_it_is_a_file_of_records_for_every_other_command(path):
    assert len(store.read([path], warn=pytest.fail)) == 2


def test_a_folder_that_cannot_be_locked_is_known_before(path, monkeypatch):
    def flock(file, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match=r"Cannot lock .* to write baseline\.json: No locks available"):
        baseline.check(path)


def test_a_pipe_is_a_baseline(path):
    """`bench gate --baseline <(git show main:baseline.json)`: a pipe can be read only once."""
    read_end, write_end = os.pipe()
    os.write(write_end, path.read_bytes())
    os.close(write_end)
    assert baseline.read(Path(f"/dev/fd/{read_end}")) == baseline.read(path)
    os.close(read_end)


def test_a_plain_file_of_records_is_a_baseline_without_a_log(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(store.dump_line(counted()))
    assert baseline.read(path) == Baseline((counted(),))


def test_an_update_replaces_its_own_workloads_and_keeps_every_reason():
    twice = Baseline((counted("a"), counted("b")))
    for _ in range(2):
        twice = twice.updated([counted("b", WIDER)], ENTRY, whole=False)
    assert [(record.workload.model, record.cost) for record in twice.records] == [
        ("a", counted("a").cost),
        ("b", WIDER),
    ]
    assert twice.notes.log == (ENTRY, ENTRY)


def test_a_new_calibration_replaces_the_old_one_of_the_same_quantity():
    old, new, other = (
        Calibration(at, fingerprint, "a", "wall_s", 0.01, 10)
        for at, fingerprint in (("2026-01-01", "f1"), ("2026-02-01", "f1"), ("2026-01-01", "f2"))
    )
    assert Baseline().calibrated([old, other]).calibrated([new]).notes.calibrations == (other, new)


def test_an_absent_baseline_is_an_empty_one_that_knows_its_file(tmp_path):
    assert baseline.read(tmp_path / "none.json") == Baseline(absent=tmp_path / "none.json")


def _older(document):
    for record in document["records"]:
        record["schema_version"] = "0"


def _foreign(document):
    document.pop("records")
    document["benchmarks"] = []


def _invalid_log(document):
    document["gate"]["log"] = [{"reason": 3}]


def _newer_notes(document):
    document["gate"]["baseline_version"] = "9"


@pytest.mark.parametrize("damage", [_older, _foreign, _invalid_log, _newer_notes])
def test_a_document_that_cannot_be_understood_is_refused_and_left_as_it_is(path, damage):
    document = json.loads(path.read_text())
    damage(document)
    path.write_text(json.dumps(document))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"baseline.json.*left as it is"), baseline.locked(path):
        pytest.fail("it was read")
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["", "not JSON", "[1, 2]", "\x00\x01"])
def test_a_corrupt_file_is_refused_and_left_as_it_is(path, text):
    path.write_text(text)
    with pytest.raises(UserError, match="left as it is"):
        baseline.read(path)
    assert path.read_text() == text


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match="is not a JSON file of records"):
        baseline.read(path)


_UPDATE = """
import sys
from pathlib import Path
from backbone_bench.gate import baseline
from tests.gate.samples import counted
from tests.gate.test_baseline import ENTRY
for turn in range(10):
    with baseline.locked(Path(sys.argv[1])) as old:
        baseline.write(Path(sys.argv[1]), old.updated([counted(f"{sys.argv[2]}-{turn}")], ENTRY, whole=False))
"""


def test_gates_that_write_at_once_lose_nothing_of_each_other(tmp_path):
    path = tmp_path / "baseline.json"

    def write(writer):
        return subprocess.run([sys.executable, "-c", _UPDATE, str(path), str(writer)], check=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    found = baseline.read(path)
    assert {record.workload.model for record in found.records} == {
        f"{n}-{turn}" for n in range(2) for turn in range(10)
    }
    assert len(found.notes.log) == 20
    assert [entry.name for entry in tmp_path.iterdir()] == ["baseline.json"]


def test_a_calibration_knows_the_noise_with_one_degree_less_than_it_has_rounds():
    at, quantity = "2026-11-24T06:00:00Z", ("f1", "wall_s")
    made = Baseline().calibrated([Calibration(at, quantity[0], "a", quantity[1], 0.012, 10)])
    assert made.noise == {quantity: Spread(0.012, 9)}
