"""Mutations of valid documents: a few values are replaced, removed, duplicated or moved.

Random bytes hardly ever pass the parser of JSON or TOML. These documents do,
and reach the code that reads the values.
"""

import copy
import io
import json
import random
import re
import struct
import tomllib
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

EDGE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1 << 31, (1 << 63) - 1, 1 << 64, 10**400, -(10**400), 0.0, -0.0, 0.5, -2.5, 5e-324,
    1e-300, 1e17, 1.7e308, "", " ", "x", "0", "-1", "1x3x224x224:float32", "x:y", "a=b", "=1+1", "@cmd", "1e999",
    "9" * 5000, "a" * 3000, "<script>alert(1)</script>", "|`*_[a](b)", "\x1b[31m", "\x00", "\n", "\r\n", "\u202e",
    "\ud800", "☃", "{}", "{0.real}", "%s", "../../etc/passwd", [], {}, [[]], [None], [0], [1.0, 2.0], {"": 0},
    {"missing": "x", "message": "y"},
)  # fmt: skip
TOKENS = ("1e999", "-1e999", "1E400", "NaN", "-Infinity", "9" * 5000, "01", "1_0", "0x10", "inf", "nan", "1979-05-27")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


class Form(NamedTuple):
    """A file format: how to parse and how to write a document."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]


def _read_lines(text: bytes) -> Any:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _write_lines(document: Any) -> bytes:
    lines = document if isinstance(document, list) else [document]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def toml(value: Any) -> str:
    """A value as TOML on one line; `null`, which TOML does not have, becomes a string."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(char if char.isalnum() else f"\\U{ord(char):08x}" for char in value) + '"'
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{ " + ", ".join(f"{toml(str(key))} = {toml(inner)}" for key, inner in value.items()) + " }"
        case None:
            return '"null"'
        case _:
            return str(value)  # a number, a date


def _write_toml(document: Any) -> bytes:
    table = document if isinstance(document, dict) else {"value": document}
    return "".join(f"{toml(str(key))} = {toml(value)}\n" for key, value in table.items()).encode()


def _read_archive(text: bytes) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(text)) as archive:
            return [[name, archive.read(name).decode("latin-1")] for name in archive.namelist()]
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, struct.error) as error:
        raise ValueError("no archive") from error


def _encodable(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _write_archive(document: Any) -> bytes:
    """Write a zip archive from pairs of entry name and content; any other value becomes the content of one entry."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about two entries of one name
        for entry in document if isinstance(document, list) else [document]:
            name, holds = entry if isinstance(entry, list) and len(entry) == 2 else ("entry", entry)
            archive.writestr(_encodable(name).partition("\0")[0] or "entry", _encodable(holds))
    return file.getvalue()


ARCHIVE = Form(_read_archive, _write_archive)
JSON = Form(json.loads, lambda document: json.dumps(document, indent=1).encode())
LINES = Form(_read_lines, _write_lines)
TOML = Form(lambda text: tomllib.loads(text.decode()), _write_toml)
TEXT = Form(lambda text: text.decode().split("\n"), lambda words: "\n".join(map(str, words)).encode("utf-8", "replace"))


def changed(text: bytes, form: Form, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Apply up to three mutations; values may come from other documents. Raises ValueError if `text` is no document."""
    document = form.read(text)
    for _ in range(chance.randint(1, 3)):
        document = _step(document, form.read(chance.choice(others)), chance)
    written = form.write(document)
    numbers = list(_NUMBER.finditer(written)) if chance.random() < 0.1 else []
    if not numbers:
        return written
    start, end = chance.choice(numbers).span()
    return written[:start] + chance.choice(TOKENS).encode() + written[end:]


Place = tuple[Any, Any]  # a dictionary or a list, and the key of one of its values


def _places(document: Any) -> list[Place]:
    found: list[Place] = []
    open_ = [document]
    while open_:
        inside = open_.pop()
        pairs = inside.items() if isinstance(inside, dict) else enumerate(inside) if isinstance(inside, list) else ()
        for key, value in pairs:
            found.append((inside, key))
            open_.append(value)
    return found


def _descend(document: Any, chance: random.Random) -> Place:
    """A random place, where every branch has the same chance however many values it has."""
    while True:
        key = chance.choice(list(document)) if isinstance(document, dict) else chance.randrange(len(document))
        inner = document[key]
        if not inner or not isinstance(inner, dict | list) or chance.random() < 0.2:
            return document, key
        document = inner


def _step(document: Any, other: Any, chance: random.Random) -> Any:
    """Apply one mutation to a copy of the document."""
    document = copy.deepcopy(document)
    places = _places(document)
    if not places:
        return copy.deepcopy(other)
    inside, key = chance.choice(places) if chance.random() < 0.5 else _descend(document, chance)
    chance.choice((_replace, _replace, _near, _near, _lose, _double, _take, _rename))(
        inside, key, chance, _places(other)
    )
    return document


def _replace(inside: Any, key: Any, chance: random.Random, _others: Sequence[Place]) -> None:
    inside[key] = copy.deepcopy(chance.choice(EDGE_VALUES))


def _near(inside: Any, key: Any, chance: random.Random, _others: Sequence[Place]) -> None:
    """Replace a value by another of the same type."""
    value = inside[key]
    if isinstance(value, bool):
        inside[key] = not value
    elif isinstance(value, int):
        inside[key] = chance.choice((value + 1, -value, value * 2, value << 40, 0, value + chance.randint(-9, 9)))
    elif isinstance(value, float):
        inside[key] = chance.choice((0.0, -value, value * 1e-200, value * 1e200, value // 1, value * 1.01))
    elif isinstance(value, str):
        at = chance.randint(0, len(value))
        piece = chance.choice((*"x:/@=.,-_0 \n\\{}|<*", "", "é", "\x1b", "\ud800", "99999999999999999999"))
        inside[key] = value[:at] + piece + value[at + chance.randint(0, 2) :]
    elif isinstance(value, list):
        inside[key] = chance.choice((value[:1], value[::-1], value * 2, value[1:]))


def _lose(inside: Any, key: Any, _chance: random.Random, _others: Sequence[Place]) -> None:
    del inside[key]


def _double(inside: Any, key: Any, _chance: random.Random, _others: Sequence[Place]) -> None:
    if isinstance(inside, list):
        inside.insert(key, copy.deepcopy(inside[key]))
    else:
        inside[f"{key}_"] = copy.deepcopy(inside[key])


def _take(inside: Any, key: Any, chance: random.Random, others: Sequence[Place]) -> None:
    """Replace a value by one of another document, under the same key if there is one."""
    alike = [place for place in others if place[1] == key and isinstance(key, str)] or others
    if alike:
        their, name = chance.choice(alike)
        inside[key] = copy.deepcopy(their[name])


def _rename(inside: Any, key: Any, chance: random.Random, others: Sequence[Place]) -> None:
    names = [name for _, name in others if isinstance(name, str)]
    if isinstance(inside, dict) and names:
        inside[chance.choice(names)] = inside.pop(key)
