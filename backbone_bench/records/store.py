"""Records and files: JSON, JSON Lines, the schema and its ladder of versions.

A file is written whole or not at all (a temporary file, fsync, rename); a JSON
Lines file grows by one locked, synced line. On reading, a last line that was
cut short (a power cut, a kill) is reported and passed over; nothing else is.
Nothing here loads torch.
"""

import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backbone_bench.base import strict_json
from backbone_bench.base.errors import UserError
from backbone_bench.base.signals import deferred
from backbone_bench.base.validation import first_problem
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


def write(path: Path, content: str | bytes) -> None:
    """Replace the file's content as a whole, that of a link where it points to; raise UserError where it cannot be.

    A file that cannot be replaced, in a folder that takes no other or mounted alone, is overwritten.
    """
    whole = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    try:
        with deferred():
            if not _replace(target, whole):
                target.write_bytes(whole)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None


def _replace(path: Path, content: bytes) -> bool:
    """Whether there is another file under this name now."""
    if path.exists() and not os.access(path.parent, os.W_OK):
        return False
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".bench-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            _resemble(file.fileno(), path)
            os.replace(file.name, path)
        except BaseException as error:
            os.unlink(file.name)
            if isinstance(error, OSError) and error.errno == errno.EBUSY:  # a mount point, as containers have them
                return False
            raise
    return True


def _resemble(file: int, path: Path) -> None:
    """Give it the permissions, and where we may the owner, of the file that it replaces, else those of a new one."""
    if not path.exists():
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(file, 0o666 & ~umask)
        return
    before = path.stat()
    with suppress(PermissionError):
        os.fchown(file, before.st_uid, before.st_gid)
    os.fchmod(file, before.st_mode & 0o777)


def append(path: Path, record: Record) -> None:
    """Add one line, whole or not at all, even where others add to the file too; raise UserError where it cannot be."""
    line = dump_line(record).encode()
    try:
        with deferred(), open(path, "a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = _mend_last_line(file)
            try:
                _add(file, line)
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None


def _add(file: FileIO, line: bytes) -> None:
    """All of it: a write may take a part only."""
    while line:
        line = line[file.write(line) :]


def _mend_last_line(file: FileIO) -> int:
    """Take away a last line that was cut short, and end one that is whole, before another follows; the new end."""
    start, last = _last_line(file)
    if not last:
        return start
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        file.truncate(start)
        return start
    _add(file, b"\n")
    return start + len(last) + 1


_BLOCK_BYTES = 1 << 16


def _last_line(file: FileIO) -> tuple[int, bytes]:
    """Where what follows the last line end begins, and what it is: the file may be long."""
    start, blocks = file.seek(0, os.SEEK_END), list[bytes]()
    while start:
        size = min(start, _BLOCK_BYTES)
        start -= size
        blocks.append(os.pread(file.fileno(), size, start))
        before, end, after = blocks[-1].rpartition(b"\n")
        if end:
            return start + len(before) + 1, b"".join((after, *reversed(blocks[:-1])))
    return 0, b"".join(reversed(blocks))


def check_writable(path: Path) -> None:
    """Raise UserError now for an output that could not be written at the end."""
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    try:
        if target.exists() and not target.is_file():
            raise UserError(f"Cannot write {path}: it is {'a folder' if target.is_dir() else 'no regular file'}.")
        if not target.parent.is_dir():
            raise UserError(f"Cannot write {path}: there is no folder {target.parent}.")
        with deferred():
            _try(target)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None


def _try(path: Path) -> None:
    """What writing a file takes, on the file as it is and on one beside it; raise OSError where either is refused."""
    if os.path.lexists(path):
        with open(path, "ab"):
            pass
        if not os.access(path.parent, os.W_OK):
            return
    with tempfile.TemporaryFile(dir=path.parent) as file:
        file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(paths: Sequence[Path], warn: Callable[[str], None]) -> tuple[Record, ...]:
    """All records of the files, in order; `-` is standard input. Raises UserError.

    `warn` is told of a line that was cut short.
    """
    return tuple(record for path in paths for record in parse(read_text(path), path, warn))


def read_text(path: Path) -> str:
    """What a file says, which can be a pipe and is read once; raise UserError where it cannot be read."""
    try:
        return Path("/dev/stdin" if str(path) == "-" else path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text: records are JSON or JSON Lines.") from None


def parse(text: str, path: Path, warn: Callable[[str], None]) -> list[Record]:
    """The records of a text that was read from there."""
    return _parse_lines(text, path, warn) if is_lines(text, path) else _parse_document(text, path)


def is_lines(text: str, path: Path) -> bool:
    """By the suffix; that of a pipe says nothing, and there the first line is a whole record or is not."""
    if path.suffix in (".json", ".jsonl"):
        return path.suffix == ".jsonl"
    try:
        first = json.loads(text.partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "records" not in first


def _parse_document(text: str, path: Path) -> list[Record]:
    try:
        document = strict_json.loads(text)
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
            data = strict_json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                warn(f"{where} was cut short and is passed over.")
                continue
            raise UserError(f"{where} is not JSON: {_short(error)}.") from None
        records.append(_revive(data, where))
    return records


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]


def _revive(data: object, where: str) -> Record:
    if not isinstance(data, dict):
        raise UserError(f"{where} is no record: an object is expected.")
    try:
        return _RECORD.validate_json(json.dumps(_upgraded(data, where)))
    except ValidationError as error:
        raise UserError(f"{where} is no record of backbone-bench: {first_problem(error)}.") from None
    except RecursionError:  # what could be read cannot always be written
        raise UserError(f"{where} is no record of backbone-bench: nested too deeply.") from None


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
