"""The life of a repository under the gate: exit codes and reports of every step, in shallow clones of merge refs."""

import pytest

pytest.importorskip("yaml")  # comes with fvcore
from tests.gate.life import Ended, Life, steps

pytestmark = pytest.mark.slow
EXIT_CODES = {
    "push of the first commit": 4,
    "pull request that changes no model": 0,
    "pull request that makes the model dearer": 1,
    "its author accepts it": 0,
    "the same pull request, accepted": 0,
    "the same pull request, wider again": 1,
    "push of the merge": 0,
    "push of a tag": 0,
    "push whose commit before is gone": 0,
    "pull request of a fork": 1,
    "comparison with a tag": 0,
    "first run without a baseline": 4,
    "the baseline is made": 0,
    "the baseline is committed": 0,
    "the model gets another name": 3,
    "the old name is dropped": 0,
    "the new name is committed": 0,
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict[str, Ended]:
    return {step.name: step for step in steps(Life(tmp_path_factory.mktemp("life")))}


def test_every_step_ends_with_its_exit_code(ended):
    assert {name: step.code for name, step in ended.items()} == EXIT_CODES


def test_the_reports_say_what_happened(ended):
    reason = "Accepted: The small one was too narrow (issue 7)."
    dearer = ended["pull request that makes the model dearer"]
    assert "net.py:small 1x3x32x32 has higher counts: parameters +6.2 %" in dearer.report
    assert "::error file=net.py,line=4,title=bench gate%3A changed::" in dearer.err
    for name in ("its author accepts it", "the same pull request, accepted", "push of the merge"):
        assert reason in ended[name].report
        assert "::error" not in ended[name].err
    wider = ended["the same pull request, wider again"].report
    assert reason not in wider
    assert "accepts other numbers than those of this change" in wider
    assert "There is no file counts.json" in ended["first run without a baseline"].report
    assert "net.py:tiny 1x3x32x32 has the same counts" in ended["the model gets another name"].report


def test_the_base_of_a_pull_request_is_the_branch_and_that_of_a_push_the_commit_before(ended):
    compared = {name: step.report.splitlines()[2] for name, step in ended.items() if step.report}
    assert " with main (" in compared["pull request that changes no model"]
    assert " with main (" in compared["pull request of a fork"]
    assert " with the commit before the push (" in compared["push of the merge"]
    assert " with the commit before (" in compared["push of a tag"]
    assert " with v1 (" in compared["comparison with a tag"]
