"""Generator of `results/cpu.md` and its plots, from the records of `tools.measure`."""

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
from backbone_bench.report.plots.prediction import PREDICTORS
from backbone_bench.report.plots.roofline import split_ceilings
from backbone_bench.report.plots.which import draw
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
    "peak_resident_bytes,top1_fraction,top1_weights,grade"
)
PLOTS = ("thesis", "accuracy", "roofline", "cost")

INTRODUCTION = f"""# Measured on a CPU

Networks of every family of the zoo at batch 1, all at one input size, on one thread, each in its own process.
`make results-measured` measures them again; the records, with every sample and every operation, are
[{RECORDS.name}](records/{RECORDS.name}), and `bench report {RECORDS} -o page` shows everything in them. A column with ±
is half the width of the 95 % confidence interval within one process; another process may differ by more, which
`bench versus` takes into account. Peak resident memory is the maximum above the value before the first call.
"""
CORRELATIONS = """## Rank correlation of counts with latency

Spearman's rank correlation of each count with the wall latency over these networks, with the 95 % confidence interval
of a bootstrap over the networks. It shows which count orders the networks as their latency on this machine does; on
another machine the order may differ.
"""


class CountCorrelation(NamedTuple):
    """Rank correlation of a count with the wall latency, with its 95 % confidence interval."""

    title: str
    rho: float
    interval: Interval
    networks: int


def files() -> dict[str, Callable[[], str]]:
    """The page and its plots; none if there are no records."""
    if not (ROOT / RECORDS).exists():
        return {}
    records = _records()
    plots = {f"results/plots/{RECORDS.stem}-{name}.svg": plot for name, plot in pictures(records).items()}
    drawings: dict[str, Callable[[], str]] = {file: partial(svg.file, plot) for file, plot in plots.items()}
    return {**drawings, f"results/{RECORDS.stem}.md": partial(page, records)}


@cache
def _records() -> tuple[Record, ...]:
    return store.read([ROOT / RECORDS], _refuse)


def _refuse(message: str) -> None:
    raise ValueError(message)  # a published file has no broken line, so a warning is an error


def pictures(records: Sequence[Record]) -> dict[str, Plot]:
    """The plots, by name, for which the records have enough data."""
    networks, _ = split_ceilings(records)
    caption = environment_groups(networks)[0].caption
    found = {plot.name: plot for plot in draw(records)}
    found["cost"] = stacks("cost", "Cost by kind of operation", networks, caption)
    return {name: found[name] for name in PLOTS if name in found}


def page(records: Sequence[Record]) -> str:
    """The text of the page: table of the networks, rank correlations with their latency, and plots."""
    networks, ceilings = split_ceilings(records)
    tables = [without_empty(table) for table in compare(networks, View(SHOWN, mark_best=False))]
    roofs = "".join(
        f"A matrix product reaches {roof.flops_per_s / 1e9:.4g} GFLOP/s here and a copy {roof.bytes_per_s / 1e9:.4g} "
        f"GB/s, in {roof.precision}, on {_threads(roof.threads)}.\n"
        for roof in ceilings
    )
    parts = [INTRODUCTION, markdown(tables), roofs, CORRELATIONS, markdown([_correlations(networks)])]
    for name, plot in pictures(records).items():
        parts.append(f"## {plot.title}\n\n{plot.caption}\n\n![{plot.title}](plots/{RECORDS.stem}-{name}.svg)\n")
    return "\n".join(filter(None, parts))


def _threads(number: int | None) -> str:
    return "one thread" if number == 1 else f"{number or 'all'} threads"


def _correlations(networks: Sequence[Record]) -> Table:
    return tabulate(
        [_correlation(networks, COLUMNS[key]) for key in PREDICTORS],
        [
            Column("count", "count", lambda row: row.title),
            Column("rho", "rank correlation", lambda row: row.rho, _TWO),
            Column("low", "95 % CI from", lambda row: row.interval.low, _TWO),
            Column("high", "to", lambda row: row.interval.high, _TWO),
            Column("networks", "networks", lambda row: row.networks, Unit("")),
        ],
    )


_TWO = Unit("", 1, 2)


def _correlation(networks: Sequence[Record], count: Column[Record]) -> CountCorrelation:
    points = record_points(networks, count, COLUMNS["wall_s"])
    x, y = [point.x for point in points], [point.y for point in points]
    return CountCorrelation(count.heading, rank_correlation(x, y), interval(x, y), len(points))
