"""What a row says to whoever waits for it, as lines of JSON when the two are unlike processes."""

from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from backbone_bench.records import STRICT, Missing, Record

PENDING = Missing("pending", "not measured yet")  # in a record that is kept before it is whole


@dataclass(frozen=True, slots=True, config=STRICT)
class Phase:
    """What is being done, and how much of it is over where that is known."""

    name: str
    share: float | None = None
    kind: Literal["phase"] = "phase"


@dataclass(frozen=True, slots=True, config=STRICT)
class Kept:
    """The record as far as it is known: whatever happens next, this is not lost."""

    record: Record
    kind: Literal["kept"] = "kept"


@dataclass(frozen=True, slots=True, config=STRICT)
class Done:
    """The whole record."""

    record: Record
    kind: Literal["done"] = "done"


@dataclass(frozen=True, slots=True, config=STRICT)
class Failed:
    """Why there will be no more, in the words of a UserError, with its exit code."""

    message: str
    exit_code: int
    kind: Literal["failed"] = "failed"


Message = Phase | Kept | Done | Failed

MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
