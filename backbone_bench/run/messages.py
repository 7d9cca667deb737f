"""Messages of a worker: requests to it and replies from it.

Between two processes each message is one line of JSON (JSON Lines); within one
process the same types are passed as they are.
"""

from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from backbone_bench.jobs.job import Job
from backbone_bench.jobs.turns import Needs, Ready, Sampled
from backbone_bench.records import STRICT, Environment, Record, Workload
from backbone_bench.records.missing import Count


@dataclass(frozen=True, slots=True, config=STRICT)
class Profile:
    """Request: run a job and reply with its record."""

    job: Job
    argv: tuple[str, ...]  # the command line of the program, for the record


@dataclass(frozen=True, slots=True, config=STRICT)
class ResolveJobs:
    """Request: resolve jobs to workload and environment without running them; one reply per job, in order."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True, config=STRICT)
class Live:
    """Request: run a job in turns with other processes. `jobs.turns` has the messages that follow."""

    task: Job  # a field `job` would make it a Profile to an older worker, which ignores the others
    argv: tuple[str, ...]
    cores: tuple[int, ...]  # to stay on while calls are timed; empty: all
    partners: Count  # processes that take turns with this one


@dataclass(frozen=True, slots=True, config=STRICT)
class Phase:
    """Progress: the current phase in words, and the share of the work that is done, from 0 to 1."""

    name: str
    share: float
    kind: Literal["phase"] = "phase"


@dataclass(frozen=True, slots=True, config=STRICT)
class Kept:
    """The record with everything measured so far: a later failure does not lose it."""

    record: Record
    kind: Literal["kept"] = "kept"


@dataclass(frozen=True, slots=True, config=STRICT)
class Done:
    """The complete record: the last message of a job that succeeded."""

    record: Record
    kind: Literal["done"] = "done"


@dataclass(frozen=True, slots=True, config=STRICT)
class Failed:
    """The job failed: the reason in one line, as in a UserError, and the exit code. No message follows."""

    message: str
    exit_code: int
    out_of_memory: bool = False
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True, config=STRICT)
class ResolvedJob:
    """The workload and environment that a job resolves to on this machine."""

    workload: Workload
    environment: Environment
    kind: Literal["here"] = "here"


UNKNOWN_REQUEST = "runs another version of backbone-bench, which does not know this request"  # of every version

WorkerRequest = Profile | ResolveJobs | Live
WorkerMessage = Phase | Kept | Done | Failed | ResolvedJob | Needs | Ready | Sampled

REQUEST: TypeAdapter[WorkerRequest] = TypeAdapter(WorkerRequest)
MESSAGE: TypeAdapter[WorkerMessage] = TypeAdapter(WorkerMessage)
