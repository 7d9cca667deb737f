"""What a row is asked and what it says to whoever waits for it, as lines of JSON when the two are unlike processes."""

from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from backbone_bench.jobs import Job
from backbone_bench.records import STRICT, Environment, Missing, Record

PENDING = Missing("pending", "not measured yet")  # in a record that is kept before it is whole


@dataclass(frozen=True, slots=True, config=STRICT)
class Asked:
    """A job, and whether its record is wanted or only where it would run."""

    job: Job
    argv: tuple[str, ...]  # how the program was called, for the record
    wanted: Literal["record", "environment"] = "record"


@dataclass(frozen=True, slots=True, config=STRICT)
class Phase:
    """What is being done, and which share of it is over."""

    name: str
    share: float
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


@dataclass(frozen=True, slots=True, config=STRICT)
class Here:
    """Where the job would run."""

    environment: Environment
    kind: Literal["here"] = "here"


Message = Phase | Kept | Done | Failed | Here

ASKED: TypeAdapter[Asked] = TypeAdapter(Asked)
MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
