"""The baseline: a JSON file of records with a log of accepted changes and their reasons.

It is read like any file of records. It is written as a whole, under a lock on
its folder, so that two gates at the same time lose no data of each other. A
file that cannot be parsed is not changed.
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

from backbone_bench.base.errors import UserError
from backbone_bench.base.validation import first_problem
from backbone_bench.gate.measured import Noise
from backbone_bench.gate.noisy import Spread
from backbone_bench.gate.verdicts import Acknowledgement
from backbone_bench.records import STRICT, Record, store
from backbone_bench.records.matching import on_paper


@dataclass(frozen=True, slots=True, config=STRICT)
class Calibration:
    """The noise of one quantity on one machine, from a comparison of a workload with itself."""

    at_utc: str
    fingerprint: str  # of workload and machine
    subject: str
    metric: str
    deviation: Annotated[float, Field(ge=0, le=100)]  # standard deviation of the logarithm of a round's ratio
    rounds: Annotated[int, Field(ge=2, le=10_000)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Notes:
    """The log and the calibrations of a baseline."""

    log: tuple[Acknowledgement, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    baseline_version: Literal["1"] = "1"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The content of a baseline file."""

    records: tuple[Record, ...] = ()
    notes: Notes = Notes()
    absent: Path | None = None  # the file, if it does not exist yet

    @property
    def noise(self) -> Noise:
        """The latest calibration of each quantity, as standard deviation and degrees of freedom."""
        return {(one.fingerprint, one.metric): Spread(one.deviation, one.rounds - 1) for one in self.notes.calibrations}

    def updated(self, records: Sequence[Record], entry: Acknowledgement, *, whole: bool) -> "Baseline":
        """A copy in which these records replace those of the same workloads; `whole`: all records."""
        fresh = {on_paper(record.workload) for record in records}
        kept = () if whole else (old for old in self.records if on_paper(old.workload) not in fresh)
        return Baseline((*kept, *records), replace(self.notes, log=(*self.notes.log, entry)))

    def calibrated(self, fresh: Sequence[Calibration]) -> "Baseline":
        """A copy in which these calibrations replace older ones of the same quantities."""
        known = {(one.fingerprint, one.metric) for one in fresh}
        kept = (old for old in self.notes.calibrations if (old.fingerprint, old.metric) not in known)
        return replace(self, notes=replace(self.notes, calibrations=(*kept, *fresh)))


_NOTES: TypeAdapter[Notes] = TypeAdapter(Notes)


def read(path: Path) -> Baseline:
    """Read a baseline; a file that does not exist is an empty one. Raises UserError if it is not a baseline."""
    if not os.path.exists(path):  # never raises, whatever the name
        return Baseline(absent=path)
    try:
        text = store.read_text(path)
        return Baseline(tuple(store.parse(text, path, warn=_refuse)), _notes(text, path))
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}. The baseline is left as it is.") from None


def _refuse(complaint: str) -> None:
    raise UserError(complaint)


def _notes(text: str, path: Path) -> Notes:
    """Log and calibrations of the file; both empty for a plain file of records."""
    if store.is_lines(text, path):
        return Notes()
    document = json.loads(text)
    try:
        return _NOTES.validate_json(json.dumps(document.get("gate", {})))
    except ValidationError as error:
        wrong = first_problem(error, inside="gate")
        raise UserError(f"{path} is not a baseline that this version of backbone-bench can read: {wrong}.") from None


def write(path: Path, baseline: Baseline) -> None:
    """Replace the file as a whole."""
    document = json.loads(store.dumps(baseline.records))
    document["gate"] = _NOTES.dump_python(baseline.notes, mode="json")
    store.write(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def check(path: Path) -> None:
    """Raise UserError before anything runs if the baseline could not be written at the end."""
    if path.suffix != ".json":
        raise UserError(f"{path}: --update-baseline and --calibrate write JSON: name a .json file.")
    store.check_writable(path)
    os.close(_lock(path))


@contextmanager
def locked(path: Path) -> Iterator[Baseline]:
    """Lock the baseline against other writers and read it; a file that does not exist is an empty baseline."""
    folder = _lock(path)
    try:
        yield replace(read(path), absent=None)
    finally:
        os.close(folder)  # this also releases the lock


def _lock(path: Path) -> int:
    """Lock the folder and wait for it; a lock on the file itself would not outlive its replacement."""
    try:
        with ExitStack() as failed:
            folder = os.open(path.parent, os.O_RDONLY)
            failed.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
            failed.pop_all()
            return folder
    except OSError as error:
        raise UserError(f"Cannot lock {path.parent} to write {path.name}: {error.strerror}.") from None
