"""What the check of a claim comes to: five verdicts, the findings behind them, and how they join."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class ClaimVerdict(StrEnum):
    """The better ones first: a claim of several parts is as good as its worst part."""

    HOLDS = "holds"
    EXPLAINED = "explained"  # differs, and the reason is known and shown
    UNMEASURED = "unmeasured"  # needs evidence that is not here
    UNCLEAR = "unclear"  # the evidence lies on both sides
    FAILS = "fails"


def worst(verdicts: Iterable[ClaimVerdict]) -> ClaimVerdict:
    """
    >>> worst([Verdict.HOLDS, Verdict.FAILS, Verdict.EXPLAINED])
    <Verdict.FAILS: 'fails'>
    """
    order = list(ClaimVerdict)
    return max(verdicts, key=order.index)


Origin = Literal["counted", "measured", "published"]


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """What one check of a claim came to."""

    verdict: ClaimVerdict
    expected: str
    found: str = ""
    expected_value: float | None = None  # in base units, where it is a number
    found_value: float | None = None
    ratio: float | None = None  # found over expected
    reason: str = ""  # the cause, the missing evidence, or what speaks against
    working: tuple[str, ...] = ()
    origin: Origin = "counted"
    settings: int = 0  # independent settings behind a published finding
    here: str = ""  # what was measured by us, on which device and day


class NoEvidence(Exception):
    """What a check needs and nobody has handed in; the judge turns it into `unmeasured`."""
