"""Accepted changes of a pull request: files in its tree, each with a reason and the numbers that it accepts.

A file counts until its change is merged: one that the base has as well is
history. It accepts nothing but its own numbers, so a further change is red
again. There is one file for each acceptance, so that two pull requests never
conflict.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.base.validation import first_problem
from backbone_bench.gate.verdicts import Acknowledgement, GateFinding, GateVerdict
from backbone_bench.records import STRICT, store

FOLDER = "bench-accepted"  # in the folder where the gate runs
_ACCEPTABLE = (GateVerdict.CHANGED, GateVerdict.REGRESSED)


@dataclass(frozen=True, slots=True, config=STRICT)
class AcceptedNumbers:
    """What is accepted of one quantity: a count that became another, or a measured ratio."""

    subject: str
    metric: str
    base: int | str | None = None  # of a count
    head: int | str | None = None
    ratio: float | None = None  # of a measurement: head over base

    def accepts(self, found: GateFinding) -> bool:
        """Whether the finding has these numbers: the same counts, or a ratio not significantly above this one."""
        if (found.subject, found.metric) != (self.subject, self.metric):
            return False
        if found.change is None:
            return (found.base, found.head) == (self.base, self.head)
        return self.ratio is not None and found.change.low is not None and found.change.low <= self.ratio


@dataclass(frozen=True, slots=True, config=STRICT)
class AcceptedChanges(Acknowledgement):
    """The content of one file: what was accepted and why, for the review, and the numbers that count."""

    numbers: tuple[AcceptedNumbers, ...]
    accepted_version: Literal["1"] = "1"


_FILE: TypeAdapter[AcceptedChanges] = TypeAdapter(AcceptedChanges)


class AcceptedFile(NamedTuple):
    """A file of accepted changes that the base does not have."""

    path: Path
    changes: AcceptedChanges


def pending(folder: Path, merged: Path) -> list[AcceptedFile]:
    """The files in `folder` that are not in `merged`, the same folder of the base. Raises UserError for a wrong one."""
    return [
        AcceptedFile(path, _read(path)) for path in sorted(folder.glob("*.json")) if not (merged / path.name).exists()
    ]


def _read(path: Path) -> AcceptedChanges:
    try:
        return _FILE.validate_json(store.read_text(path))
    except ValidationError as error:
        raise UserError(f"{path} does not hold accepted changes of `bench gate`: {first_problem(error)}.") from None


def mark(findings: Iterable[GateFinding], files: Sequence[AcceptedFile]) -> tuple[GateFinding, ...]:
    """The findings, those with accepted numbers marked with the reason."""
    return tuple(_marked(found, files) for found in findings)


def _marked(found: GateFinding, files: Sequence[AcceptedFile]) -> GateFinding:
    if found.verdict not in _ACCEPTABLE:
        return found
    reasons = (file.changes.reason for file in files if any(one.accepts(found) for one in file.changes.numbers))
    return replace(found, accepted=next(reasons, None))


def unused(findings: Sequence[GateFinding], files: Iterable[AcceptedFile]) -> Iterator[str]:
    """A remark on each file that accepts numbers which no finding has."""
    for path, changes in files:
        if not any(one.accepts(found) for one in changes.numbers for found in findings):
            yield f"{FOLDER}/{path.name} accepts other numbers than those of this change: accept these, and delete it."


def accept(findings: Iterable[GateFinding], reason: str) -> tuple[GateFinding, ...]:
    """The findings, all that can be accepted marked with this reason."""
    return tuple(
        replace(found, accepted=found.accepted or reason)
        if found.verdict in _ACCEPTABLE and not found.informal
        else found
        for found in findings
    )


def write(folder: Path, changes: AcceptedChanges) -> Path:
    """Write a new file. Raises UserError if that is impossible."""
    text = json.dumps(_FILE.dump_python(changes, mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    path = folder / f"{changes.at_utc[:10]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {folder}: {error.strerror}.") from None
    store.write(path, text)
    return path


def numbers(findings: Iterable[GateFinding]) -> tuple[AcceptedNumbers, ...]:
    """The numbers of findings."""
    return tuple(map(_numbers, findings))


def _numbers(found: GateFinding) -> AcceptedNumbers:
    if found.change is not None:
        return AcceptedNumbers(found.subject, found.metric, ratio=found.change.ratio)
    assert not isinstance(found.base, float)  # it is a count or a digest
    assert not isinstance(found.head, float)
    return AcceptedNumbers(found.subject, found.metric, found.base, found.head)
