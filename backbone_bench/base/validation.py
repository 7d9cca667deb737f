"""A pydantic validation error as one line for people."""

from pydantic import ValidationError

from backbone_bench.base.errors import visible


def first_problem(error: ValidationError, *, inside: str = "", first_item: int = 0) -> str:
    """First error with its path: `cost.by_op[3].calls: Input should be a valid integer`.

    `inside` is a path in front; the items of a list are numbered from `first_item` on.
    """
    first = error.errors(include_url=False)[0]
    parts = (inside, *first["loc"]) if inside else first["loc"]
    place = "".join(f"[{part + first_item}]" if isinstance(part, int) else f".{part}" for part in parts)
    return visible(f"{place.lstrip('.') or 'it'}: {first['msg'].removeprefix('Value error, ')}")
