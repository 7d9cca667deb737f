"""From TOML to data: nothing is coerced, an unknown key is an error, every error is one line that names the place."""

import json
import tomllib
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from backbone_bench.base.errors import UserError, visible
from backbone_bench.base.validation import first_problem

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
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UserError(f"{name}: {first_problem(error)}{more}.") from None
    except (ValueError, RecursionError):  # a number in hexadecimal, or a dotted key, may be longer than JSON can be
        raise UserError(f"{name} holds a number too long, or is nested too deeply.") from None
