"""What the zoo holds, without torch: names, papers, sizes and costs, read from a generated table.

`catalogue.json` is written by `make results`; `make check` tells when it is stale.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base.errors import UserError, did_you_mean

FILE = Path(__file__).with_name("catalogue.json")


class Paper(NamedTuple):
    """Where a network comes from."""

    title: str
    arxiv: str
    year: int


class CatalogueEntry(NamedTuple):
    """A network of the zoo and what it costs at its usual input, batch 1, in eval mode."""

    name: str
    family: str
    paper: Paper
    module: str  # the file that registers it, without its suffix
    input: tuple[int, int, int]  # channels, height, width
    params: int
    flops: int  # a fused multiply-add counts once


@cache
def entries() -> Mapping[str, CatalogueEntry]:
    """All networks by name, family by family."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    papers = {arxiv: Paper(title, arxiv, year) for arxiv, (title, year) in table["papers"].items()}
    return {
        name: CatalogueEntry(name, family, papers[arxiv], module, (channels, height, width), params, flops)
        for name, family, arxiv, module, (channels, height, width), params, flops in table["models"]
    }


def find(name: str) -> CatalogueEntry:
    """The network of that name; raise UserError with the closest names where there is none."""
    try:
        return entries()[name]
    except KeyError:
        hint = did_you_mean(name, entries(), "See `bench list`.")
        raise UserError(f"The zoo has no model {name!r}. {hint}") from None
