"""Resolve the options that name models, families and inputs."""

from collections.abc import Iterable

from backbone_bench.base import watched
from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.zoo import catalogue


def models(named: Iterable[str] | None, families: Iterable[str] | None, *, everything: bool) -> list[str]:
    """The requested models in order, each once. Raises UserError for an unknown name, or if there is none."""
    chosen = [*(named or ()), *(name for family in families or () for name in _members(family))]
    if everything:
        chosen += catalogue.entries()
    if not chosen:
        raise UserError("Name a model (`bench list` shows the zoo), a --family, or --all.")
    for name in chosen:
        if ":" not in name and not name.endswith((".pt", ".pth")):
            catalogue.find(name)  # all names are checked before the first is measured
    return list(dict.fromkeys(chosen))


def watch(names: Iterable[str]) -> None:
    """Go on in a child process if the code of one of these models is not ours: it may end the process it runs in."""
    others = [name for name in dict.fromkeys(names) if name not in catalogue.entries()]
    if others:
        watched.split(", ".join(others))


def _members(family: str) -> list[str]:
    known = catalogue.entries().values()
    members = [entry.name for entry in known if entry.family == family]
    if not members:
        families = dict.fromkeys(entry.family for entry in known)
        hint = did_you_mean(family, families, f"There are {', '.join(families)}.")
        raise UserError(f"The zoo has no family {family!r}. {hint}")
    return members
