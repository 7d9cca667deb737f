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
    """Append to the output what the parts have beyond it: of a row one record, or a complete one after another."""
    with lock.collecting(of.output):
        have = read(of, warn)
        found = _best(of, store.read(sorted(parts(of.output).glob("*.jsonl")), warn), have)
        new = [record for row, record in sorted(found.items()) if record is not have.get(row)]
        for start in range(0, len(new), _AT_ONCE):
            store.append(of.output, *new[start : start + _AT_ONCE])
    return Collected(found, len(new))


def read(of: Plan, warn: Callable[[str], None]) -> Mapping[int, Record]:
    """The records of a plan that the output has, one for each row: a complete one if there is one."""
    return _best(of, store.read([of.output], warn) if of.output.exists() else (), {})


def _best(of: Plan, records: Iterable[Record], have: Mapping[int, Record]) -> Mapping[int, Record]:
    """The first record of each row beside those that are there; a complete one takes the place of another."""
    found = dict(have)
    for record in records:
        placement = record.placement
        if placement is None or placement.plan != of.id or placement.row > len(of.rows):
            continue
        row, before = placement.row, found.get(placement.row)
        if before is None or (complete(of, row, record) and not complete(of, row, before)):
            found[row] = record
    return found


_FAILED = b'"missing":"failed"'  # in JSON a quote within a text is escaped, so this is a key
_RECORDED = re.compile(rb'"placement":\{"plan":"(\w+)","row":(\d+),')


def recorded(of: Plan) -> list[int]:
    """The rows that have a record in the output or in a part, of which nothing failed; no record is decoded.

    Raises UserError for a file that cannot be read.
    """
    rows: set[int] = set()
    for path in (of.output, *sorted(parts(of.output).glob("*.jsonl"))):
        if path.exists():
            lines = (line for line in store.read_bytes(path).split(b"\n")[:-1] if _FAILED not in line)
            found = (_RECORDED.search(line) for line in lines)
            rows |= {int(one[2]) for one in found if one and one[1].decode() == of.id}
    return sorted(rows)


def done(of: Plan, records: Mapping[int, Record]) -> frozenset[int]:
    """The rows that have a complete record."""
    return frozenset(row for row, record in records.items() if complete(of, row, record))


def complete(of: Plan, row: int, record: Record) -> bool:
    """Whether a record has everything that its row asks for."""
    return answers(record, of.row(row).job)
