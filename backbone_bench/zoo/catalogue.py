"""Catalogue of the zoo's networks: names, papers, input sizes and costs, without importing torch.

It is read from `catalogue.json`, which `make results` generates; `make check` fails if it is out of date.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base.errors import UserError, did_you_mean

FILE = Path(__file__).with_name("catalogue.json")


class Paper(NamedTuple):
    """The paper of a network."""

    title: str
    arxiv: str  # empty if it has no number there
    year: int


class CatalogueEntry(NamedTuple):
    """A network of the zoo, with its cost at its default input, batch 1, in eval mode."""

    name: str
    family: str
    paper: Paper
    module: str  # file in `zoo.families` that registers it, without .py
    input: tuple[int, int, int]  # channels, height, width
    counts: Mapping[str, int]  # every counted quantity of a record, by its key

    @property
    def params(self) -> int:
        return self.counts["params"]

    @property
    def flops(self) -> int:
        """FLOPs; a fused multiply-add counts once."""
        return self.counts["flops"]


@cache
def entries() -> Mapping[str, CatalogueEntry]:
    """All networks by name, grouped by family."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    papers = {arxiv: Paper(title, arxiv, year) for arxiv, (title, year) in table["papers"].items()}
    return {
        name: CatalogueEntry(
            name, family, papers[arxiv], module, tuple(size), dict(zip(table["counts"], counts, strict=True))
        )
        for name, family, arxiv, module, size, *counts in table["models"]
    }


def find(name: str) -> CatalogueEntry:
    """Catalogue entry of a network; raise UserError with similar names if there is none."""
    try:
        return entries()[name]
    except KeyError:
        hint = did_you_mean(name, entries(), "See `bench list`.")
        raise UserError(f"The zoo has no model {name!r}. {hint}") from None
