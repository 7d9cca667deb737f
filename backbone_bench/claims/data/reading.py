"""From TOML to data: nothing is coerced, an unknown key is an error, every error is one line that names the place."""

import json
import tomllib
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from backbone_bench.base.errors import UserError, visible

T = TypeVar("T")


def toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # or a number of more digits than Python reads
        raise UserError(f"{name} is no TOML file: {visible(str(error))}.") from None
    except RecursionError:
        raise UserError(f"{name} is nested too deeply.") from None


def revive(kind: type[T], data: object, name: str) -> T:
    """A value of type `kind` from plain data, nothing coerced; raise UserError with the place of the first error."""
    try:
        # As JSON, where an array may become a tuple although nothing else is coerced.
        return TypeAdapter(kind).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        wrong = visible(f"{place or 'the file'}: {first['msg'].removeprefix('Value error, ')}")
        raise UserError(f"{name}: {wrong}{more}.") from None
    except (ValueError, RecursionError):  # a number in hexadecimal, or a dotted key, may be longer than JSON can be
        raise UserError(f"{name} holds a number too long, or is nested too deeply.") from None
