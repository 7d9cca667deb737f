"""The life of a small repository under the gate, step by step: `python -m tests.gate.life` prints a transcript.

A bare repository stands for the server. Each CI job is a shallow clone of one
commit, as actions/checkout makes it, in which the script of docs/gate/action.yml
runs with the variables that GitHub sets.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.gate.conftest import git

ACTION = Path(__file__).parents[2] / "docs" / "gate" / "action.yml"
NET = """from torch import nn


def {name}(width: int = {width}) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 16, 3, padding=1))
"""


class Ended(NamedTuple):
    """How one command or CI job ended."""

    name: str
    code: int
    report: str  # Markdown; empty if there is none
    err: str

    @property
    def title(self) -> str:
        return self.report.partition("\n")[0].removeprefix("## ")


class Life:
    """A server, a developer's clone and CI jobs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.server, self.here = folder, folder / "server.git", folder / "here"
        self.jobs = 0
        tools = folder / "tools"
        tools.mkdir()
        (tools / "bench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m backbone_bench "$@"\n')
        (tools / "bench").chmod(0o755)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("GITHUB_", "CI"))}
        root = str(Path(__file__).parents[2])
        self.environ = {**kept, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": root, "NO_COLOR": "1"}
        git(folder, "init", "--bare", "--initial-branch=main", str(self.server))
        git(folder, "clone", str(self.server), str(self.here))
        git(self.here, "switch", "--create=main")

    def commit(self, message: str, *, branch: str = "main") -> str:
        """Commit everything in the working tree, push it, and return the hash."""
        git(self.here, "add", "--all")
        git(self.here, "commit", "--allow-empty", f"--message={message}")
        git(self.here, "push", "--quiet", "origin", f"HEAD:{branch}")
        return git(self.here, "rev-parse", "HEAD").strip()

    def model(self, width: int, name: str = "small") -> None:
        (self.here / "net.py").write_text(NET.format(name=name, width=width))

    def bench(self, name: str, *words: str) -> Ended:
        """Run a command in the developer's clone."""
        return self._ended(name, self.here, ["bench", *words], {})

    def job(self, name: str, commit: str, **variables: str) -> Ended:
        """Run the action's script in a shallow clone of one commit."""
        self.jobs += 1
        clone = self.folder / f"job{self.jobs}"
        git(self.folder, "init", "--quiet", str(clone))
        git(clone, "remote", "add", "origin", self.server.as_uri())
        git(clone, "fetch", "--quiet", "--no-tags", "--depth=1", "origin", commit)
        git(clone, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        (script,) = (
            step["run"] for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if step["name"] == "Gate"
        )
        given = {
            "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(clone), "GATE_BASELINE": "",
            "GATE_BASE_REF": "auto", "GATE_OPTIONS": "--exact --quiet",
            "GATE_RUN": "--model net.py:small --input 3x32x32",
        }  # fmt: skip
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return self._ended(name, clone, words, {**given, **variables})

    def _ended(self, name: str, folder: Path, words: list[str], variables: dict[str, str]) -> Ended:
        done = subprocess.run(
            words, cwd=folder, env={**self.environ, **variables}, capture_output=True, text=True, check=False
        )
        report = folder / "bench-gate.md"
        return Ended(name, done.returncode, report.read_text() if report.exists() else done.stdout, done.stderr)

    def push(self, name: str, commit: str, before: str, **variables: str) -> Ended:
        """The job of a push, whose event names the commit before."""
        event = self.folder / "event.json"
        event.write_text(json.dumps({"before": before, "after": commit}))
        return self.job(name, commit, GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=str(event), **variables)

    def pull_request(self, name: str, head: str, **variables: str) -> Ended:
        """The job of a pull request: the server merges the head into main and tests that commit."""
        git(self.here, "fetch", "--quiet", "origin", "main")
        git(self.here, "checkout", "--quiet", "--detach", "origin/main")
        git(self.here, "merge", "--quiet", "--no-ff", "--message=Merge", head)
        merged = git(self.here, "rev-parse", "HEAD").strip()
        git(self.here, "push", "--quiet", "--force", "origin", "HEAD:refs/pull/1/merge")
        return self.job(name, merged, GITHUB_BASE_REF="main", GITHUB_REF="refs/pull/1/merge", **variables)


NEW = "0" * 40  # what an event names as the commit before a new branch or tag


def steps(life: Life) -> Iterator[Ended]:
    """Everything that happens, in order."""
    life.model(16)
    first = life.commit("A small network")
    yield life.push("push of the first commit", first, NEW)

    git(life.here, "switch", "--quiet", "--create=readme")
    (life.here / "README").write_text("A network.\n")
    yield life.pull_request("pull request that changes no model", life.commit("A README", branch="readme"))

    git(life.here, "switch", "--quiet", "--create=wider", "main")
    life.model(17)
    wider = life.commit("A wider network", branch="wider")
    yield life.pull_request("pull request that makes the model dearer", wider)
    git(life.here, "switch", "--quiet", "wider")
    gate = ("gate", "--base-ref", "origin/main", "--exact", "--quiet")
    run = ("--", "run", "--model", "net.py:small", "--input", "3x32x32")
    yield life.bench("its author accepts it", *gate, "--reason", "the small one was too narrow (issue 7)", *run)
    accepted = life.commit("Accept the cost", branch="wider")
    yield life.pull_request("the same pull request, accepted", accepted)
    git(life.here, "switch", "--quiet", "wider")
    life.model(18)
    yield life.pull_request("the same pull request, wider again", life.commit("Wider still", branch="again"))

    git(life.here, "switch", "--quiet", "main")
    git(life.here, "merge", "--quiet", "--no-ff", "--message=Merge wider", accepted)
    merged = life.commit("Merged")
    yield life.push("push of the merge", merged, first)
    git(life.here, "tag", "v1")
    git(life.here, "push", "--quiet", "origin", "v1")
    yield life.push("push of a tag", merged, NEW)
    yield life.push("push whose commit before is gone", merged, "1" * 40)

    fork = life.folder / "fork"
    git(life.folder, "clone", "--quiet", str(life.server), str(fork))
    (fork / "net.py").write_text(NET.format(name="small", width=20))
    git(fork, "commit", "--quiet", "--all", "--message=From a fork")
    git(life.here, "fetch", "--quiet", str(fork), "main")
    yield life.pull_request("pull request of a fork", git(life.here, "rev-parse", "FETCH_HEAD").strip())
    git(life.here, "switch", "--quiet", "main")
    yield life.job("comparison with a tag", merged, GATE_BASE_REF="v1")

    with_baseline = {"GATE_BASELINE": "counts.json"}
    yield life.job("first run without a baseline", merged, **with_baseline)
    stored = ("gate", "--baseline", "counts.json", "--exact", "--quiet")
    yield life.bench("the baseline is made", *stored, "--update-baseline", *run)
    yield life.job("the baseline is committed", life.commit("A baseline"), **with_baseline)
    life.model(17, "tiny")
    renamed = {"GATE_RUN": "--model net.py:tiny --input 3x32x32", **with_baseline}
    yield life.job("the model gets another name", life.commit("Another name"), **renamed)
    tiny = ("--", "run", "--model", "net.py:tiny", "--input", "3x32x32")
    yield life.bench("the old name is dropped", *stored, "--update-baseline", "--reason", "renamed", *tiny)
    yield life.job("the new name is committed", life.commit("The new name"), **renamed)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for step in steps(Life(Path(folder))):
            print(f"{step.code}  {step.name}: {step.title or step.err.strip()}", flush=True)


if __name__ == "__main__":
    main()
