"""Run both sides of a gate, with scripted runs in place of processes, and with a real git worktree."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.gate import checkout, comparisons, sides
from backbone_bench.gate.baseline import Baseline
from backbone_bench.gate.noisy import RoundPlan
from backbone_bench.gate.session import GateRules
from backbone_bench.gate.tolerances import CountTolerance, Tolerances
from backbone_bench.gate.verdicts import GateVerdict
from backbone_bench.jobs.job import Job
from backbone_bench.run.messages import Failed
from backbone_bench.run.runner import JobResult, RunJob
from backbone_bench.versus.rounds import FreshRounds
from tests.gate.conftest import git
from tests.gate.samples import COST, counted, processes, timed

NOISE = (-0.002, 0.001, 0.0, 0.002, -0.001)
HEAD, UNKNOWN = "HEAD", "origin/none"
JOBS = sides.named([Job("net", {}, threads=1)])


def begin(_name: str) -> ProgressCallback:
    return lambda _phase, _share: None


def taking(*seconds: float) -> RunJob:
    """A run whose processes take these times in turn, five processes each, again and again, with a little noise."""
    times_s = iter([one * (1 + noise) for _ in range(40) for one in seconds for noise in NOISE])
    return lambda job, _on_progress: JobResult(job, timed(next(times_s), job.model))


def failing(message: str, exit_code: int) -> RunJob:
    return lambda job, _on_progress: JobResult(job, None, Failed(message, exit_code))


def compared(
    runs: tuple[RunJob, RunJob],
    jobs: sides.Jobs = JOBS,
    rules: GateRules = GateRules(),  # noqa: B008  # it is frozen
) -> comparisons.Compared:
    """Base and head in fresh rounds, each run in its way."""
    found = comparisons.revisions(jobs, rules, FreshRounds(runs), "HEAD~1", begin)
    return comparisons.with_new(found, jobs, rules, runs[1])


def verdicts(compared: comparisons.Compared) -> dict[str, GateVerdict]:
    return {found.metric: found.verdict for found in compared.findings}


def test_two_equal_sides_pass_and_one_slower_is_regressed():
    same = compared((taking(0.04), taking(0.04)))
    slower = compared((taking(0.04), taking(0.042)))
    assert verdicts(same)["wall_s"] is GateVerdict.PASS
    assert verdicts(slower)["wall_s"] is GateVerdict.REGRESSED


def test_a_slowdown_that_does_not_come_again_is_no_regression():
    slow_for_ten, fast_then = [0.042] * 2, [0.04] * 2
    rerun = compared((taking(0.04), taking(*slow_for_ten, *fast_then)))
    (found,) = (one for one in rerun.findings if one.metric == "wall_s")
    assert found.verdict is GateVerdict.INCONCLUSIVE
    assert "did not confirm" in found.reason
    assert found.confirmed is not None


def test_the_sides_take_turns_and_change_who_is_first():
    order: list[str] = []

    def side(name: str) -> RunJob:
        run = taking(0.04)
        return lambda job, on_progress: order.append(name) or run(job, on_progress)  # type: ignore[func-returns-value]

    compared((side("base"), side("head")))
    assert order == ["base", "head", "head", "base"] * 2 + ["base", "head"]


def test_counts_alone_need_one_round():
    jobs = sides.named([Job("net", {}, latency=False, energy="off")])
    calls = iter(range(2))

    def run(job: Job, _on_progress: ProgressCallback) -> JobResult:
        next(calls)  # a third call raises StopIteration
        return JobResult(job, counted(job.model))

    assert verdicts(compared((run, run), jobs)) == {"cost": GateVerdict.PASS}


def test_a_model_that_the_base_does_not_have_is_new_and_one_that_fails_here_is_invalid():
    new = compared((failing("no such file", 2), taking(0.04)))
    broken = compared((taking(0.04), failing("out of memory", 3)))
    assert [(found.verdict, found.exit_code) for found in new.findings] == [(GateVerdict.NEW, None)]
    assert [(found.verdict, found.exit_code) for found in broken.findings] == [(GateVerdict.INVALID, 3)]
    assert [record.workload.model for record in new.heads] == ["net"]


def test_a_model_that_neither_side_has_could_not_be_run():
    nowhere = compared((failing("no factory 'nett'", 2), failing("no factory 'nett'", 2)))
    assert [(found.verdict, found.exit_code) for found in nowhere.findings] == [(GateVerdict.INVALID, 2)]


def test_a_limit_holds_for_a_model_that_the_base_does_not_have():
    tolerances = Tolerances(counts={"params": CountTolerance(max=COST.params - 1)})
    found = compared((failing("no such file", 2), taking(0.04)), rules=GateRules(tolerances=tolerances)).findings
    assert [(one.verdict, one.metric) for one in found] == [(GateVerdict.NEW, ""), (GateVerdict.EXCEEDED, "params")]
    assert found[0].subject == found[1].subject


def test_what_runs_now_is_compared_with_a_baseline_whose_rounds_cannot_be_doubled():
    taken = []
    run = taking(0.0405)

    def counting(job: Job, on_progress: ProgressCallback) -> JobResult:
        taken.append(job)
        return run(job, on_progress)

    compared = comparisons.now(
        Baseline(tuple(processes(0.04, [20 * one for one in NOISE]))),
        JOBS,
        GateRules(),
        sides.fresh(JOBS, counting, begin),
    )
    assert verdicts(compared)["wall_s"] is GateVerdict.INCONCLUSIVE
    assert len(taken) == len(compared.heads) == 5


def test_a_thing_against_itself_tells_the_noise_of_the_machine():
    compared = comparisons.itself(JOBS, GateRules(RoundPlan(rounds=3)), FreshRounds([taking(0.04)] * 2), begin)
    wall = next(one for one in compared.calibrations if one.metric == "wall_s")
    assert wall.rounds == 6
    assert 0 < wall.deviation < 0.01
    assert verdicts(compared)["wall_s"] is GateVerdict.PASS


def test_two_jobs_of_one_description_are_two_workloads():
    assert len(sides.named([Job("net", {}, seed=0), Job("net", {}, seed=1)])) == 2


@pytest.fixture
def base(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[checkout.Checkout]:
    (repository / "src").mkdir()
    monkeypatch.chdir(repository)
    with checkout.checkout(HEAD, repository, {}) as at:
        yield at


def test_a_worktree_holds_the_revision_and_is_gone_afterwards(repository):
    (repository / "net.py").write_text("changed")
    with checkout.checkout(HEAD, repository, {}) as at:
        assert "nn.Conv2d" in (at.root / "net.py").read_text()
        assert at.root != repository
    assert not at.root.exists()
    assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_the_import_path_of_the_base_follows_the_checkout_and_keeps_what_is_installed(base, repository):
    (repository / ".gitignore").write_text(".venv\n")
    installed = repository / ".venv" / "lib"
    installed.mkdir(parents=True)
    path = [str(repository), str(repository / "src"), str(installed), sys.prefix]
    assert base.import_path(path) == [str(base.root), str(base.root / "src"), str(installed), sys.prefix]


def test_an_interpreter_named_from_here_is_the_same_one_in_the_checkout_and_stays_in_its_environment(base, repository):
    (repository / "venv").mkdir()
    (repository / "venv" / "python").symlink_to(sys.executable)
    assert sides.interpreter(Path("venv/python")) == repository / "venv" / "python"
    with pytest.raises(UserError, match=r"--base-python venv/none: there is no such program"):
        sides.interpreter(Path("venv/none"))


def test_an_unknown_revision_is_told_with_what_to_do(repository):
    with (
        pytest.raises(UserError, match="git fetch origin"),
        checkout.checkout(UNKNOWN, repository, {}),
    ):
        pytest.fail("it was found")


@pytest.mark.parametrize("environ", [{}, {"CI": "true"}], ids=str)
@pytest.mark.parametrize("revision", [HEAD, "auto", "-x"])
def test_a_folder_outside_of_any_repository_is_told_so(tmp_path, revision, environ):
    with pytest.raises(UserError, match="not in a git repository"), checkout.checkout(revision, tmp_path, environ):
        pytest.fail("it was found")


@pytest.mark.parametrize("environ", [{}, {"CI": "true"}], ids=str)
def test_a_revision_that_is_an_option_never_reaches_git(repository, environ):
    with (
        pytest.raises(UserError, match="cannot begin with a dash"),
        checkout.checkout("--output=x", repository, environ),
    ):
        pytest.fail("it was taken")


@pytest.mark.parametrize(
    ("name", "text", "asks_for_others"),
    [
        ("requirements.txt", "torch==2.12\n", True),
        ("requirements-dev.txt", "pytest\n", True),
        ("pyproject.toml", '[project]\nname = "net"\ndependencies = ["torch"]\n', True),
        ("pyproject.toml", '[project]\nname = "net"\n[tool.ruff]\nline-length = 100\n', False),
        ("README.md", "torch==2.12\n", False),
    ],
)
def test_only_what_changes_the_environment_asks_for_another(repository, name, text, asks_for_others):
    (repository / "pyproject.toml").write_text('[project]\nname = "net"\n')
    (repository / name).touch()
    git(repository, "add", ".")
    git(repository, "commit", "--message=Before")
    (repository / name).write_text(text)
    with checkout.checkout(HEAD, repository, {}) as at:
        assert bool(checkout.changed_dependencies(at)) is asks_for_others
