"""The table of the zoo's models for `bench list`."""

from collections.abc import Sequence

from backbone_bench.base.units import BILLIONS, MILLIONS, PLAIN
from backbone_bench.report.tables.table import Column, Table, tabulate
from backbone_bench.zoo.catalogue import CatalogueEntry

COLUMNS: tuple[Column[CatalogueEntry], ...] = (
    Column("model", "model", lambda entry: entry.name),
    Column("family", "family", lambda entry: entry.family),
    Column("input", "input", lambda entry: "x".join(map(str, entry.input))),
    Column("params", "parameters", lambda entry: entry.params, MILLIONS),
    Column("flops", "FLOPs", lambda entry: entry.flops, BILLIONS),
    Column("year", "year", lambda entry: entry.paper.year, PLAIN),
    Column("arxiv", "arXiv", lambda entry: entry.paper.arxiv),
    Column("paper", "paper", lambda entry: entry.paper.title),
)


def zoo_table(entries: Sequence[CatalogueEntry]) -> Table:
    """Make one row per network of the zoo."""
    return tabulate(entries, COLUMNS)
