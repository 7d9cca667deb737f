"""Generator of `results/static.md` and the README's plot: counts of the whole zoo beside the papers' own numbers."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from backbone_bench.base.grouping import group_by
from backbone_bench.claims.data import papers as data
from backbone_bench.claims.data.checks import CountCheck
from backbone_bench.claims.data.subjects import Network
from backbone_bench.records import Record, store
from backbone_bench.report.drawing import svg
from backbone_bench.report.plots.kinds import stacks
from backbone_bench.report.tables import escape
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, tabulate, without_empty
from backbone_bench.report.views.columns import COLUMNS, named
from backbone_bench.report.views.conditions import CONDITIONS, column_of
from backbone_bench.report.views.families import family
from backbone_bench.zoo import catalogue

INTRODUCTION = """# What the zoo costs on paper

Every network of the zoo at batch 1 and at its paper's input size, counted from shapes alone: exact, and the same on
every machine. A multiply-add counts once; a number from a paper that counts it twice is halved here. The papers'
numbers are beside ours, with their source; `bench claims` shows where the two differ and why.
"""


class Printed(NamedTuple):
    """A number printed in a paper, converted to one FLOP per multiply-add."""

    model: str
    size: tuple[int, int] | None  # None: the size in the catalogue
    metric: str
    value: float
    source: str

    def of(self, record: Record) -> bool:
        """Whether the number is about the record's network and input size."""
        entry = catalogue.find(record.workload.model)
        return self.model == entry.name and self.size in (None, entry.input[1:])


def printed() -> list[Printed]:
    """The numbers about single networks of the zoo in the shipped claims."""
    return [figure for entry in data.entries(data.shipped()) for figure in _figures(entry)]


def _figures(entry: data.ClaimEntry) -> Iterator[Printed]:
    for check in entry.claim.check:
        if isinstance(check, CountCheck) and isinstance(check.of, Network) and not check.of.arguments:
            size = (check.of.size, check.of.size) if isinstance(check.of.size, int) else check.of.size
            once = check.expected / entry.factor if "flops" in check.metric else check.expected
            yield Printed(check.of.model, size, check.metric, once, entry.paper.short)


def static(records: Sequence[Record]) -> str:
    """The text of the page, from one record per network."""
    figures = printed()
    parts = [INTRODUCTION]
    for name, members in group_by(records, family).items():
        papers = dict.fromkeys(catalogue.find(member.workload.model).paper for member in members)
        sources = "; ".join(
            f"{escape.markdown(p.title)} ({', '.join(filter(None, [p.arxiv and f'arXiv:{p.arxiv}', str(p.year)]))})"
            for p in papers
        )
        table = without_empty(tabulate(members, _columns(figures)))
        parts += [f"## {name}", "", f"{sources}.", "", markdown([table])]
    return "\n".join(parts).rstrip() + "\n"


def _columns(figures: Iterable[Printed]) -> tuple[Column[Record], ...]:
    """Our columns, with the papers' parameters and FLOPs beside ours."""
    inputs = next(column_of(facet) for facet in CONDITIONS if facet.key == "inputs")
    rest = named("access_elems,conv_access_elems,cio_elems,traffic_elems,ops,peak_activation_bytes")
    return (
        COLUMNS["model"],
        inputs,
        COLUMNS["params"],
        _printed("params", "printed params (M)", 1e6, figures),
        COLUMNS["flops"]._replace(remark=""),
        _printed("flops", "printed FLOPs (G)", 1e9, figures),
        *rest,
        COLUMNS["uncounted"],
    )


def _printed(metric: str, title: str, unit: float, figures: Iterable[Printed]) -> Column[Record]:
    """Column of printed numbers: `3.8 (ResNet), 4.1 (ResNeXt)`. Variants of the metric (without norm …) count too."""
    known = [figure for figure in figures if metric in figure.metric]

    def cell(record: Record) -> str:
        texts = (f"{f.value / unit:.4g} ({f.source})" for f in known if f.of(record))
        return ", ".join(dict.fromkeys(texts))

    return Column(f"printed_{metric}", title, cell)


# Counts of the whole zoo.

POINT = ("resnet50", "densenet201", "vovnet39")  # FLOPs and traffic order them differently


@cache
def counted() -> tuple[Record, ...]:
    """One record per network, counted by `bench count --all`."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "zoo.jsonl"
        words = ["count", "--all", "-o", str(file)]
        subprocess.run([sys.executable, "-m", "backbone_bench", *words], stdout=subprocess.DEVNULL, check=True)
        return store.read([file], sys.exit)


def text() -> str:
    return static(counted())


def picture() -> str:
    """The README's plot: cost of three networks by kind of operation."""
    by_name = {record.workload.model: record for record in counted()}
    return svg.file(stacks("point", "FLOPs, traffic and operations", [by_name[name] for name in POINT], ""))
