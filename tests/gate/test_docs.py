"""The CI examples of the docs work: their shell steps run here as CI servers run them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.gate.conftest import git, widen

yaml = pytest.importorskip("yaml")  # comes with fvcore
pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[2] / "docs" / "gate"
RUN = "--model net.py:small --input 3x32x32"


@pytest.fixture
def clone(repository, tmp_path) -> Path:
    """A shallow clone of a pull request, as a CI server makes it, without the base branch."""
    git(repository, "switch", "--create=feature")
    git(repository, "commit", "--allow-empty", "--message=The pull request")
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--depth=1", "--branch=feature", repository.as_uri(), str(folder))
    return folder


def shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub and GitLab do, with `bench` on the path."""
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "bench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m backbone_bench "$@"\n')
    (tools / "bench").chmod(0o755)
    environ = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", **variables}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def action_step() -> str:
    steps = yaml.safe_load((DOCS / "action.yml").read_text())["runs"]["steps"]
    install, gate = (step["run"] for step in steps)
    assert install.startswith("python -m pip install")
    return gate


def gitlab_lines() -> str:
    install, *lines = yaml.safe_load((DOCS / "gitlab-ci.yml").read_text())["bench-gate"]["script"]
    assert install.startswith("python -m pip install")
    return "\n".join(lines)


def test_the_action_fetches_the_base_compares_and_fails_with_a_summary(clone, tmp_path):
    variables = {
        "GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GATE_RUN": RUN, "GATE_OPTIONS": "--exact", "GATE_BASELINE": "", "GATE_BASE_REF": "",
    }  # fmt: skip
    widen(clone)
    changed = shell(action_step(), clone, **variables)
    assert changed.returncode == 1
    assert "::error title=bench gate%3A changed::net.py:small" in changed.stderr
    assert json.loads((clone / "bench-gate.json").read_text())["verdict"] == "changed"
    assert "bench gate failed" in (tmp_path / "summary.md").read_text()


def test_the_gitlab_job_leaves_a_junit_report(clone):
    widen(clone)
    variables = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "GATE_RUN": RUN, "GATE_OPTIONS": "--exact"}
    output = shell(gitlab_lines(), clone, **variables)
    assert output.returncode == 1, output.stderr
    suite = ElementTree.parse(clone / "bench-gate.xml").getroot()
    assert int(suite.attrib["failures"]) == len(suite.findall(".//failure")) > 0


def test_the_page_names_both_files_and_hands_the_action_what_it_takes():
    page = (DOCS.parent / "gate.md").read_text()
    assert "gate/action.yml" in page
    assert "gate/gitlab-ci.yml" in page
    (workflow,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    *_, step = yaml.safe_load(workflow)["jobs"]["gate"]["steps"]
    inputs = yaml.safe_load((DOCS / "action.yml").read_text())["inputs"]
    assert {name for name, entry in inputs.items() if entry.get("required")} <= set(step["with"]) <= set(inputs)
