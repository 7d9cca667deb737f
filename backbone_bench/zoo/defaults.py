"""Default arguments of this package's own builders, read from their source: importing it would load torch."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from backbone_bench.records import Scalar
from backbone_bench.zoo import catalogue

ZOO = Path(__file__).parent
_PACKAGE = __name__.rpartition(".")[0]  # of this module: a builder in it is named `backbone_bench.zoo.micro:split`


def without_defaults(model: str, arguments: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Drop the arguments that have the value that the builder uses without them; all are kept of a model of others."""
    defaults = _defaults(model)
    return {
        name: value
        for name, value in arguments.items()
        if name not in defaults or (type(value), value) != (type(defaults[name]), defaults[name])
    }


@cache
def _defaults(model: str) -> Mapping[str, Scalar]:
    """The default arguments of a builder; empty for a model that is not built here."""
    module, colon, name = model.partition(":")
    if model in catalogue.entries():
        path, name = ZOO / "families" / f"{catalogue.entries()[model].module}.py", model
    elif colon and module.startswith(f"{_PACKAGE}."):
        path = ZOO.joinpath(*module.removeprefix(f"{_PACKAGE}.").split(".")).with_suffix(".py")
    else:
        return {}
    return dict(_of_function(path, name)) if path.is_file() else {}


def _of_function(path: Path, name: str) -> Iterator[tuple[str, Scalar]]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            spec = node.args
            positional = spec.args[len(spec.args) - len(spec.defaults) :]
            named = (*positional, *spec.kwonlyargs)
            for argument, value in zip(named, (*spec.defaults, *spec.kw_defaults), strict=True):
                if isinstance(value, ast.Constant) and isinstance(value.value, str | int | float | None):
                    yield argument.arg, value.value
