"""Where a fleet ran a row: the engine's names of the job and the node, and who shared the node."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import EngineName, Sharing
from backbone_bench.records.missing import STRICT, Count, Known


@dataclass(frozen=True, slots=True, config=STRICT)
class Placement:
    """The row of a plan that a record answers, and the place where an engine ran it."""

    plan: str  # the same in all records of the sweep
    row: Annotated[int, Field(ge=1)]  # of the plan, which never numbers a row anew
    engine: EngineName
    node: str  # the engine's name of the machine
    job: str | None  # the engine's id of the job; None if the engine has no jobs
    kind: str | None  # the kind of card that the row was planned for; None: any
    sharing: Sharing
    neighbours: Known[Count]  # the most jobs that the engine ran on the node beside this one
    differs: tuple[str, ...] = ()  # versions on the node that are not those of the plan
