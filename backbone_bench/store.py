"""Records and files: JSON, JSON Lines, the schema and its ladder of versions.

A file is written whole or not at all (a temporary file, fsync, rename); a JSON
Lines file grows by one locked, synced line. On reading, a last line that was
cut short (a power cut, a kill) is reported and passed over; nothing else is.
Nothing here loads torch.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from backbone_bench.errors import UserError
from backbone_bench.records import SCHEMA_VERSION, Record

Json = dict[str, Any]

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)

# From each version of the schema to the next: what to do with a record of the older one.
UPGRADES: Mapping[str, Callable[[Json], Json]] = {}


def schema() -> Json:
    """The JSON Schema of a record as it is written, derived figures included."""
    made = _RECORD.json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "backbone-bench record"}


def dumps(records: Iterable[Record]) -> str:
    """One JSON document of all records."""
    document = {"schema_version": SCHEMA_VERSION, "records": [_RECORD.dump_python(r, mode="json") for r in records]}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def dump_line(record: Record) -> str:
    """One record as a line of JSON Lines."""
    return _RECORD.dump_json(record).decode() + "\n"


def dump_lines(records: Iterable[Record]) -> str:
    return "".join(map(dump_line, records))


def write(path: Path, text: str) -> None:
    """Replace the file's content as a whole; raise UserError where it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, _mode(path))
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, else those of a new file."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def append(path: Path, record: Record) -> None:
    """Add one line, whole, even where others add to the file too; raise UserError where it cannot be."""
    try:
        with open(path, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(_mend_last_line(file) + dump_line(record).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None


def _mend_last_line(file: BinaryIO) -> bytes:
    """Take away a last line that was cut short before another follows; say what must come first."""
    file.seek(0)
    whole, _, last = file.read().rpartition(b"\n")
    if not last:
        return b""
    try:
        json.loads(last)
    except ValueError:
        file.truncate(len(whole) + 1 if whole else 0)
        return b""
    return b"\n"


def check_writable(path: Path) -> None:
    """Raise UserError now for an output that could not be written at the end."""
    if os.path.isdir(path):
        raise UserError(f"Cannot write {path}: it is a folder.")
    if not os.path.isdir(path.parent):
        raise UserError(f"Cannot write {path}: there is no folder {path.parent}.")
    try:
        target = path if path.exists() else path.parent
    except OSError as error:  # too long a name, say
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None
    if not os.access(target, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise UserError(f"Cannot write {path}: permission denied.")


def read(paths: Sequence[Path], warn: Callable[[str], None]) -> tuple[Record, ...]:
    """All records of the files, in order; `warn` is told of a line that was cut short. Raises UserError."""
    return tuple(record for path in paths for record in _read_one(path, warn))


def _read_one(path: Path, warn: Callable[[str], None]) -> list[Record]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text: records are JSON or JSON Lines.") from None
    if path.suffix == ".jsonl":
        return _parse_lines(text, path, warn)
    return _parse_document(text, path)


def _parse_document(text: str, path: Path) -> list[Record]:
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a JSON file of records: {_short(error)}.") from None
    if not isinstance(document, dict) or not isinstance(document.get("records"), list):
        raise UserError(f"{path} holds no records: `bench run --format json -o {path.name}` writes such a file.")
    return [_revive(data, f"{path}, record {n}") for n, data in enumerate(document["records"], start=1)]


def _parse_lines(text: str, path: Path, warn: Callable[[str], None]) -> list[Record]:
    records = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            data = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                warn(f"{where} was cut short and is passed over.")
                continue
            raise UserError(f"{where} is not JSON: {_short(error)}.") from None
        records.append(_revive(data, where))
    return records


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]


def _revive(data: object, where: str) -> Record:
    if not isinstance(data, dict):
        raise UserError(f"{where} is no record: an object is expected.")
    try:
        return _RECORD.validate_json(json.dumps(_upgraded(data, where)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{where} is no record of backbone-bench: {field or 'it'}: {first['msg']}.") from None


def _upgraded(data: Json, where: str) -> Json:
    """Climb the ladder from the record's version to this one."""
    version = data.get("schema_version")
    while version != SCHEMA_VERSION:
        step = UPGRADES.get(version) if isinstance(version, str) else None
        if step is None:
            raise UserError(
                f"{where} has schema version {version!r}, this is {SCHEMA_VERSION!r}: "
                f"it comes from another program or a newer backbone-bench."
            )
        data = step(data)
        version = data.get("schema_version")
    return data
