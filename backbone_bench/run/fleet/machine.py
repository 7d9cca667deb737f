"""The machine that a row of a fleet runs on: whether it may, in what environment, and what its record says of it."""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from backbone_bench.measure.machine import system
from backbone_bench.records import Known, Missing, Placement, Record
from backbone_bench.records.environment import VISIBLE_DEVICES
from backbone_bench.run.fleet import versions
from backbone_bench.run.fleet.plan import Conditions, Row
from backbone_bench.run.process import Worker
from backbone_bench.run.runner import JobResult

_ROOM_BYTES = 1 << 20  # that a row needs at least in the folder for temporary files


class Fitness(NamedTuple):
    """Why a machine cannot run the rows of a plan, and the versions that differ although they may."""

    refusals: tuple[str, ...]
    differs: tuple[str, ...]


def fitness(conditions: Conditions, here: versions.Versions | None = None) -> Fitness:
    """Check this machine: its versions, the working folder, and its folder for temporary files."""
    differs = conditions.versions.differences(here or versions.here())
    refusals = [] if conditions.mixed else list(differs)
    if not Path(conditions.folder).is_dir():
        refusals.append(f"there is no folder {conditions.folder}")
    if (problem := _no_room()) is not None:
        refusals.append(problem)
    return Fitness(tuple(refusals), differs)


def _no_room() -> str | None:
    """Why temporary files cannot be written here, if they cannot."""
    folder = os.environ.get("TMPDIR") or "/tmp"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n" * _ROOM_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"cannot write to {folder}: {error.strerror}"
    return None


def worker(conditions: Conditions) -> Worker:
    """A worker with the torch variables of whoever made the plan: those that the engine has set do not reach it."""
    planned, now = conditions.variables, system.torch_variables()
    variables = {name: planned.get(name) for name in (*planned, *now) if not VISIBLE_DEVICES.fullmatch(name)}
    return Worker.of(folder=Path(conditions.folder))._replace(variables=tuple(variables.items()))


class Place(NamedTuple):
    """Where an engine has put a row."""

    node: str
    job: str | None = None
    differs: tuple[str, ...] = ()


def placed(
    result: JobResult, conditions: Conditions, row: Row, place: Place, neighbours: Iterable[Known[int]]
) -> JobResult:
    """The result with the place in its record. `neighbours`: the other jobs on the node, at several times."""
    if result.record is None:
        return result
    return replace(result, record=_placed(result.record, conditions, row, place, _most(neighbours)))


def _placed(record: Record, conditions: Conditions, row: Row, place: Place, neighbours: Known[int]) -> Record:
    placement = Placement(
        plan=conditions.id,
        row=row.row,
        engine=conditions.engine,
        node=place.node,
        job=place.job,
        kind=row.kind,
        sharing=conditions.sharing,
        neighbours=neighbours,
        differs=place.differs,
    )
    crowded = () if isinstance(neighbours, Missing) or not neighbours else ("shared_node",)
    mixed = ("mixed_versions",) if place.differs else ()
    return replace(
        record,
        placement=placement,
        environment=replace(record.environment, host=system.host(place.node)),
        flags=(*record.flags, *crowded, *mixed),
    )


def _most(neighbours: Iterable[Known[int]]) -> Known[int]:
    """The largest number, or the first reason why one is not known."""
    seen = list(neighbours)
    unknown = next((one for one in seen if isinstance(one, Missing)), None)
    return unknown if unknown is not None else max((one for one in seen if not isinstance(one, Missing)), default=0)
