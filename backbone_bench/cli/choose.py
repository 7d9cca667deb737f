"""From the options that name models and inputs to requests."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from backbone_bench.cli.options import arguments
from backbone_bench.errors import UserError, did_you_mean
from backbone_bench.zoo import catalogue

if TYPE_CHECKING:  # it loads torch
    from backbone_bench.zoo.sources import Request


def models(named: Iterable[str] | None, families: Iterable[str] | None, *, everything: bool) -> list[str]:
    """The models asked for, each once, in the order asked; raise UserError where there is none."""
    chosen = [*(named or ()), *(name for family in families or () for name in _members(family))]
    if everything:
        chosen += catalogue.entries()
    if not chosen:
        raise UserError("Name a model (`bench list` shows the zoo), a --family, or --all.")
    for name in chosen:
        if ":" not in name and not name.endswith((".pt", ".pth")):
            catalogue.find(name)  # all names are checked before the first is measured
    return list(dict.fromkeys(chosen))


def _members(family: str) -> list[str]:
    known = catalogue.entries().values()
    members = [entry.name for entry in known if entry.family == family]
    if not members:
        families = dict.fromkeys(entry.family for entry in known)
        hint = did_you_mean(family, families, f"There are {', '.join(families)}.")
        raise UserError(f"The zoo has no family {family!r}. {hint}")
    return members


def requests(
    names: Sequence[str], arg: list[str] | None, inputs: list[str] | None, size: int | None, batches: Sequence[int]
) -> "list[Request]":
    """One request a model and batch."""
    from backbone_bench.records import TensorSpec
    from backbone_bench.zoo.sources import Request

    if inputs and size is not None:
        raise UserError("--input and --input-size say the same thing twice: give one.")
    specs = tuple(TensorSpec.parse(text) for text in inputs or ())
    given = arguments(arg)
    return [Request(name, given, specs, size, batch) for name in names for batch in batches]
