"""Building blocks of every record class: missing values, strict validation and the ranges of numbers."""

from typing import Annotated, TypeAlias, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import CouldNotMeasure

# No value is coerced ("3" is not a number); NaN and infinity are not measurements.
STRICT = ConfigDict(strict=True, allow_inf_nan=False)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, config=STRICT)
class Missing:
    """The reason why a value is missing: a stable id for programs, a sentence for people."""

    missing: str
    message: str


Known: TypeAlias = T | Missing

NOT_REQUESTED = Missing("not_asked", "was not requested")


def was_requested(part: object) -> bool:
    """Whether a part of a record was requested: it is there, or is missing for another reason than `NOT_REQUESTED`."""
    return not (isinstance(part, Missing) and part.missing == NOT_REQUESTED.missing)


PENDING = Missing("pending", "not measured yet")  # in a record that is stored before it is complete


def known(part: T | Missing) -> T:
    """The value itself, also for a type checker. Raises CouldNotMeasure with the reason if it is missing."""
    if isinstance(part, Missing):
        raise CouldNotMeasure(part.message)
    return part


# A record may come from any program, and derived values are computed from others: within these bounds no sum, ratio or
# square overflows a float.
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
SignedCount = Annotated[int, Field(gt=-(1 << 63), lt=1 << 63)]  # a difference of counts
Batch = Annotated[int, Field(ge=1, le=1 << 31)]

_LEAST, _MOST = 1e-18, 1e18


def _measurable(value: float) -> float:
    if value and not _LEAST <= abs(value) <= _MOST:
        raise ValueError(f"a measured value is 0, or its size is between {_LEAST:g} and {_MOST:g}")
    return value


def _all_measurable(values: tuple[float, ...]) -> tuple[float, ...]:
    """Check only the extremes: a record has thousands of samples."""
    sizes = [abs(value) for value in values if value]
    for value in (min(sizes), max(sizes)) if sizes else ():
        _measurable(value)
    return values


# A bound stands before the validator of the same type: the JSON Schema has no keyword for one that stands behind.
MeasuredValue = Annotated[float, AfterValidator(_measurable)]  # seconds, joules, watts, hertz
PositiveValue = Annotated[float, Field(gt=0), AfterValidator(_measurable)]
MeasuredValues = Annotated[tuple[float, ...], AfterValidator(_all_measurable)]
SomeMeasuredValues = Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_all_measurable)]
_Time = Annotated[float, Field(ge=0)]  # in seconds
Times = Annotated[tuple[_Time, ...], AfterValidator(_all_measurable)]
SomeTimes = Annotated[tuple[_Time, ...], Field(min_length=1), AfterValidator(_all_measurable)]
