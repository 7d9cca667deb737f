"""The baseline: a JSON file of records with a log of why they were allowed to change.

It is read like any file of records. It is written whole, and under a lock on
its folder, so that two gates at once lose nothing of each other. A file that
cannot be understood is left as it is.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import NotComparable, UserError
from backbone_bench.base.validation import first_problem
from backbone_bench.gate.measured import Noise
from backbone_bench.gate.noisy import Spread
from backbone_bench.gate.verdicts import Acknowledgement
from backbone_bench.records import STRICT, Record, store
from backbone_bench.records.matching import on_paper


@dataclass(frozen=True, slots=True, config=STRICT)
class Calibration:
    """The noise of one quantity on one machine: A against A."""

    at_utc: str
    fingerprint: str  # of workload and machine
    subject: str
    metric: str
    deviation: Annotated[float, Field(ge=0, le=100)]  # of the logarithm of a round's ratio
    rounds: Annotated[int, Field(ge=2, le=10_000)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Notes:
    """What a baseline holds besides its records."""

    log: tuple[Acknowledgement, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    baseline_version: Literal["1"] = "1"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a file says."""

    records: tuple[Record, ...] = ()
    notes: Notes = Notes()

    @property
    def noise(self) -> Noise:
        """The calibrations as spreads, the latest of each."""
        return {(one.fingerprint, one.metric): Spread(one.deviation, one.rounds - 1) for one in self.notes.calibrations}

    def updated(self, records: Sequence[Record], entry: Acknowledgement, *, whole: bool) -> "Baseline":
        """With these records in place of those of the same workloads; `whole`: in place of all."""
        fresh = {on_paper(record.workload) for record in records}
        kept = () if whole else (old for old in self.records if on_paper(old.workload) not in fresh)
        return Baseline((*kept, *records), replace(self.notes, log=(*self.notes.log, entry)))

    def calibrated(self, fresh: Sequence[Calibration]) -> "Baseline":
        """With these calibrations in place of older ones of the same quantities."""
        known = {(one.fingerprint, one.metric) for one in fresh}
        kept = (old for old in self.notes.calibrations if (old.fingerprint, old.metric) not in known)
        return replace(self, notes=replace(self.notes, calibrations=(*kept, *fresh)))


_NOTES: TypeAdapter[Notes] = TypeAdapter(Notes)


def read(path: Path) -> Baseline:
    """The baseline in a file; raise UserError for a file that is none, NotComparable where there is no file."""
    if not os.path.exists(path):  # never raises, whatever the name
        raise NotComparable(f"There is no baseline {path}: write it with --update-baseline.")
    try:
        text = store.read_text(path)
        return Baseline(tuple(store.parse(text, path, warn=_refuse)), _notes(text, path))
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}. The baseline is left as it is.") from None


def _refuse(complaint: str) -> None:
    raise UserError(complaint)


def _notes(text: str, path: Path) -> Notes:
    """The log and the calibrations; a plain file of records has none."""
    if store.is_lines(text, path):
        return Notes()
    document = json.loads(text)
    try:
        return _NOTES.validate_json(json.dumps(document.get("gate", {})))
    except ValidationError as error:
        wrong = first_problem(error, inside="gate")
        raise UserError(f"{path} is no baseline that this backbone-bench can read: {wrong}.") from None


def write(path: Path, baseline: Baseline) -> None:
    """Replace the file as a whole."""
    document = json.loads(store.dumps(baseline.records))
    document["gate"] = _NOTES.dump_python(baseline.notes, mode="json")
    store.write(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def check(path: Path) -> None:
    """Raise UserError now for a baseline that could not be written in the end."""
    if path.suffix != ".json":
        raise UserError(f"{path}: a baseline that can be updated is a .json file.")
    store.check_writable(path)
    os.close(_lock(path))


@contextmanager
def locked(path: Path) -> Iterator[Baseline]:
    """The baseline as it is now, and nobody else writes it until the end; an absent file is an empty one."""
    folder = _lock(path)
    try:
        yield read(path) if path.exists() else Baseline()
    finally:
        os.close(folder)  # and with it the lock


def _lock(path: Path) -> int:
    """Wait for the folder: a lock on the file itself would be one on what is about to be replaced."""
    try:
        with ExitStack() as failed:
            folder = os.open(path.parent, os.O_RDONLY)
            failed.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
            failed.pop_all()
            return folder
    except OSError as error:
        raise UserError(f"Cannot lock {path.parent} to write {path.name}: {error.strerror}.") from None
