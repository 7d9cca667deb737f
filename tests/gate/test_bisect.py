"""`bench bisect`: the first bad commit, on made histories and repositories, with scripted and with real sides."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.errors import CouldNotMeasure, NotComparable, UserError
from backbone_bench.base.progress import ProgressCallback, silent
from backbone_bench.gate import bisect, commits, sides
from backbone_bench.gate.between import Commits
from backbone_bench.gate.bisect import BisectReport, BisectStep, StepVerdict
from backbone_bench.gate.commits import Commit
from backbone_bench.gate.report import bisect as bisect_report
from backbone_bench.gate.session import GateRules
from backbone_bench.gate.verdicts import GateFinding, GateReport, GateVerdict
from backbone_bench.jobs.job import Job
from backbone_bench.records import ModelCost
from backbone_bench.report.tables.formats import written
from backbone_bench.run.messages import Failed
from backbone_bench.run.runner import JobResult, RunJob
from backbone_bench.versus.rounds import FreshRounds, TakeRound
from tests.gate.conftest import SMALL, git
from tests.gate.samples import COST, WIDER, counted, timed

NOISE = (-0.002, 0.001, 0.0, 0.002, -0.001)
MEASURED = sides.named([Job("net", {}, threads=1)])
COUNTED = sides.named([Job("net", {}, latency=False, energy="off")])


def ignore(_step: BisectStep, _left: int) -> None:
    """Tell nobody of a step."""


class Line:
    """A history of one line, bad from one commit on, with commits that cannot be built."""

    def __init__(self, length: int, first_bad: int, broken: frozenset[int] = frozenset()) -> None:
        self.line = [Commit(f"{n:04}", f"2026-01-01T00:{n // 60:02}:{n % 60:02}+00:00", str(n), (f"{n - 1:04}",))
                     for n in range(length)]  # fmt: skip
        self.first_bad, self.broken = first_bad, broken

    def commit(self, name: str) -> Commit:
        return self.line[int(name)]

    def dividing(self, good: Sequence[str], bad: str) -> list[str]:
        between = range(max(map(int, good)) + 1, int(bad))
        middle = (max(map(int, good)) + int(bad)) / 2
        return [f"{n:04}" for n in sorted(between, key=lambda n: abs(n - middle))]

    def compare(self, base: Commit, head: Commit) -> GateReport:
        if int(head.hash) in self.broken:
            found = GateFinding("net", "", GateVerdict.INVALID, reason="does not build", exit_code=2)
        elif int(head.hash) >= self.first_bad > int(base.hash):
            found = GateFinding("net", "flops", GateVerdict.CHANGED, 1, 2)
        else:
            found = GateFinding("net", "cost", GateVerdict.PASS)
        return GateReport(str(base), str(head), (found,))


def searched(line: Line) -> BisectReport:
    good, bad = line.line[0], line.line[-1]
    return bisect.bisect(line, good, bad, line.compare(good, bad), ignore)


@given(st.data())
def test_the_first_bad_commit_of_a_line_is_found_in_as_many_steps_as_halving_needs(data):
    length = data.draw(st.integers(2, 200))
    first_bad = data.draw(st.integers(1, length - 1))
    report = searched(Line(length, first_bad))
    assert report.found is not None
    assert int(report.found.hash) == first_bad
    assert len(report.steps) <= math.ceil(math.log2(length))


@given(st.data())
def test_broken_commits_hide_no_more_than_themselves(data):
    length = data.draw(st.integers(2, 60))
    first_bad = data.draw(st.integers(1, length - 1))
    broken = data.draw(st.frozensets(st.integers(1, max(1, length - 2)))) - {length - 1}
    report = searched(Line(length, first_bad, broken))
    suspects = {int(one.hash) for one in report.suspects}
    assert first_bad in suspects
    assert suspects - broken == {max(suspects)}
    assert (report.exit_code == 0) == (len(suspects) == 1)


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        (GateVerdict.PASS, NotComparable),
        (GateVerdict.IMPROVED, NotComparable),
        (GateVerdict.NEW, NotComparable),
        (GateVerdict.INCOMPARABLE, NotComparable),
        (GateVerdict.INVALID, CouldNotMeasure),
        (GateVerdict.INCONCLUSIVE, CouldNotMeasure),
    ],
)
def test_ends_of_which_none_is_worse_have_nothing_between_them(verdict, error):
    with pytest.raises(error) as raised:
        bisect.worse(GateReport("good", "bad", (GateFinding("net", "wall_s", verdict, reason="so"),)))
    assert type(raised.value) is error


# Real commits, scripted sides.


def commit(repository: Path, title: str, text: str = "") -> str:
    """Commit a file with this text; return the hash."""
    (repository / "file").write_text(f"{title} {text}")
    git(repository, "add", "file")
    git(repository, "commit", f"--message={title}")
    return git(repository, "rev-parse", "HEAD").strip()


def run_at(at: Commit, times_s: dict[str, float], cost: dict[str, ModelCost]) -> RunJob:
    """A run of a commit, by its title: it takes a time with a little noise, or has a cost, or fails."""
    noise = iter(NOISE * 100)

    def run(job: Job, _on_progress: ProgressCallback) -> JobResult:
        if at.title == "broken":
            return JobResult(job, None, Failed("SyntaxError: invalid syntax\nin line 1", 2))
        if not job.latency:
            return JobResult(job, counted(job.model, cost.get(at.title, COST)))
        return JobResult(job, timed(times_s.get(at.title, 0.04) * (1 + next(noise)), job.model))

    return run


def search(
    repository: Path, good: str, jobs: sides.Jobs, *, first_parent: bool = True, slow: tuple[str, ...] = ()
) -> tuple[BisectReport, list[tuple[str, str]]]:
    """Search with scripted sides; also returns the titles of all that were compared."""
    compared: list[tuple[str, str]] = []
    cost = dict.fromkeys(("worse", "tip", "merge"), WIDER)

    @contextmanager
    def take(base: Commit, head: Commit) -> Iterator[TakeRound]:
        compared.append((base.title, head.title))
        yield FreshRounds([run_at(one, dict.fromkeys(slow, 0.044), cost) for one in (base, head)])

    history = Commits(repository, jobs, GateRules(), take, lambda _name: silent, first_parent)
    first, last = commits.read(repository, good), commits.read(repository, "HEAD")
    commits.check_order(repository, first, last)
    ends = history.compare(first, last)
    narrow = history.narrowed(bisect.worse(ends))
    return bisect.bisect(narrow, first, last, ends, ignore), compared


def test_a_slower_commit_is_found_by_rounds_and_compared_with_the_one_before_it(repository):
    good = git(repository, "rev-parse", "HEAD").strip()
    for title in ("a", "b", "slow", "c", "d"):
        commit(repository, title)
    report, compared = search(repository, good, MEASURED, slow=("slow", "c", "d"))
    assert report.found is not None
    assert report.found.title == "slow"
    assert compared[-1] == ("b", "slow")
    (found,) = (one for one in report.change.findings if one.metric == "wall_s")
    assert found.verdict is GateVerdict.REGRESSED
    assert found.change is not None
    assert found.change.ratio == pytest.approx(1.1, abs=0.01)
    assert "is slower: wall latency" in str(written(bisect_report.answer(report), "md"))


def test_a_broken_commit_is_skipped_and_named_with_the_first_line_of_its_reason(repository):
    good = git(repository, "rev-parse", "HEAD").strip()
    for title in ("a", "broken", "b", "worse", "tip"):
        commit(repository, title)
    report, _ = search(repository, good, COUNTED)
    assert report.found is not None
    assert report.found.title == "worse"
    skipped = [step for step in report.steps if step.verdict is StepVerdict.SKIPPED]
    text = str(written(bisect_report.answer(report), "md"))
    assert all("SyntaxError: invalid syntax" in bisect_report.reason(step) for step in skipped)
    assert "in line 1" not in text


def test_a_first_bad_commit_behind_a_broken_one_is_one_of_two(repository):
    good = git(repository, "rev-parse", "HEAD").strip()
    for title in ("broken", "worse", "tip"):
        commit(repository, title)
    report, _ = search(repository, good, COUNTED)
    assert [one.title for one in report.suspects] in (["worse", "broken"], ["broken", "worse"])
    assert report.exit_code == 3
    assert "could not decide between 2 commits" in str(written(bisect_report.answer(report), "md"))


@pytest.fixture
def merged(repository):
    """A branch with the commit that makes it worse, merged into main."""
    good = git(repository, "rev-parse", "HEAD").strip()
    git(repository, "switch", "--quiet", "--create=branch")
    commit(repository, "a")
    worse = commit(repository, "worse")
    git(repository, "switch", "--quiet", "main")
    (repository / "other").write_text("other")
    git(repository, "add", "other")
    git(repository, "commit", "--message=main goes on")
    git(repository, "merge", "--quiet", "--no-ff", "--message=merge", "branch")
    (repository / "other").write_text("another")
    git(repository, "commit", "--all", "--message=tip")
    return repository, good, worse


def test_a_merge_is_one_step_and_every_commit_searches_the_branch(merged):
    repository, good, worse = merged
    report, _ = search(repository, good, COUNTED)
    assert report.found is not None
    assert report.found.title == "merge"
    assert "--every-commit" in report.remarks[0]
    everywhere, _ = search(repository, good, COUNTED, first_parent=False)
    assert everywhere.found is not None
    assert everywhere.found.hash == worse


def test_two_commits_in_the_wrong_order_or_on_two_branches_are_refused(merged):
    repository, good, worse = merged
    bad, side = (commits.read(repository, name) for name in ("HEAD~2", worse))
    first = commits.read(repository, good)
    with pytest.raises(UserError, match="name the older commit first"):
        commits.check_order(repository, bad, first)
    with pytest.raises(UserError, match="have in common"):
        commits.check_order(repository, side, bad)
    with pytest.raises(UserError, match="the same commit"):
        commits.check_order(repository, bad, bad)
    with pytest.raises(UserError, match="cannot begin with a dash"):
        commits.read(repository, "--all")


# The whole command.


def test_the_command_finds_a_wider_model_and_leaves_the_working_tree_alone(bench, repository, monkeypatch):
    monkeypatch.chdir(repository)
    good = git(repository, "rev-parse", "--short=9", "HEAD").strip()
    commit(repository, "nothing")
    (repository / "net.py").write_text(SMALL.format(width=24))
    git(repository, "commit", "--all", "--message=wider")
    wider = git(repository, "rev-parse", "HEAD").strip()
    commit(repository, "nothing more")
    (repository / "net.py").write_text("here the author works on")
    output = bench("bisect", good, "HEAD", "--exact", "-f", "json", "--", "net.py:small", "--input", "3x8x8")
    assert output.code == 0, output.err
    found = json.loads(output.out)
    assert found["first_bad"]["hash"] == wider
    assert found["first_bad"]["title"] == "wider"
    assert {one["metric"] for one in found["change"]["findings"]} >= {"flops", "params"}
    assert "is bad: parameters +" in output.err
    assert (repository / "net.py").read_text() == "here the author works on"
    assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert bench("bisect", wider, good, "--exact", "--", "net.py:small").code == 2
