"""What was measured, as a page: `results/cpu.md` and its plots, from the records of `tools.measure` alone."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base.units import Unit
from backbone_bench.records import Record, store
from backbone_bench.report.drawing import svg
from backbone_bench.report.drawing.plot import Plot
from backbone_bench.report.plots.kinds import stacks
from backbone_bench.report.plots.points import record_points
from backbone_bench.report.plots.roofline import told_apart
from backbone_bench.report.plots.which import PREDICTORS, draw
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, Table, tabulate, without_empty
from backbone_bench.report.views.columns import COLUMNS, named
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.conditions import environment_groups
from backbone_bench.stats.correlation import interval, rank_correlation
from backbone_bench.stats.samples import Interval
from tools.measure import RECORDS

ROOT = Path(__file__).parent.parent
SHOWN = named(
    "model,params,flops,access_elems,traffic_elems,ops,wall_s,wall_half_width,images_per_s,flops_per_s,"
    "peak_resident_bytes,top1_fraction,top1_weights,flags"
)
FEW = named("model,flops,traffic_elems,ops,wall_s,wall_half_width,flops_per_s")
PLOTS = ("thesis", "accuracy", "roofline", "cost")

INTRODUCTION = f"""# Measured on a CPU

Networks of every family of the zoo at batch 1, all at one input size, on one thread, each in a process of its own.
`make results-measured` measures them anew; the records, with every sample and every operation, are
[{RECORDS.name}](records/{RECORDS.name}), and `bench report {RECORDS} -o page` shows all that is in them. An interval is
that of one process; another process may differ by more, which `bench versus` takes into account. Peak resident is what
the process held at most above what it held before the first call.
"""
FOLLOWS = """## Which count does latency follow?

Spearman's rank correlation with the wall latency over these networks, with the 95 % interval of a bootstrap over them.
It says which count puts the networks in the order of the clock of this machine, not of another.
"""


class Follows(NamedTuple):
    """How well a count puts networks in the order of the clock."""

    title: str
    rho: float
    bounds: Interval
    networks: int


def files() -> dict[str, Callable[[], str]]:
    """The page and its plots; none before anything was measured."""
    if not (ROOT / RECORDS).exists():
        return {}
    records = _records()
    plots = {f"results/plots/{RECORDS.stem}-{name}.svg": plot for name, plot in pictures(records).items()}
    drawn: dict[str, Callable[[], str]] = {file: partial(svg.file, plot) for file, plot in plots.items()}
    return {**drawn, f"results/{RECORDS.stem}.md": partial(page, records)}


@cache
def _records() -> tuple[Record, ...]:
    return store.read([ROOT / RECORDS], _refuse)


def _refuse(told: str) -> None:
    raise ValueError(told)  # published records are whole


def pictures(records: Sequence[Record]) -> dict[str, Plot]:
    """Those plots that the records have enough for, by name."""
    networks, _ = told_apart(records)
    caption = environment_groups(networks)[0].caption
    found = {plot.name: plot for plot in draw(records)}
    found["cost"] = stacks("cost", "Cost by kind of operation", networks, caption)
    return {name: found[name] for name in PLOTS if name in found}


def page(records: Sequence[Record]) -> str:
    """The table of the networks, what their latency follows, and the plots."""
    networks, ceilings = told_apart(records)
    tables = [without_empty(table) for table in compare(networks, View(SHOWN, mark_best=False))]
    roofs = "".join(
        f"A matrix product reaches {roof.flops_per_s / 1e9:.4g} GFLOP/s here and a copy {roof.bytes_per_s / 1e9:.4g} "
        f"GB/s, in {roof.precision}, on {_threads(roof.threads)}.\n"
        for roof in ceilings
    )
    parts = [INTRODUCTION, markdown(tables), roofs, FOLLOWS, markdown([_followed(networks)])]
    for name, plot in pictures(records).items():
        parts.append(f"## {plot.title}\n\n{plot.caption}\n\n![{plot.title}](plots/{RECORDS.stem}-{name}.svg)\n")
    return "\n".join(filter(None, parts))


def few(names: Sequence[str]) -> str:
    """A table of some of the networks, with where and when they were measured."""
    chosen = [record for name in names for record in _records() if record.workload.model == name]
    return markdown(compare(chosen, View(FEW, mark_best=False)))


def _threads(number: int | None) -> str:
    return "one thread" if number == 1 else f"{number or 'all'} threads"


def _followed(networks: Sequence[Record]) -> Table:
    return tabulate(
        [_follows(networks, COLUMNS[key]) for key in PREDICTORS],
        [
            Column("count", "count", lambda row: row.title),
            Column("rho", "rank correlation", lambda row: row.rho, _TWO),
            Column("low", "from", lambda row: row.bounds.low, _TWO),
            Column("high", "to", lambda row: row.bounds.high, _TWO),
            Column("networks", "networks", lambda row: row.networks, Unit("")),
        ],
    )


_TWO = Unit("", 1, 2)


def _follows(networks: Sequence[Record], count: Column[Record]) -> Follows:
    seen = record_points(networks, count, COLUMNS["wall_s"])
    x, y = [one.x for one in seen], [one.y for one in seen]
    return Follows(count.heading, rank_correlation(x, y), interval(x, y), len(seen))
