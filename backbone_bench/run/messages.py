"""What a row is asked and what it says to whoever waits for it, as lines of JSON when the two are unlike processes."""

from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from backbone_bench.jobs.job import Job
from backbone_bench.records import STRICT, Environment, Record, Workload


@dataclass(frozen=True, slots=True, config=STRICT)
class Profile:
    """A job whose record is wanted."""

    job: Job
    argv: tuple[str, ...]  # how the program was called, for the record


@dataclass(frozen=True, slots=True, config=STRICT)
class ResolveJobs:
    """Jobs of which only is wanted what they come to here; one answer each, in order."""

    jobs: tuple[Job, ...]


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
class ResolvedJob:
    """What a job would run, and where."""

    workload: Workload
    environment: Environment
    kind: Literal["here"] = "here"


WorkerRequest = Profile | ResolveJobs
WorkerMessage = Phase | Kept | Done | Failed | ResolvedJob

REQUEST: TypeAdapter[WorkerRequest] = TypeAdapter(WorkerRequest)
MESSAGE: TypeAdapter[WorkerMessage] = TypeAdapter(WorkerMessage)
