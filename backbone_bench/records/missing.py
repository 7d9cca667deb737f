"""What every part of a record is made with."""

from typing import TypeAlias, TypeVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

# Nothing is coerced ("3" is no number), and what is not finite is no measurement.
STRICT = ConfigDict(strict=True, allow_inf_nan=False)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, config=STRICT)
class Missing:
    """Why something is not there: a stable id for programs, a sentence for people."""

    missing: str
    message: str


Known: TypeAlias = T | Missing
