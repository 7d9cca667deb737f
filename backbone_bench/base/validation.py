"""A pydantic validation error as one line for people."""

from pydantic import ValidationError

from backbone_bench.base.errors import visible


def first_problem(error: ValidationError, *, inside: str = "") -> str:
    """First error with its path: `cost.by_op[3].calls: Input should be a valid integer`; list items count from 1."""
    first = error.errors(include_url=False)[0]
    place = "".join(
        f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in (inside, *first["loc"]) if part != ""
    )
    return visible(f"{place.lstrip('.') or 'it'}: {first['msg'].removeprefix('Value error, ')}")
