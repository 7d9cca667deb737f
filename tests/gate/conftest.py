"""Fixtures of the gate's tests: the command line in this process, and a git repository with a model."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import bench

__all__ = ["bench", "repository"]

SMALL = """from torch import nn


def small(width: int = {width}) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 16, 3, padding=1))
"""


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository on branch `main` with one commit, which holds a model; the working tree is unchanged."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--initial-branch=main")
    (folder / "net.py").write_text(SMALL.format(width=16))
    git(folder, "add", "net.py")
    git(folder, "commit", "--message=A small network")
    return folder


def widen(repository: Path) -> None:
    """Make the first convolution of the working tree's model wider."""
    (repository / "net.py").write_text(SMALL.format(width=24))
