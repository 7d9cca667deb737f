"""Where the factory of a user's model stands, found without importing it: file and line, for annotations."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from backbone_bench.records.workload import source_of

_FILE = re.compile(r"(?P<place>.+?\.py):(?P<name>\w+)")  # at the beginning of a workload in words
_MODULE = re.compile(r"(?P<place>[\w.]+):(?P<name>\w+)")


class SourceLine(NamedTuple):
    """A line of a file, by its path from the root that was asked for."""

    path: str
    line: int


def of_model(subject: str, folder: Path, root: Path) -> SourceLine | None:
    """The definition of the model that a workload in words begins with; None for a model without a file under `root`.

    Relative paths and modules are looked up in `folder`.
    """
    if match := _FILE.match(subject):
        paths = [folder / match["place"]]
    elif (match := _MODULE.match(subject)) and source_of(match[0]) == "import":
        module = folder.joinpath(*match["place"].split("."))
        paths = [module.with_suffix(".py"), module / "__init__.py"]
    else:
        return None
    for path in (path.resolve() for path in paths):
        if path.is_file() and path.is_relative_to(root.resolve()):
            return SourceLine(path.relative_to(root.resolve()).as_posix(), _line(path, match["name"]))
    return None


def _line(path: Path, name: str) -> int:
    """The line of a definition at the top of a file; the first line if it is not defined there."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):  # it cannot be run either, which is what the annotation says
        return 1
    lines = (node.lineno for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name)
    return next(lines, 1)
