"""What every part of a record is made with."""

from typing import Annotated, TypeAlias, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import CouldNotMeasure

# Nothing is coerced ("3" is no number), and what is not finite is no measurement.
STRICT = ConfigDict(strict=True, allow_inf_nan=False)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, config=STRICT)
class Missing:
    """Why something is not there: a stable id for programs, a sentence for people."""

    missing: str
    message: str


Known: TypeAlias = T | Missing

NOT_ASKED = Missing("not_asked", "was not asked for")


def was_asked(part: object) -> bool:
    """Whether a part of a record is there, or is missing for another reason than that nobody wanted it."""
    return not (isinstance(part, Missing) and part.missing == NOT_ASKED.missing)


PENDING = Missing("pending", "not measured yet")  # in a record that is kept before it is whole


def known(part: T | Missing) -> T:
    """The part itself, to a type checker too. Raises CouldNotMeasure, with the reason, where it is missing."""
    if isinstance(part, Missing):
        raise CouldNotMeasure(part.message)
    return part


# A record may come from anywhere, and every figure is made of others: within these bounds no sum, ratio or square of
# them is more than a number can hold.
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
SignedCount = Annotated[int, Field(gt=-(1 << 63), lt=1 << 63)]  # of a count
Batch = Annotated[int, Field(ge=1, le=1 << 31)]

_LEAST, _MOST = 1e-18, 1e18


def _measurable(value: float) -> float:
    if value and not _LEAST <= abs(value) <= _MOST:
        raise ValueError(f"what is measured is 0, or lies between {_LEAST:g} and {_MOST:g}")
    return value


def _all_measurable(values: tuple[float, ...]) -> tuple[float, ...]:
    """Once for all: a record has thousands of samples."""
    sizes = [abs(value) for value in values if value]
    for value in (min(sizes), max(sizes)) if sizes else ():
        _measurable(value)
    return values


MeasuredValue = Annotated[float, AfterValidator(_measurable)]  # seconds, joules, watts, hertz
MeasuredValues = Annotated[tuple[float, ...], AfterValidator(_all_measurable)]
Times = Annotated[tuple[Annotated[float, Field(ge=0)], ...], AfterValidator(_all_measurable)]  # in seconds
