"""The engines of a fleet: what `--fleet` may name, and how rows are handed to each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

from backbone_bench.base.choices import EngineName
from backbone_bench.base.errors import UserError, did_you_mean, visible
from backbone_bench.jobs.job import Job
from backbone_bench.run.fleet import local
from backbone_bench.run.fleet.drive import OpenPlaces
from backbone_bench.run.fleet.plan import Row
from backbone_bench.run.fleet.ray import cluster, places
from backbone_bench.run.fleet.slurm import commands

EACH_KIND = "each-kind"


class EngineAddress(NamedTuple):
    """An engine, and where it is: `ray:10.0.0.1:6379`, `local:4`."""

    engine: EngineName
    address: str | None

    @classmethod
    def parse(cls, text: str) -> "EngineAddress":
        """Parse `slurm`, `ray`, `ray:ADDRESS` or `local:N`. Raises UserError for anything else."""
        name, _, address = text.partition(":")
        names: Sequence[EngineName] = get_args(EngineName)
        for engine in names:
            if engine == name:
                return cls(engine, address or None)
        hint = did_you_mean(name, names, "It is slurm, ray, ray:ADDRESS or local:N.")
        raise UserError(f"--fleet {visible(text)}: there is no such engine. {hint}")


def check(where: EngineAddress, jobs: Sequence[Job], kinds: Sequence[str]) -> None:
    """Raise UserError, before a plan is made, for what an engine cannot take."""
    if where.engine == "local":
        local.check(where.address, jobs)
        if kinds:
            raise UserError("--on chooses among the machines of Slurm or Ray; local has the devices of this one.")
    if where.engine == "slurm" and where.address is not None:
        raise UserError("--fleet slurm takes no address: the commands of Slurm know theirs.")


def check_rows(where: EngineAddress, rows: Sequence[Row]) -> None:
    """Raise UserError if a row of an earlier plan is for a kind of card that the engine does not have."""
    planned = {row.kind for row in rows if row.kind is not None}
    if planned and (lacking := sorted(planned - cards(where).keys())):
        raise UserError(f"The plan has rows for {', '.join(lacking)}, and {where.engine} has no such kind of card.")


def kinds(where: EngineAddress, words: Sequence[str]) -> Sequence[str | None]:
    """The kinds of card that `--on` names, those of the whole engine for `each-kind`; None: any. Raises UserError."""
    if not words:
        return [None]
    there = {kind.lower(): kind for kind in cards(where) if kind is not None}
    if list(words) == [EACH_KIND]:
        if not there:
            raise UserError(f"--on {EACH_KIND}: {where.engine} names no kind of card.")
        return sorted(there.values())
    for word in words:
        if word.lower() not in there:
            names = sorted(there.values())
            hint = did_you_mean(word, names, f"It has {', '.join(names) or 'none with a name'}.")
            raise UserError(f"--on {visible(word)}: {where.engine} has no such kind of card. {hint}")
    return [there[word.lower()] for word in words]


def cards(where: EngineAddress) -> Mapping[str | None, int]:
    """The kinds of card of an engine, and the most that one of its machines has. Raises UserError.

    None stands for the largest machine of any kind.
    """
    if where.engine == "ray":
        return cluster.cards(where.address)
    most: dict[str | None, int] = {}
    if where.engine == "slurm":
        for one in commands.cards():
            for kind in {one.kind, None}:
                most[kind] = max(most.get(kind, 0), one.number)
    return most


def driven(engine: EngineName) -> OpenPlaces | None:
    """How to open the places of an engine whose rows this process drives; None for one that is only handed them."""
    match engine:
        case "local":
            return local.places
        case "ray":
            return places.places
        case "slurm":
            return None
