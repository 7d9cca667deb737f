"""Verdicts on claims: the five values, the finding of one check, and how several verdicts combine."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class ClaimVerdict(StrEnum):
    """Verdict on a check or a claim, best first: a claim of several checks gets the worst verdict among them."""

    HOLDS = "holds"
    EXPLAINED = "explained"  # outside the tolerance, and a known cause, which is shown, explains it
    UNMEASURED = "unmeasured"  # the evidence that it needs is missing
    UNCLEAR = "unclear"  # the evidence does not decide: some is for the claim, some against
    FAILS = "fails"


def worst(verdicts: Iterable[ClaimVerdict]) -> ClaimVerdict:
    """The worst of these verdicts, by the order of `ClaimVerdict`.

    >>> worst([ClaimVerdict.HOLDS, ClaimVerdict.FAILS, ClaimVerdict.EXPLAINED])
    <ClaimVerdict.FAILS: 'fails'>
    """
    order = list(ClaimVerdict)
    return max(verdicts, key=order.index)


Origin = Literal["counted", "measured", "published"]


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """Result of one check: verdict, expected and found value, reason and working."""

    verdict: ClaimVerdict
    expected: str
    found: str = ""
    expected_value: float | None = None  # in base units; None if the expectation is not a number
    found_value: float | None = None
    ratio: float | None = None  # found over expected
    reason: str = ""  # the cause, the missing evidence, or the evidence against the claim
    working: tuple[str, ...] = ()
    origin: Origin = "counted"
    settings: int = 0  # number of independent settings that count as evidence
    here: str = ""  # our own measurement, with device and day
    printed: tuple[str, ...] = ()  # of a figure from the command line: who printed it, and who printed another
    needs_package: bool = False  # unmeasured because a package is not installed: never unexpected


class NoEvidence(Exception):
    """Raised if the evidence that a check needs is missing; the engine turns it into `unmeasured`."""


class NeedsPackage(NoEvidence):
    """Raised if a network can be counted only with a package that is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"needs: pip install 'backbone-bench[{package}]'")
