"""The rooms of the package, floor by floor, as docs/architecture.md shows them and tests/test_house.py holds them.

What a room is for is the first paragraph of its own docstring: it stands in one place.
"""

import ast
from collections.abc import Iterator

from backbone_bench.base.program import PACKAGE

# From the top floor down. A room imports from its own and from lower floors; rooms of one floor do not know each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("gate",),
    ("versus", "pages", "api"),
    ("run", "claims"),
    ("profiler", "report", "doctor", "predictor"),
    ("measure", "cost", "zoo", "jobs"),
    ("records",),
    ("stats",),
    ("base",),
)


def sentence(room: str) -> str:
    """The first paragraph of the docstring of a room: a folder, or a module; one within another by `/`."""
    folder = PACKAGE / room
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def inner(room: str) -> list[str]:
    """The rooms within a room, by name."""
    return sorted(path.parent.name for path in (PACKAGE / room).glob("*/__init__.py"))


def rows() -> Iterator[tuple[str, str, str]]:
    """Every room with its floor and its sentence, the rooms within it right after."""
    for number, rooms in enumerate(FLOORS):
        for room in rooms:
            name = f"`{room}/`" if (PACKAGE / room).is_dir() else f"`{room}.py`"
            yield str(len(FLOORS) - 1 - number), name, sentence(room)
            for one in inner(room):
                yield "", f"`{room}/{one}/`", sentence(f"{room}/{one}")
