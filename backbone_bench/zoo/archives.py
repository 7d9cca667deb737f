"""What a `.pt2` archive holds, told before torch opens it.

Torch finds an entry by its name in any case and takes the first of that name,
`zipfile` the last: an archive in which the two could differ is refused.
"""

import os
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError, first_line, visible

_MOST_UNPACKED = 20  # times the bytes of the file; torch packs nothing


@dataclass(frozen=True, slots=True)
class _Payload:
    """What the archive says of one weight or constant."""

    tensor_meta: dict[str, Any] | None  # None: it is pickled


@dataclass(frozen=True, slots=True)
class _Payloads:
    """A `*_config.json` of the archive, as far as it is read here."""

    config: dict[str, _Payload]


_PAYLOADS = TypeAdapter(_Payloads)


def refuse_code(path: str) -> None:
    """Raise UserError for an archive whose loading would run what it holds, or fill the memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _refuse_strange(path, entries)
            configs = {entry.filename: archive.read(entry) for entry in entries if _is_config(entry)}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} is no archive of torch.export.save: {visible(first_line(error))}.") from None
    payloads = [_payloads(path, name, text) for name, text in configs.items()]
    pickled = [name for payload in payloads for name, meta in payload.config.items() if not meta.tensor_meta]
    if pickled:
        named = visible(", ".join(pickled))
        raise UserError(f"{path} holds pickled objects, and loading one runs whatever it holds: {named}.")


def _is_config(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.lower().endswith("_config.json")


def _refuse_strange(path: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    names = [entry.filename.lower() for entry in entries]
    if any("/data/aotinductor/" in name for name in names):
        raise UserError(f"{path} holds a compiled library, not a program: export the model with torch.export.save.")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise UserError(f"{path} is packed in a way that torch does not read: export the model with torch.export.save.")
    if len(set(names)) < len(names):
        raise UserError(f"{path} has two entries of one name: export the model with torch.export.save.")
    unpacked, packed = sum(entry.file_size for entry in entries), os.path.getsize(path)
    if unpacked > _MOST_UNPACKED * packed:
        raise UserError(f"{path} unpacks {packed} bytes to {unpacked}: export the model with torch.export.save.")


def _payloads(path: str, name: str, text: bytes) -> _Payloads:
    try:
        return _PAYLOADS.validate_json(text)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = visible(".".join((name, *map(str, wrong["loc"]))))
        raise UserError(f"{path} is no archive of torch.export.save: {where}: {wrong['msg']}.") from None
