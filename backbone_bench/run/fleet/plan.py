"""The plan of a fleet: its rows, each with a number of its own, in a file beside the records.

`sweep.jsonl` has its plan in `sweep.plan.jsonl`: the first line says how the rows are to be run, and each further line
is a row. A row keeps its number for ever; what is asked for later is added at the end. The folder `sweep.fleet` holds
what the machines write: a file of records and one of events for each writer, so that no two machines write one file.
"""

import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import EngineName, Sharing
from backbone_bench.base.errors import UserError, visible
from backbone_bench.base.program import now_utc
from backbone_bench.base.validation import first_problem
from backbone_bench.jobs.job import Job
from backbone_bench.records import STRICT, store
from backbone_bench.run.fleet import versions
from backbone_bench.run.fleet.versions import Versions

T = TypeVar("T")
_NO_EXTRA = ConfigDict(**STRICT, extra="forbid")


@dataclass(frozen=True, slots=True, config=_NO_EXTRA)
class Conditions:
    """How the rows of a plan are to be run, on whatever machine."""

    id: str
    engine: EngineName
    address: str | None  # of the engine: a Ray cluster; of `local`, the number of devices
    sharing: Sharing
    mixed: bool  # whether other versions than those of the plan are allowed, and marked
    timeout_s: float | None  # of a row
    words: tuple[str, ...]  # further options for the engine's own command
    rows_per_job: int | None  # None: as few as the engine allows
    created_utc: str
    folder: str  # the working folder
    variables: Mapping[str, str]  # of the environment, those that change what torch does
    versions: Versions
    format: Literal[1] = 1

    @classmethod
    def of(  # noqa: PLR0913  # the options of a fleet
        cls,
        engine: EngineName,
        address: str | None = None,
        *,
        sharing: Sharing = "exclusive",
        mixed: bool = False,
        timeout_s: float | None = None,
        words: Sequence[str] = (),
        rows_per_job: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> "Conditions":
        """The conditions of a new plan, made here and now."""
        return cls(
            id=secrets.token_hex(6),
            engine=engine,
            address=address,
            sharing=sharing,
            mixed=mixed,
            timeout_s=timeout_s,
            words=tuple(words),
            rows_per_job=rows_per_job,
            created_utc=now_utc(),
            folder=_working_folder(),
            variables=variables or {},
            versions=versions.here(),
        )


@dataclass(frozen=True, slots=True, config=_NO_EXTRA)
class Row:
    """One row of a plan: a job, and the kind of card that it is to run on."""

    row: Annotated[int, Field(ge=1)]
    kind: str | None  # None: any
    job: Job
    argv: tuple[str, ...]  # the command line that asked for it, for the record

    def __str__(self) -> str:
        return f"{self.job}{f' on {self.kind}' if self.kind else ''}"


@plain_dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it stands in its file."""

    output: Path
    conditions: Conditions
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        return self.conditions.id

    def row(self, number: int) -> Row:
        """The row with this number. Raises UserError if the plan has none."""
        if not 1 <= number <= len(self.rows):
            raise UserError(f"{file(self.output)} has the rows 1 to {len(self.rows)}, and no row {number}.")
        return self.rows[number - 1]

    def extended(self, jobs: Sequence[Job], kinds: Sequence[str | None]) -> "Plan":
        """The plan with a row for each job and kind that it does not have yet; the others keep their numbers."""
        known = {_key(row) for row in self.rows}
        rows = list(self.rows)
        for kind in kinds:
            for job in jobs:
                row = Row(len(rows) + 1, kind, job, tuple(sys.argv))
                if _key(row) not in known:
                    known.add(_key(row))
                    rows.append(row)
        return replace(self, rows=tuple(rows))


_CONDITIONS: TypeAdapter[Conditions] = TypeAdapter(Conditions)
_ROW: TypeAdapter[Row] = TypeAdapter(Row)


def _key(row: Row) -> str:
    return json.dumps([row.kind, _ROW.dump_python(row, mode="json")["job"]], sort_keys=True)


def file(output: Path) -> Path:
    """The file of the plan of an output: `sweep.plan.jsonl` for `sweep.jsonl`."""
    return output.with_name(f"{output.stem}.plan.jsonl")


def folder(output: Path) -> Path:
    """The folder with what the machines write: `sweep.fleet` for `sweep.jsonl`."""
    return output.with_name(f"{output.stem}.fleet")


def make(path: Path) -> None:
    """Make a folder, and those above it. Raises UserError if it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {path}: {error.strerror}.") from None


def _working_folder() -> str:
    """The working folder. Raises UserError if its name is no text, which a plan cannot hold."""
    found = os.getcwd()
    if found != found.encode(errors="ignore").decode():
        raise UserError(f"The name of the working folder is not valid text: {visible(found)}. A plan cannot hold it.")
    return found


def new(output: Path, conditions: Conditions, jobs: Sequence[Job], kinds: Sequence[str | None]) -> Plan:
    """A plan with one row for each job and kind of card; the rows of one kind are adjacent."""
    return Plan(output, conditions, ()).extended(jobs, kinds)


def write(plan: Plan) -> None:
    """Write the file of a plan, whole or not at all, and make its folder. Raises UserError."""
    lines = [_CONDITIONS.dump_json(plan.conditions), *map(_ROW.dump_json, plan.rows)]
    make(folder(plan.output))
    store.write(file(plan.output), b"".join(line + b"\n" for line in lines))


def _parsed(kind: TypeAdapter[T], line: str, where: str) -> T:
    try:
        return kind.validate_json(line)
    except ValidationError as error:
        raise UserError(f"{where}, is not of a plan: {first_problem(error)}.") from None


def read(output: Path) -> Plan:
    """Read the plan of an output. Raises UserError if there is none, or the file is not one."""
    path = file(output)
    if not path.exists():
        raise UserError(f"There is no plan {path}: `bench run … --fleet ENGINE -o {output.name}` makes one.")
    first, *rest = store.read_text(path).rstrip("\n").split("\n")
    conditions = _parsed(_CONDITIONS, first, f"{path}, line 1")
    rows = [_parsed(_ROW, line, f"{path}, line {number}") for number, line in enumerate(rest, start=2)]
    if [row.row for row in rows] != list(range(1, len(rows) + 1)):
        raise UserError(f"{path}: its rows are not numbered from 1 on; do not edit it.")
    return Plan(output, conditions, tuple(rows))
