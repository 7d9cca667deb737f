"""JSON without the constants that are no JSON: NaN and Infinity are refused."""

import json
from typing import Any


def loads(text: str) -> Any:
    """Read a document; raise ValueError for what is not JSON, RecursionError for what is nested too deeply."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")
