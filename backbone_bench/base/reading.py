"""Reader of TOML data: no type is coerced, an unknown key is an error, and every error is one line with its place."""

import json
import tomllib
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from backbone_bench.base.errors import UserError, visible
from backbone_bench.base.validation import first_problem

T = TypeVar("T")


def toml(text: str, name: str) -> dict[str, Any]:
    """Parse TOML; error messages begin with `name`. Raises UserError."""
    try:
        return tomllib.loads(text)
    except ValueError as error:  # or a number of more digits than Python reads
        raise UserError(f"{name} is not a TOML file: {visible(str(error))}.") from None
    except RecursionError:
        raise UserError(f"{name} is nested too deeply.") from None


def revive(kind: type[T], data: object, name: str) -> T:
    """Build a value of type `kind` from plain data, without coercion. Raises UserError with the first error's place."""
    try:
        # As JSON: there pydantic's strict mode accepts an array for a tuple.
        return TypeAdapter(kind).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UserError(f"{name}: {first_problem(error, first_item=1)}{more}.") from None
    except (ValueError, RecursionError):  # a hexadecimal number or a dotted key may exceed the limits of JSON
        raise UserError(f"{name} contains a number that is too long, or is nested too deeply.") from None
