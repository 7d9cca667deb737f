"""The commit of the user's repository in a record: of a file, a module and an exported program, and of none."""

import pytest
import torch

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record, store
from tests.gate.conftest import SMALL, git, repository

__all__ = ["repository"]


@pytest.fixture(autouse=True)
def here(repository, monkeypatch):
    monkeypatch.chdir(repository)


def count(model: str) -> Record:
    return profiler.count(Job(model, {}, inputs=("3x8x8:float32",)))


def of(model: str) -> tuple[str, bool] | None:
    commit = count(model).model_commit
    return None if commit is None else (commit.commit, commit.dirty)


@pytest.mark.parametrize("model", ["net.py:small", "net:small"])
def test_a_record_names_the_commit_that_the_file_of_its_model_lies_in_and_whether_anything_changed(repository, model):
    head = git(repository, "rev-parse", "HEAD").strip()
    assert of(model) == (head, False)
    (repository / "net.py").write_text(SMALL.format(width=16) + "\n")
    assert of(model) == (head, True)


def test_a_new_file_makes_the_state_dirty_if_it_is_the_model_and_not_if_it_is_another(repository):
    head = git(repository, "rev-parse", "HEAD").strip()
    (repository / "new.py").write_text(SMALL.format(width=16))
    assert of("net.py:small") == (head, False)
    assert of("new.py:small") == (head, True)


def test_what_git_ignores_and_what_lies_in_no_repository_has_no_commit(repository, tmp_path):
    (repository / ".gitignore").write_text("venv\n")
    (repository / "venv").mkdir()
    for folder in (repository / "venv", tmp_path):
        (folder / "net.py").write_text(SMALL.format(width=16))
        assert of(f"{folder / 'net.py'}:small") is None
    assert of("resnet18") is None


def test_an_exported_program_has_the_commit_of_its_archive(repository):
    program = torch.export.export(torch.nn.Conv2d(3, 4, 3), (torch.ones(1, 3, 8, 8),))
    torch.export.save(program, repository / "conv.pt2")
    git(repository, "add", "conv.pt2")
    git(repository, "commit", "--message=An archive")
    found = profiler.count(Job("exported:conv.pt2", {})).model_commit
    assert found is not None
    assert (found.commit, found.dirty) == (git(repository, "rev-parse", "HEAD").strip(), False)


def test_a_repository_without_a_commit_and_a_machine_without_git_have_none(repository, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init")
    (empty / "net.py").write_text(SMALL.format(width=16))
    assert of(f"{empty / 'net.py'}:small") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert of("net.py:small") is None


def test_a_record_reads_its_commit_back_and_one_without_it_names_that_of_the_program(repository):
    record = count("net.py:small")
    (read,) = store.parse(store.dump_line(record), repository / "run.jsonl", pytest.fail)
    assert read.commit == git(repository, "rev-parse", "HEAD").strip()[:12]
    assert count("resnet18").commit == (record.tool.git or "")
