"""Find the commit between a good and a bad one at which a model became worse, by the rule of the gate.

Every step compares the good commit with one in the middle of those that are
left. A commit that cannot be judged, because its model cannot be built or the
noise is too large, is skipped. In the end the first bad commit is compared
with the one before it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import CouldNotMeasure, NotComparable
from backbone_bench.gate.commits import Commit
from backbone_bench.gate.verdicts import GateFinding, GateReport, GateVerdict
from backbone_bench.records import STRICT


class StepVerdict(StrEnum):
    """What a step found of its commit."""

    GOOD = "good"
    BAD = "bad"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, config=STRICT)
class BisectStep:
    """One commit that was compared with the good one."""

    commit: Commit
    verdict: StepVerdict
    findings: tuple[GateFinding, ...]  # on what is worse at the bad commit
    reason: str = ""  # why it was skipped


@dataclass(frozen=True, slots=True, config=STRICT)
class BisectReport:
    """The result of a search: its steps, and the first bad commit, or those among which it is."""

    good: Commit
    bad: Commit
    steps: tuple[BisectStep, ...]
    suspects: tuple[Commit, ...]  # the newest first; one alone is the first bad commit
    change: GateReport  # the first bad commit compared with the one before it; if undecided, the two ends
    remarks: tuple[str, ...] = field(default=())
    schema_version: Literal["1"] = "1"

    @property
    def found(self) -> Commit | None:
        """The first bad commit; None if it could not be decided."""
        return self.suspects[0] if len(self.suspects) == 1 else None

    @property
    def exit_code(self) -> int:
        return CouldNotMeasure.exit_code if self.found is None else 0


class Looked(NamedTuple):
    """What to look for: a quantity of a workload."""

    subject: str
    metric: str


class History(Protocol):
    """The commits between two, and the comparison of any two of them."""

    def dividing(self, good: Sequence[str], bad: str) -> Sequence[str]:
        """Hashes of the commits after the good ones and before `bad`, those first that divide them best in halves."""

    def commit(self, name: str) -> Commit:
        """The commit of a hash."""

    def compare(self, base: Commit, head: Commit) -> GateReport:
        """Compare two commits by the rule of the gate."""


WORSE = (GateVerdict.CHANGED, GateVerdict.REGRESSED, GateVerdict.EXCEEDED)
_UNKNOWN = (GateVerdict.INVALID, GateVerdict.MISSING, GateVerdict.INCOMPARABLE, GateVerdict.NEW)


def worse(report: GateReport) -> frozenset[Looked]:
    """What is worse at the head of a comparison. Raises NotComparable or CouldNotMeasure if nothing is."""
    found = frozenset(
        Looked(one.subject, one.metric) for one in report.findings if one.verdict in WORSE and report.fails(one)
    )
    if found:
        return found
    ends = f"{report.head} is no worse than {report.base}"
    for one in report.ordered:
        if one.verdict is GateVerdict.INVALID:
            raise CouldNotMeasure(f"{one.subject} could not be run: {one.reason}")
        if one.verdict in _UNKNOWN:
            raise NotComparable(f"{one.subject} cannot be compared: {one.reason}")
        if one.verdict is GateVerdict.INCONCLUSIVE and not one.informal:
            raise CouldNotMeasure(f"{ends} as far as the noise shows: use more rounds, or two commits further apart.")
    raise NotComparable(f"{ends}: there is nothing to look for.")


def judge(commit: Commit, report: GateReport, looked: Collection[Looked]) -> BisectStep:
    """The verdict on a commit, from its comparison with the good one.

    It is bad if anything is worse that is worse at the bad commit, and skipped if that is not known.
    """
    findings = tuple(one for one in report.findings if (one.subject, one.metric) in looked)
    if any(one.verdict in WORSE for one in findings):
        return BisectStep(commit, StepVerdict.BAD, findings)
    for one in report.ordered:
        of_this = one.metric in ("", "cost", "measured") or one in findings  # or of the whole workload
        if of_this and one.verdict in _UNKNOWN:
            return BisectStep(commit, StepVerdict.SKIPPED, findings, one.reason)
        if one in findings and one.verdict is GateVerdict.INCONCLUSIVE:
            return BisectStep(commit, StepVerdict.SKIPPED, findings, one.reason or "the noise is too large to decide")
    return BisectStep(commit, StepVerdict.GOOD, findings)


Tell = Callable[[BisectStep, int], None]  # gets each step, and how many commits are left after it


def bisect(history: History, good: Commit, bad: Commit, ends: GateReport, tell: Tell) -> BisectReport:
    """Search the first bad commit. `ends` is the comparison of both ends. Raises NotComparable or CouldNotMeasure."""
    looked = worse(ends)
    steps: list[BisectStep] = []
    reports = {bad: ends}  # by the commit that was compared with the good one
    goods, first = [good.hash], bad
    left = history.dividing(goods, bad.hash)
    while chosen := _choose(left, steps):
        commit = history.commit(chosen)
        reports[commit] = history.compare(good, commit)
        step = judge(commit, reports[commit], looked)
        steps.append(step)
        if step.verdict is StepVerdict.GOOD:
            goods.append(commit.hash)
        elif step.verdict is StepVerdict.BAD:
            first = commit
        left = history.dividing(goods, first.hash)
        tell(step, len(left))
    if left:
        suspects = [first, *map(history.commit, left)]
        return BisectReport(good, bad, tuple(steps), tuple(sorted(suspects, key=_age, reverse=True)), ends)
    before = good if good.hash in first.parents else history.commit(first.parents[0])
    change = reports[first] if before == good else history.compare(before, first)
    return BisectReport(good, bad, tuple(steps), (first,), change, tuple(_remarks(before, first, change, looked)))


def _age(commit: Commit) -> datetime:
    return datetime.fromisoformat(commit.author_date)


def _choose(left: Sequence[str], steps: Sequence[BisectStep]) -> str | None:
    """The hash of the next commit to compare; None if all that are left were skipped.

    Broken commits come in rows, so after some the next one is further off the middle.
    """
    skipped = {step.commit.hash for step in steps}  # those with another verdict are not left
    open_ones = [name for name in left if name not in skipped]
    hops = len(left) - len(open_ones)
    return open_ones[len(open_ones) * hops // (hops + 3)] if open_ones else None


def _remarks(before: Commit, first: Commit, change: GateReport, looked: Collection[Looked]) -> Iterator[str]:
    if judge(first, change, looked).verdict is not StepVerdict.BAD:
        yield (
            f"Compared with {before}, the commit before it, it is not worse by more than is allowed: the change came "
            f"in several steps, or is close to what is allowed."
        )
    if first.is_merge:
        yield (
            f"It is a merge: `git log {first.parents[0][:9]}..{first.hash[:9]}` lists what it merged, and "
            f"--every-commit searches there too."
        )
