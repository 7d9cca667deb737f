"""Strict JSON: NaN and Infinity are refused, which Python's parser accepts although they are not JSON."""

import json
from typing import Any


def loads(text: str) -> Any:
    """Parse a JSON document. Raises ValueError if it is not JSON, RecursionError if it is nested too deeply."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
