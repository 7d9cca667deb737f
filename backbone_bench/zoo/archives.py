"""Security check of a `.pt2` archive before torch opens it: no pickles, no compiled libraries, no zip bombs.

For two entries of one name torch reads the first (it ignores upper and lower
case) and `zipfile` the last, so an archive with such entries is refused.
"""

import os
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError, first_line, visible

_MOST_UNPACKED = 20  # unpacked size, in sizes of the file; torch.export.save does not compress


@dataclass(frozen=True, slots=True)
class _Payload:
    """Metadata of one weight or constant in the archive."""

    tensor_meta: dict[str, Any] | None  # None if the payload is pickled


@dataclass(frozen=True, slots=True)
class _Payloads:
    """The checked part of a `*_config.json` in the archive."""

    config: dict[str, _Payload]


_PAYLOADS = TypeAdapter(_Payloads)


def refuse_code(path: str) -> None:
    """Raise UserError for an archive that would run code or fill the memory when it is loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _refuse_unusual(path, entries)
            configs = {entry.filename: archive.read(entry) for entry in entries if _is_config(entry)}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} is not an archive of torch.export.save: {visible(first_line(error))}.") from None
    payloads = [_payloads(path, name, text) for name, text in configs.items()]
    pickled = [name for payload in payloads for name, meta in payload.config.items() if not meta.tensor_meta]
    if pickled:
        names = visible(", ".join(pickled))
        raise UserError(
            f"{path} holds pickled objects ({names}), and loading a pickle can run any code: "
            f"export a model that holds tensors only."
        )


def _is_config(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.lower().endswith("_config.json")


def _refuse_unusual(path: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    names = [entry.filename.lower() for entry in entries]
    if any("/data/aotinductor/" in name for name in names):
        raise UserError(f"{path} holds a compiled library, not a program: export the model with torch.export.save.")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise UserError(f"{path} uses a compression that torch does not read: export the model with torch.export.save.")
    if len(set(names)) < len(names):
        raise UserError(f"{path} has two entries of one name: export the model with torch.export.save.")
    unpacked, packed = sum(entry.file_size for entry in entries), os.path.getsize(path)
    if unpacked > _MOST_UNPACKED * packed:
        raise UserError(
            f"{path} unpacks from {packed} to {unpacked} bytes, too many: export the model with torch.export.save."
        )


def _payloads(path: str, name: str, text: bytes) -> _Payloads:
    try:
        return _PAYLOADS.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = visible(".".join((name, *map(str, first["loc"]))))
        raise UserError(f"{path} is not an archive of torch.export.save: {where}: {first['msg']}.") from None
