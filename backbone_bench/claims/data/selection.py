"""Selection of claims: by id or paper, by a word, and by a network that they name."""

from collections.abc import Iterator, Sequence

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.claims.data.checks import Check
from backbone_bench.claims.data.papers import ClaimEntry
from backbone_bench.claims.data.subjects import Network


def select(entries: Sequence[ClaimEntry], names: Sequence[str]) -> tuple[ClaimEntry, ...]:
    """The claims with these ids or of these papers, in the given order; all if no name is given. Raises UserError."""
    if not names:
        return tuple(entries)
    found: dict[str, ClaimEntry] = {}
    for name in names:
        matching = [entry for entry in entries if name in (entry.claim.id, entry.paper.key)]
        if not matching:
            known = {entry.claim.id for entry in entries} | {entry.paper.key for entry in entries}
            raise UserError(f"No claim or paper is called {name!r}. {did_you_mean(name, known, 'See `bench claims`.')}")
        found |= {entry.claim.id: entry for entry in matching}
    return tuple(found.values())


def about(entries: Sequence[ClaimEntry], text: str) -> tuple[ClaimEntry, ...]:
    """The claims that contain a text in their id, sentence, note, networks or paper. Raises UserError if none does."""
    found = tuple(entry for entry in entries if text.casefold() in _words(entry).casefold())
    if not found:
        raise UserError(f"No claim contains {text!r}. See `bench claims`.")
    return found


def naming(entries: Sequence[ClaimEntry], model: str) -> tuple[ClaimEntry, ...]:
    """The claims that name a network, whichever library builds it. Raises UserError if none does."""
    found = tuple(entry for entry in entries if plain_name(model) in map(plain_name, _models(entry)))
    if not found:
        known = {plain_name(name) for entry in entries for name in _models(entry)}
        raise UserError(f"No claim names {model!r}. {did_you_mean(plain_name(model), known, 'See `bench claims`.')}")
    return found


def plain_name(model: str) -> str:
    """The name of a network without the library that builds it.

    >>> plain_name("timm:resnet50")
    'resnet50'
    """
    return model.rpartition(":")[2]


def networks(check: Check) -> Iterator[Network]:
    """The networks that a check names."""
    named = [getattr(check, field, None) for field in ("of", "to", "minus", "like")]
    named += getattr(check, "rising", ())
    named += [network for pair in getattr(check, "pairs", ()) for network in pair]
    yield from (subject for subject in named if isinstance(subject, Network))


def _models(entry: ClaimEntry) -> Iterator[str]:
    """The models of a claim; for a factory that takes a name, that name too."""
    for check in entry.claim.check:
        for network in networks(check):
            yield network.model
            yield str((network.arguments or {}).get("name", network.model))


def _words(entry: ClaimEntry) -> str:
    paper, claim = entry.paper, entry.claim
    return "\n".join((paper.key, paper.title, paper.short, claim.id, claim.sentence, claim.note, *_models(entry)))
