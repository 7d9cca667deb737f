"""Data of a gate's report: verdicts, findings and exit codes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic.dataclasses import dataclass

from backbone_bench.records import STRICT


class GateVerdict(StrEnum):
    """Verdict on one quantity; the order is that of the report: failures first, `pass` last."""

    INVALID = "invalid"  # a side could not be run
    REGRESSED = "regressed"  # significantly worse, and by more than is allowed
    EXCEEDED = "exceeded"  # a count is above the limit that a tolerance sets
    CHANGED = "changed"  # a count differs, for better or worse
    MISSING = "missing"  # only the baseline has it
    INCOMPARABLE = "incomparable"  # the two sides were not measured under the same conditions
    INCONCLUSIVE = "inconclusive"  # too much noise to decide
    NEW = "new"  # the baseline does not have it
    IMPROVED = "improved"
    PASS = "pass"


Direction = Literal["worse", "better", "other"]


class NextStep(NamedTuple):
    """Advice on a verdict, and which command of the report carries it out, if any."""

    text: str
    command: Literal["", "again", "accept"] = ""


class VerdictRow(NamedTuple):
    """How a report shows and handles a verdict, without the numbers of a finding."""

    meaning: str  # below the table
    exit_code: int = 0  # of a finding that is not informational
    junit: Literal["error", "failure"] = "failure"  # if it fails
    warns: bool = True  # gets a warning on GitHub if it does not fail
    decided: bool = False  # a passed test case in JUnit if it does not fail; otherwise a skipped one
    says: str = ""  # verb phrase about a workload; empty if `report.sentences` has a function for the verdict
    next_steps: tuple[NextStep, ...] = ()


_ACCEPT = NextStep("If the change is intended, accept it and give the reason:", "accept")

# The table of all verdicts. A new verdict is a row here, and a function of `report.sentences` if it has numbers.
VERDICTS: Mapping[GateVerdict, VerdictRow] = {
    GateVerdict.INVALID: VerdictRow(
        "could not be run",
        exit_code=3,
        junit="error",
        says="could not be run",
        next_steps=(NextStep("Fix what could not be run: the reason is given above."),),
    ),
    GateVerdict.REGRESSED: VerdictRow(
        "significantly worse, and by more than is allowed",
        exit_code=1,
        next_steps=(NextStep("Run the gate again after a fix:", "again"),),
    ),
    GateVerdict.EXCEEDED: VerdictRow(
        "a count is above the limit of its tolerance",
        exit_code=1,
        says="is above its limit",
        next_steps=(NextStep("Bring the count below its limit, or change the limit where it stands."),),
    ),
    GateVerdict.CHANGED: VerdictRow("a count differs from the baseline", exit_code=1, next_steps=(_ACCEPT,)),
    GateVerdict.MISSING: VerdictRow(
        "in the baseline, but not compared now",
        exit_code=3,
        junit="error",
        says="is in the baseline, but was not compared now",
        next_steps=(
            NextStep("Add what is missing to the run, or say that the run is a part of the baseline (--part)."),
            NextStep("If it is gone for good or has a new name, drop the old entry and give the reason:", "accept"),
        ),
    ),
    GateVerdict.INCOMPARABLE: VerdictRow(
        "not measured under the same conditions",
        exit_code=4,
        junit="error",
        says="cannot be compared: the baseline was measured under other conditions",
        next_steps=(
            NextStep(
                "Measure both sides on one machine (--base-ref REVISION in place of --baseline FILE), "
                "or make the new measurements of this machine the baseline:",
                "accept",
            ),
        ),
    ),
    GateVerdict.INCONCLUSIVE: VerdictRow(
        "too much noise to decide",
        next_steps=(
            NextStep(
                "For a verdict, use more rounds (--rounds 10), a quieter machine or one thread (--threads 1); "
                "--calibrate shows the smallest change that this machine can detect."
            ),
        ),
    ),
    GateVerdict.NEW: VerdictRow("not in the baseline", junit="error", warns=False),
    GateVerdict.IMPROVED: VerdictRow(
        "significantly better, and by more than the allowed change; of a count: lower, where a tolerance allows it",
        warns=False,
        decided=True,
    ),
    GateVerdict.PASS: VerdictRow("the same, or shown to be no worse than is allowed", warns=False, decided=True),
}
_NEVER_ACCEPTED = (GateVerdict.INVALID, GateVerdict.EXCEEDED)
_FIRST = (2, 3, 1, 4)  # precedence of exit codes if several apply


@dataclass(frozen=True, slots=True, config=STRICT)
class MeasuredChange:
    """Head over base as a ratio, with one-sided 95 % confidence bounds; a bound is None if unknown or infinite."""

    ratio: float
    low: float | None
    high: float | None
    rounds: int
    source: Literal["rounds", "calibration"] = "rounds"  # of the noise behind the bounds


@dataclass(frozen=True, slots=True, config=STRICT)
class CostChange:
    """Change of the cost of one kind of operation in one module, per call: head minus base."""

    module: str  # dotted path; empty for the model itself
    op: str
    flops: int
    access_elems: int
    traffic_elems: int
    ops: int
    state: Literal["changed", "added", "removed"]


@dataclass(frozen=True, slots=True, config=STRICT)
class GateFinding:
    """The verdict on one quantity of one workload, with the numbers behind it."""

    subject: str  # the workload in words, the same on both sides
    metric: str  # key of the quantity, such as `flops` or `wall_s`; empty if the finding is about all of them
    verdict: GateVerdict
    base: int | float | str | None = None
    head: int | float | str | None = None
    change: MeasuredChange | None = None
    threshold: float | None = None  # the share by which it may get worse; None for a count without a tolerance
    limit: float | None = None  # of a count, from a tolerance
    detectable: float | None = None  # minimum detectable effect at 80 % power, as a share
    confirmed: MeasuredChange | None = None  # the rerun of a regression
    moved: tuple[CostChange, ...] = ()  # modules whose counts changed
    direction: Direction | None = None  # of a changed count
    reason: str = ""
    informal: bool = False  # for information, no reason to fail: one process per side, or an informational quantity
    exit_code: int | None = None  # of a side that could not be run, or of a file that does not exist
    accepted: str | None = None  # the reason, if the tree accepts these numbers

    @property
    def is_unjudged(self) -> bool:
        """Whether one process per side measured it, which shows nothing of the noise between processes."""
        once = self.change is not None and self.change.rounds == 1
        return self.verdict is GateVerdict.INCONCLUSIVE and self.informal and once


@dataclass(frozen=True, slots=True, config=STRICT)
class Acknowledgement:
    """Log entry of the baseline: changes that the user accepted, and the reason."""

    at_utc: str
    reason: str
    tool: str  # version of backbone-bench
    changes: tuple[str, ...]  # the headlines of the report


@dataclass(frozen=True, slots=True, config=STRICT)
class GateReport:
    """The report of one gate: all findings, remarks, commands and the exit code."""

    base: str  # the baseline in words: a file, a revision
    head: str
    findings: tuple[GateFinding, ...]
    remarks: tuple[str, ...] = ()
    acknowledged: str | None = None  # the reason for accepting the changes; None: not accepted
    again: str = ""  # the command that made this report
    accept: str = ""  # the command that accepts the changes
    fail_on: tuple[GateVerdict, ...] = ()  # further verdicts that fail, from --fail-on
    schema_version: Literal["1"] = "1"

    @property
    def ordered(self) -> tuple[GateFinding, ...]:
        """The findings in the order of their verdicts: failures first."""
        order = list(GateVerdict)
        return tuple(sorted(self.findings, key=lambda found: order.index(found.verdict)))

    def code(self, found: GateFinding) -> int:
        """The exit code of a finding; 0 if it is not a failure.

        An accepted finding is not a failure, unless a side could not be run or a limit is exceeded. Otherwise a
        verdict in `fail_on` is one, for an informational finding too.
        """
        if self.acknowledged is not None and found.verdict not in _NEVER_ACCEPTED:
            return 0
        if found.accepted is not None:
            return 0
        if found.exit_code is not None:
            return found.exit_code
        if found.verdict in self.fail_on:
            return 1
        return 0 if found.informal else VERDICTS[found.verdict].exit_code

    def fails(self, found: GateFinding) -> bool:
        """Whether a finding is a failure; the exit code, JUnit, GitHub and every sentence use this answer."""
        return self.code(found) != 0

    @property
    def exit_code(self) -> int:
        """The exit code of the gate: the first of 2, 3, 1, 4 that any finding has, else 0."""
        codes = set(map(self.code, self.findings))
        return next((code for code in _FIRST if code in codes), max(codes, default=0))

    @property
    def could_not_run(self) -> tuple[str, ...]:
        """The workloads of which a side could not be run: then no baseline is written."""
        return tuple(found.subject for found in self.findings if found.verdict is GateVerdict.INVALID)

    @property
    def verdict(self) -> GateVerdict:
        """The most serious verdict of the findings that are neither informational nor accepted."""
        counting = [found for found in self.ordered if not found.informal and found.accepted is None]
        return counting[0].verdict if counting else GateVerdict.PASS
