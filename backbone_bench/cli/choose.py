"""From the options that name models and inputs to what they mean."""

from collections.abc import Iterable

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.zoo import catalogue


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


def inputs(words: Iterable[str] | None, size: int | None) -> tuple[str, ...]:
    """The specifications asked for, in their full form; raise UserError where they say nothing or too much."""
    from backbone_bench.records import TensorSpec  # pydantic waits until a command needs it

    specs = tuple(str(TensorSpec.parse(word)) for word in words or ())
    if specs and size is not None:
        raise UserError("--input and --input-size say the same thing twice: give one.")
    return specs
