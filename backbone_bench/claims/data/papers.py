"""Papers and their claims as data: one TOML file is one paper.

A claim has the paper's sentence, the FLOPs convention, the checks with their tolerances, and the expected verdict.
"""

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.base.reading import revive, toml
from backbone_bench.claims.data.checks import Check
from backbone_bench.claims.data.layers import STRICT
from backbone_bench.claims.data.verdicts import ClaimVerdict


@dataclass(frozen=True, slots=True, config=STRICT)
class Original:
    """The claim's sentence in its original language."""

    text: str
    language: str
    exact: bool  # True: a quotation; False: a paraphrase


@dataclass(frozen=True, slots=True, config=STRICT)
class ClaimNews:
    """What a reader should know of a claim that is quoted often: its place among these claims, and two sentences."""

    place: Annotated[int, Field(gt=0)]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Claim:
    """One sentence of a paper, and the checks that decide it."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
    sentence: str
    where: str  # section or table
    expects: ClaimVerdict  # another verdict ends the program with exit 1
    check: Annotated[tuple[Check, ...], Field(min_length=1)]
    original: Original | None = None
    flops_per_multiply_add: Literal[1, 2] | None = None  # None: as the paper's
    published: ClaimVerdict | None = None  # the verdict expected from published measurements
    note: str = ""
    news: ClaimNews | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class ClaimsPaper:
    """One source (a paper, article or README) and its claims."""

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
        """The short name, with the arXiv number if there is one."""
        return f"{self.short} (arXiv:{self.arxiv})" if self.arxiv else self.short


class ClaimEntry(NamedTuple):
    """A claim with its paper."""

    paper: ClaimsPaper
    claim: Claim

    @property
    def factor(self) -> int:
        """FLOPs per multiply-add in the claim's convention: 1 or 2."""
        return self.claim.flops_per_multiply_add or self.paper.flops_per_multiply_add


def shipped() -> tuple[ClaimsPaper, ...]:
    """The papers shipped with the package, sorted by year."""
    folder = resources.files("backbone_bench.claims") / "papers"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    papers = [read(file) for file in files]
    return tuple(sorted(papers, key=lambda paper: (paper.year or 0, paper.key)))


def read(file: Traversable) -> ClaimsPaper:
    """Read a claims file. Raises UserError for any fault in it."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a TOML file: save it as UTF-8.") from None
    return parse(text, file.name)


def parse(text: str, name: str) -> ClaimsPaper:
    """Parse a paper and its claims from TOML; error messages begin with `name`. Raises UserError."""
    paper = revive(ClaimsPaper, toml(text, name), name)
    ids: set[str] = set()
    for claim in paper.claim:
        if claim.id in ids:
            raise UserError(f"{name}: two claims are called {claim.id!r}: give each its own id.")
        if all(check.aside for check in claim.check):
            raise UserError(f"{name}: every check of {claim.id!r} is `aside`: one must decide the claim.")
        ids.add(claim.id)
    return paper


def entries(papers: tuple[ClaimsPaper, ...]) -> Iterator[ClaimEntry]:
    """Every claim of these papers, in order."""
    for paper in papers:
        for claim in paper.claim:
            yield ClaimEntry(paper, claim)
