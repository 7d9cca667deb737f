"""What a gate finds, as data: verdicts, the findings behind them, and the exit code they come to."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Literal

from pydantic.dataclasses import dataclass

from backbone_bench.records import STRICT


class Verdict(StrEnum):
    """In the order in which a reader wants to see them: what fails first, what is fine last."""

    INVALID = "invalid"  # a side could not be run
    REGRESSED = "regressed"  # certainly worse, and by more than is allowed
    CHANGED = "changed"  # a cost on paper is another, better or worse
    MISSING = "missing"  # the baseline has it, and now it is not there
    INCOMPARABLE = "incomparable"  # the two sides were not measured under the same conditions
    INCONCLUSIVE = "inconclusive"  # the noise allows both
    NEW = "new"  # the baseline has nothing to compare it with
    IMPROVED = "improved"
    PASS = "pass"


_EXIT_CODES = {
    Verdict.INVALID: 3,
    Verdict.REGRESSED: 1,
    Verdict.CHANGED: 1,
    Verdict.MISSING: 3,
    Verdict.INCOMPARABLE: 4,
}
_FIRST = (2, 3, 1, 4)  # where several apply


@dataclass(frozen=True, slots=True, config=STRICT)
class Change:
    """Head over base as a ratio, with one-sided 95 % bounds; None where one round alone has none."""

    ratio: float
    low: float | None
    high: float | None
    rounds: int
    source: Literal["rounds", "calibration"] = "rounds"  # of the noise that the bounds are made of


@dataclass(frozen=True, slots=True, config=STRICT)
class Moved:
    """What an operation kind of one module costs more (or less) than before, in one pass."""

    module: str  # dotted path; empty for the model itself
    op: str
    flops: int
    access_elems: int
    traffic_elems: int
    ops: int
    state: Literal["changed", "added", "removed"]


@dataclass(frozen=True, slots=True, config=STRICT)
class Finding:
    """What became of one quantity of one workload."""

    subject: str  # the workload in words, the same on both sides
    metric: str  # the quantity with its unit, `flops`, `wall_s`; empty where it is about all of them
    verdict: Verdict
    base: int | float | str | None = None
    head: int | float | str | None = None
    change: Change | None = None
    threshold: float | None = None  # the share that it may be worse; None for what is exact
    detectable: float | None = None  # the least change seen four times in five
    confirmed: Change | None = None  # the rerun of what had regressed
    moved: tuple[Moved, ...] = ()  # where within the model an exact cost changed
    reason: str = ""
    informal: bool = False  # shown, and no reason to fail: one process a side, or a quantity for information
    exit_code: int | None = None  # of a side that failed on its own


@dataclass(frozen=True, slots=True, config=STRICT)
class Acknowledgement:
    """Why exact costs were allowed to change, kept in the baseline for good."""

    at_utc: str
    reason: str
    tool: str  # version and commit
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=STRICT)
class Report:
    """All findings of one gate, and what a reader must know to understand them."""

    base: str  # the baseline in words: a file, a revision
    head: str
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
    acknowledged: str | None = None  # the reason given for what changed
    again: str = ""  # the command that made this report
    accept: str = ""  # the command that acknowledges what changed
    schema_version: Literal["1"] = "1"

    @property
    def ordered(self) -> tuple[Finding, ...]:
        """The findings as a reader wants them: what fails first."""
        order = list(Verdict)
        return tuple(sorted(self.findings, key=lambda found: order.index(found.verdict)))

    @property
    def verdict(self) -> Verdict:
        """The most serious of those that count."""
        counting = [found for found in self.ordered if not found.informal]
        return counting[0].verdict if counting else Verdict.PASS


def exit_code(report: Report, fail_on: Collection[Verdict] = ()) -> int:
    """0, or the first of 2, 3, 1, 4 that any finding asks for; what `fail_on` names fails with 1, informal or not."""
    codes = set(_codes(report.findings, fail_on, acknowledged=report.acknowledged is not None))
    return next((code for code in _FIRST if code in codes), 0)


def _codes(findings: Iterable[Finding], fail_on: Collection[Verdict], *, acknowledged: bool) -> Iterable[int]:
    for found in findings:
        if acknowledged and found.verdict is not Verdict.INVALID:
            continue
        if found.exit_code is not None:
            yield found.exit_code
        elif found.verdict in fail_on:
            yield 1
        elif not found.informal:
            yield _EXIT_CODES.get(found.verdict, 0)
