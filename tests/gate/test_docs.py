"""The CI examples of the docs work: their shell steps run here as CI servers run them."""

import os
import re
import shlex
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


def gitlab_lines() -> str:
    return "\n".join(yaml.safe_load((DOCS / "gitlab-ci.yml").read_text())["bench-gate"]["script"])


def test_the_action_installs_itself_and_the_cpu_build_of_torch_and_uploads_the_reports():
    steps = {step["name"]: step for step in yaml.safe_load((DOCS / "action.yml").read_text())["runs"]["steps"]}
    torch, install, gate, upload = steps.values()
    assert torch["if"] == "inputs.torch == 'cpu'"
    assert shlex.split(install["run"])[-1] == "$GITHUB_ACTION_PATH/../.."
    assert (DOCS / ".." / ".." / "pyproject.toml").exists()  # what that path is, if the action lies in DOCS
    assert upload["if"] == "always()"
    assert set(re.findall(r"-o (\S+)\.", gate["run"])) == {Path(upload["with"]["path"]).stem}


def test_the_gitlab_job_leaves_a_junit_report(clone):
    widen(clone)
    variables = {
        "CI": "true",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "GATE_RUN": RUN,
        "GATE_OPTIONS": "--exact",
    }
    output = shell(gitlab_lines(), clone, **variables)
    assert output.returncode == 1, output.stderr
    suite = ElementTree.parse(clone / "bench-gate.xml").getroot()
    assert int(suite.attrib["failures"]) == len(suite.findall(".//failure")) > 0


def test_a_gitlab_push_is_compared_with_the_commit_before(clone):
    before = git(clone, "cat-file", "commit", "HEAD").partition("parent ")[2][:40]
    variables = {"CI": "true", "CI_COMMIT_BEFORE_SHA": before, "GATE_RUN": RUN, "GATE_OPTIONS": "--exact"}
    output = shell(gitlab_lines(), clone, **variables)
    assert output.returncode == 0, output.stderr
    assert "with the commit before the push" in (clone / "bench-gate.md").read_text()


def test_the_hook_of_pre_commit_compares_with_a_baseline(repository):
    (hook,) = yaml.safe_load((DOCS.parents[1] / ".pre-commit-hooks.yaml").read_text())
    command = f"{hook['entry']} --baseline counts.json {RUN}"
    assert shell(f"{command} --update-baseline", repository).returncode == 0
    assert shell(command, repository).returncode == 0
    widen(repository)
    assert shell(command, repository).returncode == 1


def test_the_page_names_every_file_and_the_workflow_hands_the_action_what_it_takes():
    page = (DOCS.parent / "gate.md").read_text()
    for path in DOCS.iterdir():
        assert f"gate/{path.name}" in page
    assert ".pre-commit-hooks.yaml" in page
    (workflow,) = re.findall(r"```yaml\n(on: pull.*?)```", page, re.DOTALL)
    copied = (DOCS / "workflow.yml").read_text()
    inputs = yaml.safe_load((DOCS / "action.yml").read_text())["inputs"]
    needed = {name for name, entry in inputs.items() if entry.get("required")}
    for text in (workflow, copied):
        ((*_, step),) = (job["steps"] for job in yaml.safe_load(text)["jobs"].values())
        assert needed <= set(step["with"]) <= set(inputs)
