"""What a gate finds, as data: verdicts, the findings behind them, and the exit code they come to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic.dataclasses import dataclass

from backbone_bench.records import STRICT


class GateVerdict(StrEnum):
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


Direction = Literal["worse", "better", "other"]


class NextStep(NamedTuple):
    """What to do about a verdict, and which of the report's commands does it."""

    text: str
    command: Literal["", "again", "accept"] = ""


class VerdictRow(NamedTuple):
    """Everything that a report says and does about a verdict, but for its numbers."""

    meaning: str  # below the table
    exit_code: int = 0  # of a finding that counts
    junit: Literal["error", "failure"] = "failure"  # where it fails
    warns: bool = True  # an annotation on GitHub where it does not fail
    decided: bool = False  # a test passed, and not skipped, where it does not fail
    says: str = ""  # of a workload, in a sentence; empty where `report.sentences` has its own words
    next_steps: tuple[NextStep, ...] = ()


_ACCEPT = NextStep("Where the change is meant, say why, and it is accepted:", "accept")

# The one table of verdicts: a new one is a row here, and a function of `report.sentences` where it has numbers to tell.
VERDICTS: Mapping[GateVerdict, VerdictRow] = {
    GateVerdict.INVALID: VerdictRow(
        "could not be run",
        exit_code=3,
        junit="error",
        says="could not be run",
        next_steps=(NextStep("Mend what could not be run: the reason stands above."),),
    ),
    GateVerdict.REGRESSED: VerdictRow(
        "certainly worse, and by more than is allowed",
        exit_code=1,
        next_steps=(NextStep("See whether it is gone:", "again"),),
    ),
    GateVerdict.CHANGED: VerdictRow(
        "a count is another than in the baseline, and nobody has accepted that", exit_code=1, next_steps=(_ACCEPT,)
    ),
    GateVerdict.MISSING: VerdictRow(
        "in the baseline, and not here",
        exit_code=3,
        junit="error",
        says="is in the baseline and was not measured now",
        next_steps=(_ACCEPT,),
    ),
    GateVerdict.INCOMPARABLE: VerdictRow(
        "not measured under the same conditions",
        exit_code=4,
        junit="error",
        says="cannot be compared: the baseline was made under other conditions",
        next_steps=(
            NextStep(
                "Have both sides measured on one machine (--base-ref REVISION in place of --baseline FILE), "
                "or take what this machine has measured as the baseline:",
                "accept",
            ),
        ),
    ),
    GateVerdict.INCONCLUSIVE: VerdictRow(
        "too much noise to say",
        next_steps=(
            NextStep(
                "For a verdict, take more rounds (--rounds 10), a quieter machine or one thread (--threads 1); "
                "--calibrate says which change this machine can see."
            ),
        ),
    ),
    GateVerdict.NEW: VerdictRow("not in the baseline", warns=False),
    GateVerdict.IMPROVED: VerdictRow(
        "certainly better, and by more than is allowed the other way", warns=False, decided=True
    ),
    GateVerdict.PASS: VerdictRow("the same, or certainly no worse than is allowed", warns=False, decided=True),
}
_FIRST = (2, 3, 1, 4)  # of the exit codes, where several apply


@dataclass(frozen=True, slots=True, config=STRICT)
class MeasuredChange:
    """Head over base as a ratio, with one-sided 95 % bounds; None where one round alone has none."""

    ratio: float
    low: float | None
    high: float | None
    rounds: int
    source: Literal["rounds", "calibration"] = "rounds"  # of the noise that the bounds are made of


@dataclass(frozen=True, slots=True, config=STRICT)
class CostChange:
    """What an operation kind of one module costs more (or less) than before, in one pass."""

    module: str  # dotted path; empty for the model itself
    op: str
    flops: int
    access_elems: int
    traffic_elems: int
    ops: int
    state: Literal["changed", "added", "removed"]


@dataclass(frozen=True, slots=True, config=STRICT)
class GateFinding:
    """What became of one quantity of one workload."""

    subject: str  # the workload in words, the same on both sides
    metric: str  # the quantity with its unit, `flops`, `wall_s`; empty where it is about all of them
    verdict: GateVerdict
    base: int | float | str | None = None
    head: int | float | str | None = None
    change: MeasuredChange | None = None
    threshold: float | None = None  # the share that it may be worse; None for what is exact
    detectable: float | None = None  # the least change seen four times in five
    confirmed: MeasuredChange | None = None  # the rerun of what had regressed
    moved: tuple[CostChange, ...] = ()  # where within the model an exact cost changed
    direction: Direction | None = None  # of an exact change
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
class GateReport:
    """All findings of one gate, and what a reader must know to understand them."""

    base: str  # the baseline in words: a file, a revision
    head: str
    findings: tuple[GateFinding, ...]
    remarks: tuple[str, ...] = ()
    acknowledged: str | None = None  # the reason given for what changed
    again: str = ""  # the command that made this report
    accept: str = ""  # the command that acknowledges what changed
    fail_on: tuple[GateVerdict, ...] = ()  # verdicts that fail too, because the user says so
    schema_version: Literal["1"] = "1"

    @property
    def ordered(self) -> tuple[GateFinding, ...]:
        """The findings as a reader wants them: what fails first."""
        order = list(GateVerdict)
        return tuple(sorted(self.findings, key=lambda found: order.index(found.verdict)))

    def code(self, found: GateFinding) -> int:
        """The exit code that a finding asks for; 0 where it is no failure.

        What is acknowledged is none, unless it could not be run; what `fail_on` names is one, informal or not.
        """
        if self.acknowledged is not None and found.verdict is not GateVerdict.INVALID:
            return 0
        if found.exit_code is not None:
            return found.exit_code
        if found.verdict in self.fail_on:
            return 1
        return 0 if found.informal else VERDICTS[found.verdict].exit_code

    def fails(self, found: GateFinding) -> bool:
        """Whether a finding is a failure: the one answer for the exit code, JUnit, GitHub and every sentence."""
        return self.code(found) != 0

    @property
    def exit_code(self) -> int:
        """0, or the first of 2, 3, 1, 4 that any finding asks for."""
        codes = set(map(self.code, self.findings))
        return next((code for code in _FIRST if code in codes), 0)

    @property
    def verdict(self) -> GateVerdict:
        """The most serious of those that count."""
        counting = [found for found in self.ordered if not found.informal]
        return counting[0].verdict if counting else GateVerdict.PASS
