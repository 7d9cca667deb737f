"""Deep models and inputs: torch walks nested modules by recursion, and Python limits recursion to 1000 calls."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from backbone_bench.base.errors import UserError
from backbone_bench.base.pytree import parts

DEEPEST = 2000  # modules within one another; the usual stack of 8 MiB holds twice as many
DEEPEST_INPUT = 100
_CALLS_PER_MODULE = 12  # of Python, for one module within another


@contextmanager
def recursion_told(name: str) -> Iterator[None]:
    """Keep Python's limit of recursion as it was, and tell a model that reaches it in one line."""
    limit = sys.getrecursionlimit()
    try:
        yield
    except RecursionError:
        version = ".".join(map(str, sys.version_info[:2]))
        raise UserError(
            f"{name} is nested too deep for Python {version}: put its modules one after another in place of one within "
            f"another."
        ) from None
    finally:
        sys.setrecursionlimit(limit)


def make_room(model: nn.Module, name: str) -> None:
    """Raise Python's limit of recursion as far as this model needs; `recursion_told` puts it back.

    Raises UserError for a model so deep that it could overflow the stack.
    """
    depth = _depth(model)
    if depth > DEEPEST:
        raise UserError(f"{name} has {depth} modules within one another, and at most {DEEPEST} can be counted.")
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000 + _CALLS_PER_MODULE * depth))


def _depth(model: nn.Module) -> int:
    deepest, visited, pending = 0, set[int](), [(model, 0)]
    while pending:
        module, depth = pending.pop()
        if id(module) not in visited:
            visited.add(id(module))
            deepest = max(deepest, depth)
            pending += [(child, depth + 1) for child in module._modules.values() if child is not None]
    return deepest


def check_example(example: Any) -> None:
    """Raise UserError for example inputs that are nested too deep, or hold themselves."""
    pending = [(example, 0)]
    while pending:
        value, depth = pending.pop()
        if depth > DEEPEST_INPUT:
            raise UserError(f"The example inputs are nested more than {DEEPEST_INPUT} deep, or hold themselves.")
        pending += [(part, depth + 1) for part in parts(value)]
