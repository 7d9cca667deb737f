"""Claims as data: what a paper says, in which convention, within which tolerance, and what we expect to find.

A TOML file is one paper.
"""

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data.checks import Check
from backbone_bench.claims.data.layers import STRICT
from backbone_bench.claims.data.reading import revive, toml
from backbone_bench.claims.data.verdicts import ClaimVerdict


@dataclass(frozen=True, slots=True, config=STRICT)
class Original:
    """The sentence in the language in which it was written."""

    text: str
    language: str
    exact: bool  # a quotation, not a paraphrase


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Claim:
    """One sentence of a paper, and the checks that it comes down to."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
    sentence: str
    where: str  # section or table
    expects: ClaimVerdict  # so that exit 1 means news
    check: Annotated[tuple[Check, ...], Field(min_length=1)]
    original: Original | None = None
    flops_per_multiply_add: Literal[1, 2] | None = None  # None: the paper's
    published: ClaimVerdict | None = None  # expected of published measurements
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class ClaimsPaper:
    """One source, and what it claims."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str
    short: str
    claim: tuple[Claim, ...]
    arxiv: str | None = None
    url: str | None = None
    year: int | None = None
    flops_per_multiply_add: Literal[1, 2] = 1

    @property
    def source(self) -> str:
        return f"{self.short} (arXiv:{self.arxiv})" if self.arxiv else self.short


class ClaimEntry(NamedTuple):
    """A claim with its paper."""

    paper: ClaimsPaper
    claim: Claim

    @property
    def factor(self) -> int:
        """FLOPs that the claim counts for a multiply-add."""
        return self.claim.flops_per_multiply_add or self.paper.flops_per_multiply_add


def shipped() -> tuple[ClaimsPaper, ...]:
    """The papers of the package, by year."""
    folder = resources.files("backbone_bench.claims") / "papers"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    papers = [read(file) for file in files]
    return tuple(sorted(papers, key=lambda paper: (paper.year or 0, paper.key)))


def read(file: Traversable) -> ClaimsPaper:
    """A claims file; raise UserError for whatever is wrong with it."""
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is no TOML file: it is not UTF-8.") from None
    return parse(text, file.name)


def parse(text: str, name: str) -> ClaimsPaper:
    """A paper and its claims from TOML; `name` stands in the messages."""
    paper = revive(ClaimsPaper, toml(text, name), name)
    seen: set[str] = set()
    for claim in paper.claim:
        if claim.id in seen:
            raise UserError(f"{name}: two claims are called {claim.id!r}.")
        if all(check.aside for check in claim.check):
            raise UserError(f"{name}: every check of {claim.id!r} stands aside, and none decides the claim.")
        seen.add(claim.id)
    return paper


def entries(papers: tuple[ClaimsPaper, ...]) -> Iterator[ClaimEntry]:
    for paper in papers:
        for claim in paper.claim:
            yield ClaimEntry(paper, claim)
