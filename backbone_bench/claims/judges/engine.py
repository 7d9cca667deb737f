"""Engine of claims: judges claims with evidence. It is generic: everything about a claim is in the claim's data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backbone_bench.claims.data.checks import (
    BoundCheck,
    Check,
    CorrelationCheck,
    CountCheck,
    DeltaCheck,
    FamilyCheck,
    LawCheck,
    NeedsCheck,
    OrderCheck,
    PairCheck,
    RanksCheck,
    RatioCheck,
    TableCheck,
    ValueCheck,
)
from backbone_bench.claims.data.papers import ClaimEntry
from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict, NeedsPackage, NoEvidence, worst
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges.clock import judge_clock
from backbone_bench.claims.judges.counted import judge_bound, judge_figure, judge_order
from backbone_bench.claims.judges.swept import judge_family, judge_law, judge_table, judge_value


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of a claim with its finding, counted or measured, and the finding from published measurements."""

    check: Check
    finding: CheckFinding
    published: CheckFinding | None = None


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim with the results of its checks."""

    entry: ClaimEntry
    judged: tuple[CheckResult, ...]

    @property
    def verdict(self) -> ClaimVerdict:
        """The worst verdict of the checks that are not `aside`."""
        return worst(part.finding.verdict for part in self.judged if not part.check.aside)

    @property
    def fails(self) -> bool:
        return self.verdict is ClaimVerdict.FAILS

    @property
    def command(self) -> str:
        """The command that measures the claim; empty if a verdict was found, or if no clock decides it."""
        clocked = [part.check for part in self.judged if isinstance(part.check, CLOCK) and not part.check.aside]
        if self.verdict is not ClaimVerdict.UNMEASURED or not clocked:
            return ""
        device, name = ("cuda" if clocked[0].device == "gpu" else "cpu"), self.entry.claim.id
        if isinstance(clocked[0], CorrelationCheck):
            file = f"{device}.jsonl"
            return f"bench run --all --device {device} -o {file} && bench claims {name} --records {file}"
        return f"bench claims {name} --measure --device {device}"

    @property
    def published(self) -> ClaimVerdict | None:
        """The verdict from published measurements; None if they decide no check."""
        verdicts = [part.published.verdict for part in self.judged if part.published and not part.check.aside]
        decided = [verdict for verdict in verdicts if verdict is not ClaimVerdict.UNMEASURED]
        return worst(decided) if decided else None

    @property
    def is_expected(self) -> bool:
        """Whether the claim's own verdict is the expected one; a device that is not available is never unexpected."""
        parts = [part for part in self.judged if not part.check.aside]
        return _as_expected(self.verdict, self.entry.claim.expects, parts)

    @property
    def unexpected(self) -> tuple[str, ...]:
        """One sentence for each verdict of the claim or a check that is not the expected one; any of them is exit 1."""
        return tuple(_unexpected(self))


CLOCK = (PairCheck, CorrelationCheck, RanksCheck)


def judge(entry: ClaimEntry, evidence: Evidence) -> ClaimResult:
    """Check one claim."""
    return ClaimResult(entry, tuple(_judge_part(check, entry, evidence) for check in entry.claim.check))


def judge_all(entries: Iterable[ClaimEntry], evidence: Evidence) -> tuple[ClaimResult, ...]:
    """Check these claims, in order."""
    return tuple(judge(entry, evidence) for entry in entries)


def _judge_part(check: Check, entry: ClaimEntry, evidence: Evidence) -> CheckResult:
    try:
        if isinstance(check, CLOCK):
            ours, *published = judge_clock(check, evidence, entry.paper.key)
            return CheckResult(check, ours, *published)
        return CheckResult(check, _JUDGES[type(check)](check, evidence, entry.factor))
    except NoEvidence as missing:
        return CheckResult(
            check,
            CheckFinding(
                ClaimVerdict.UNMEASURED, "", reason=str(missing), needs_package=isinstance(missing, NeedsPackage)
            ),
        )


def _judge_needs(check: NeedsCheck, _evidence: Evidence, _per_multiply_add: int) -> CheckFinding:
    return CheckFinding(ClaimVerdict.UNMEASURED, check.published, reason=f"needs {check.needs}")


_JUDGES: Mapping[type, Callable[[Any, Evidence, int], CheckFinding]] = {
    CountCheck: judge_figure,
    RatioCheck: judge_figure,
    DeltaCheck: judge_figure,
    OrderCheck: judge_order,
    BoundCheck: judge_bound,
    LawCheck: judge_law,
    ValueCheck: judge_value,
    FamilyCheck: judge_family,
    TableCheck: judge_table,
    NeedsCheck: _judge_needs,
}


def _unexpected(outcome: ClaimResult) -> Iterable[str]:
    claim = outcome.entry.claim
    if not outcome.is_expected:
        yield f"{claim.id}: {outcome.verdict}, expected {claim.expects}"
    if claim.published and outcome.published and claim.published != outcome.published:
        yield f"{claim.id}: {outcome.published} (published), expected {claim.published}"
    for number, part in enumerate(outcome.judged, start=1):
        expected = part.check.expects
        if expected and not _as_expected(part.finding.verdict, expected, [part]):
            yield f"{claim.id}, check {number}: {part.finding.verdict}, expected {expected}"
        expected = part.check.expects_published
        if expected and part.published and part.published.verdict != expected:
            yield f"{claim.id}, check {number}: {part.published.verdict} (published), expected {expected}"


def _as_expected(verdict: ClaimVerdict, expected: ClaimVerdict, parts: Sequence[CheckResult]) -> bool:
    """Whether a verdict is the expected one. A device or package that is not here never counts as unexpected."""
    if verdict is ClaimVerdict.UNMEASURED and any(
        part.finding.needs_package or isinstance(part.check, (*CLOCK, NeedsCheck)) for part in parts
    ):
        return True
    return verdict == expected
