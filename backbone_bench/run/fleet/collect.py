"""Collect the records that the machines of a fleet have written, each row once, into the output."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from backbone_bench.records import Record, store
from backbone_bench.run.fleet import lock, plan
from backbone_bench.run.fleet.plan import Plan
from backbone_bench.run.resume import answers

_AT_ONCE = 50  # records that are synced to the disk together


class Collected(NamedTuple):
    """The records of a sweep by row, and how many of them were added to the output now."""

    by_row: Mapping[int, Record]
    added: int


def parts(output: Path) -> Path:
    """The folder with the records of each writer, where the engine has several."""
    return plan.folder(output) / "parts"


def collect(of: Plan, warn: Callable[[str], None]) -> Collected:
    """Append to the output what the parts have beyond it. A row with a complete record takes no second one."""
    with lock.collecting(of.output):
        have = read(of, warn)
        files = sorted(parts(of.output).glob("*.jsonl"))
        found = _by_row(of, store.read(files, warn), have)
        new = [record for row, record in sorted(found.items()) if record is not have.get(row)]
        for start in range(0, len(new), _AT_ONCE):
            store.append(of.output, *new[start : start + _AT_ONCE])
    return Collected(found, len(new))


def read(of: Plan, warn: Callable[[str], None]) -> Mapping[int, Record]:
    """The records of a plan that the output has, by row: the first complete one, else the last."""
    return _by_row(of, store.read([of.output], warn) if of.output.exists() else (), {})


def _by_row(of: Plan, records: Iterable[Record], have: Mapping[int, Record]) -> Mapping[int, Record]:
    found = dict(have)
    for record in records:
        placement = record.placement
        if placement is None or placement.plan != of.id or placement.row > len(of.rows):
            continue
        before = found.get(placement.row)
        if before is None or (before.id != record.id and not complete(of, placement.row, before)):
            found[placement.row] = record
    return found


_RECORDED = re.compile(rb'"placement":\{"plan":"(\w+)","row":(\d+),')


def recorded(of: Plan) -> list[int]:
    """The rows that have a record in the output or in a part, without decoding the records."""
    files = [path for path in (of.output, *parts(of.output).glob("*.jsonl")) if path.exists()]
    lines = (line for path in files for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n"))
    found = (_RECORDED.search(line) for line in lines)
    return sorted({int(one[2]) for one in found if one and one[1].decode() == of.id})


def complete(of: Plan, row: int, record: Record) -> bool:
    """Whether a record has everything that its row asks for."""
    return answers(record, of.row(row).job)
