"""Record files: JSON, JSON Lines, the JSON Schema, and upgrades of records with an older schema version.

A file is written whole or not at all (a temporary file, fsync, rename); a JSON
Lines file grows by one locked, synced line. On reading, a last line that was
cut short (a power failure, a kill) is reported and skipped; any other bad line
is an error. This module does not load torch.
"""

import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO, FileIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backbone_bench.base import strict_json
from backbone_bench.base.errors import UserError
from backbone_bench.base.signals import deferred
from backbone_bench.base.validation import first_problem
from backbone_bench.records import SCHEMA_VERSION, ModelCost, Record

Json = dict[str, Any]

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
_COST_ALONE: TypeAdapter[ModelCost] = TypeAdapter(ModelCost)

# By schema version: the function that upgrades a record of it to the next version.
UPGRADES: Mapping[str, Callable[[Json], Json]] = {}


def schema() -> Json:
    """JSON Schema of a record as written, derived values included."""
    generated = _RECORD.json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated, "title": "backbone-bench record"}


def dumps(records: Iterable[Record]) -> str:
    """All records as one JSON document."""
    document = {"schema_version": SCHEMA_VERSION, "records": [_RECORD.dump_python(r, mode="json") for r in records]}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def dump_line(record: Record) -> str:
    """One record as a line of JSON Lines."""
    return _RECORD.dump_json(record).decode() + "\n"


def dump_lines(records: Iterable[Record]) -> str:
    return "".join(map(dump_line, records))


def write(path: Path, content: str | bytes) -> None:
    """Replace the content of a file atomically; a link stays and its target is replaced. Raises UserError.

    A file that cannot be replaced (in a read-only folder, or mounted alone) is overwritten in place.
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
    """Replace a file by renaming a temporary one; False if its folder or its mount does not allow that."""
    if path.exists() and not os.access(path.parent, os.W_OK):
        return False
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".bench-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            _copy_permissions(file.fileno(), path)
            os.replace(file.name, path)
        except BaseException as error:
            os.unlink(file.name)
            if isinstance(error, OSError) and error.errno == errno.EBUSY:  # a mount point, as in containers
                return False
            raise
    return True


def _copy_permissions(file: int, path: Path) -> None:
    """Give a file the permissions, and if allowed the owner, of the file that it replaces, else those of a new file."""
    if not path.exists():
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(file, 0o666 & ~umask)
        return
    before = path.stat()
    with suppress(PermissionError):
        os.fchown(file, before.st_uid, before.st_gid)
    os.fchmod(file, before.st_mode & 0o777)


def append(path: Path, *records: Record) -> None:
    """Append records, all or none, even if other processes append too. Raises UserError if it cannot."""
    append_lines(path, *map(_RECORD.dump_json, records))


def append_lines(path: Path, *documents: bytes, sync: bool = True) -> None:
    """Append each JSON document as one line, all or none, even if other processes append. Raises UserError.

    `sync`: wait until the disk has them, which a power cut asks for.
    """
    line = b"".join(document + b"\n" for document in documents)
    try:
        with deferred(), open(path, "a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = _mend_last_line(file)
            try:
                _write_all(file, line)
                if sync:
                    os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None


def _write_all(file: FileIO, line: bytes) -> None:
    """Write all bytes: one call of `write` may write only a part."""
    while line:
        line = line[file.write(line) :]


def _mend_last_line(file: FileIO) -> int:
    """Remove a last line that was cut short, or end a complete one with a newline; return the new end of the file."""
    start, last = _last_line(file)
    if not last:
        return start
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        file.truncate(start)
        return start
    _write_all(file, b"\n")
    return start + len(last) + 1


_BLOCK_BYTES = 1 << 16


def _last_line(file: FileIO) -> tuple[int, bytes]:
    """Offset and bytes after the last newline; read backwards in blocks, since the file may be long."""
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
    """Raise UserError now if an output could not be written at the end of a long run."""
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    try:
        if target.exists() and not target.is_file():
            raise UserError(f"Cannot write {path}: it is {'a folder' if target.is_dir() else 'not a regular file'}.")
        if not target.parent.is_dir():
            raise UserError(f"Cannot write {path}: there is no folder {target.parent}.")
        with deferred():
            _try_to_write(target)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from None


def _try_to_write(path: Path) -> None:
    """Open the file for writing, and write a temporary one beside it. Raises OSError if either fails."""
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
    """Read all records of the files, in order; `-` is standard input. Raises UserError.

    `warn` is called with a message about a last line that was cut short.
    """
    return tuple(record for path in paths for record in _read(path, warn))


def _read(path: Path, warn: Callable[[str], None]) -> list[Record]:
    """The records of one file; of JSON Lines only one line at a time is decoded.

    The file is read at once: whoever appends to it meanwhile may take away a line that was cut short.
    """
    if path.suffix != ".jsonl":
        return parse(read_text(path), path, warn)
    with _readable(path), TextIOWrapper(BytesIO(read_bytes(path)), encoding="utf-8-sig") as lines:
        return _parse_lines(lines, path, warn)


def read_bytes(path: Path) -> bytes:
    """Content of a file. Raises UserError if it cannot be read."""
    with _readable(path):
        return path.read_bytes()


def read_text(path: Path) -> str:
    """Text of a file; it is read once only, since it can be a pipe. Raises UserError if it cannot be read."""
    with _readable(path):
        return Path("/dev/stdin" if str(path) == "-" else path).read_text(encoding="utf-8-sig")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise UserError for a file that cannot be read."""
    try:
        yield
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text: records are JSON or JSON Lines.") from None


def parse(text: str, path: Path, warn: Callable[[str], None]) -> list[Record]:
    """Parse the records in a text that was read from `path`. Raises UserError."""
    return _parse_lines(StringIO(text), path, warn) if is_lines(text, path) else _parse_document(text, path)


def is_lines(text: str, path: Path) -> bool:
    """Whether a text is JSON Lines: by the suffix, or for a pipe by whether its first line is a whole record."""
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
        raise UserError(f"{path} is not a JSON file of records: {_reason(error)}.") from None
    if not isinstance(document, dict) or not isinstance(document.get("records"), list):
        raise UserError(f"{path} holds no records: `bench run --format json -o {path.name}` writes such a file.")
    return [_revive(data, f"{path}, record {n}") for n, data in enumerate(document["records"], start=1)]


def _parse_lines(lines: Iterable[str], path: Path, warn: Callable[[str], None]) -> list[Record]:
    records, costs = [], _Costs()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if (record := costs.record(line)) is not None:
            records.append(record)
            continue
        where = f"{path}, line {number}"
        try:
            data = strict_json.loads(line)
        except (ValueError, RecursionError) as error:
            if not line.endswith("\n"):
                warn(f"{where} was cut short and is skipped.")
                continue
            raise UserError(f"{where} is not JSON: {_reason(error)}.") from None
        records.append(_revive(data, where))
    return records


# What a line of the current schema version holds, as this program or `json.dumps` writes it.
_CURRENT = (f'"schema_version":"{SCHEMA_VERSION}"', f'"schema_version": "{SCHEMA_VERSION}"')
_NOT_JSON = ("NaN", "Infinity")  # some parsers accept them
_COST, _AFTER_COST = '"cost":', ',"latency":'  # in JSON a quote within a text is escaped, so these are keys
_NO_COST = '{"missing":"not_read","message":"not read"}'


class _Costs:
    """Parses lines, and the same cost once: most of a line is the cost by operation, and many records share one."""

    def __init__(self) -> None:
        self._known: dict[bytes, ModelCost] = {}  # by digest of the text

    def record(self, line: str) -> Record | None:
        """The record of a line, parsed in one pass; None for a line that needs an upgrade or an error message."""
        if not any(words in line for words in _CURRENT) or any(word in line for word in _NOT_JSON):
            return None
        try:
            return self._parsed(line)
        except ValidationError:
            return None

    def _parsed(self, line: str) -> Record:
        start = line.find(_COST) + len(_COST)
        end = line.find(_AFTER_COST, start)
        if not line.startswith('{"params":', start) or end < 0:  # written otherwise, or without a cost
            return _RECORD.validate_json(line)
        cost = self._cost(line[start:end])
        record = _RECORD.validate_json(f"{line[:start]}{_NO_COST}{line[end:]}")
        # Nobody else has the record yet, and `replace` would check all of it again.
        object.__setattr__(record, "cost", cost)
        return record

    def _cost(self, text: str) -> ModelCost:
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = _COST_ALONE.validate_json(text)
        return self._known[digest]


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]


def _revive(data: object, where: str) -> Record:
    if not isinstance(data, dict):
        raise UserError(f"{where} is not a record: a JSON object is expected.")
    try:
        return _RECORD.validate_json(json.dumps(_upgraded(data, where)))
    except ValidationError as error:
        raise UserError(f"{where} is not a record of backbone-bench: {first_problem(error)}.") from None
    except RecursionError:  # a document that could be parsed may still be too deep to write
        raise UserError(f"{where} is not a record of backbone-bench: nested too deeply.") from None


def _upgraded(data: Json, where: str) -> Json:
    """Upgrade a record step by step from its schema version to the current one."""
    version = data.get("schema_version")
    while version != SCHEMA_VERSION:
        step = UPGRADES.get(version) if isinstance(version, str) else None
        if step is None:
            raise UserError(
                f"{where} has schema version {version!r}, and this program reads {SCHEMA_VERSION!r}: "
                f"it comes from another program or a newer backbone-bench."
            )
        data = step(data)
        version = data.get("schema_version")
    return data
