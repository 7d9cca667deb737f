"""Plans, and records that a fleet has made, for the tests of fleets."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backbone_bench.jobs.job import Job
from backbone_bench.records import Placement, Record
from backbone_bench.run.fleet import plan
from backbone_bench.run.fleet.plan import Conditions, Plan
from tests.report.samples import record


def job(model: str = "fine", **setting: object) -> Job:
    return Job(**{"model": model, "arguments": {}, "device": "cpu", **setting})  # type: ignore[arg-type]


def planned(
    folder: Path, models: Sequence[str] = ("one", "two", "three"), kinds: Sequence[str | None] = (None,), **how: object
) -> Plan:
    """A plan in its file, for `local:1` if nothing else is said."""
    conditions = Conditions.of(**{"engine": "local", "address": "1", **how})  # type: ignore[arg-type]
    made = plan.new(folder / "sweep.jsonl", conditions, [job(model) for model in models], kinds)
    plan.write(made)
    return made


def made(of: Plan, row: int, id: str = "", node: str = "n1", **change: object) -> Record:
    """A record of this row, with an id of its own."""
    placement = Placement(of.id, row, of.conditions.engine, node, None, of.row(row).kind, of.conditions.sharing, 0)
    one = record(of.row(row).job.model, 4_000_000, 0.01)
    return replace(one, id=id or f"{row}@{node}", placement=placement, **change)  # type: ignore[arg-type]
