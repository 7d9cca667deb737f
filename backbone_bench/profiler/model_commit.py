"""The commit of the user's repository that a model's file lies in, for its record."""

import subprocess
import sys
from pathlib import Path

from backbone_bench.records import ModelCommit, Workload


def model_commit(workload: Workload) -> ModelCommit | None:
    """The commit and the state of the repository of a model that is built; None if its file is in none.

    What git ignores there, such as the packages of an environment, does not belong to the repository.
    """
    file = _file(workload)
    if file is None or _git(file, "check-ignore", "--quiet", "--", file.name).returncode != 1:
        return None
    commit = _git(file, "rev-parse", "--verify", "--quiet", "HEAD").stdout.strip()
    if not commit:
        return None
    tracked = _git(file, "ls-files", "--", file.name).stdout
    changes = _git(file, "status", "--porcelain", "--untracked-files=no").stdout
    return ModelCommit(commit, dirty=bool(changes or not tracked))


def _file(workload: Workload) -> Path | None:
    """The file that holds a user's model, or its factory."""
    if workload.source in ("file", "import"):
        location = workload.model.rpartition(":")[0]
        named = location if workload.source == "file" else getattr(sys.modules.get(location), "__file__", None)
        return Path(named).resolve() if named else None
    return Path(workload.model.partition(":")[2]).resolve() if workload.source == "exported" else None


def _git(file: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run git in the folder of a file; without git, as if the file were in no repository."""
    command = ["git", "-C", str(file.parent), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", check=False)
    except OSError:
        return subprocess.CompletedProcess(command, 128, "", "")
