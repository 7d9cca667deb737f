"""The choice of plots for a set of records; a plot with too few points is left out.

A latency axis shows the device's work if every record has it, else wall latency,
and its title says which. Records with different conditions never share a panel,
except in the plot of latency against batch; a plot has one panel per set of
conditions, and no plot is made twice for one environment.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record
from backbone_bench.report.drawing.plot import Axis, Line, Panel, Plot, Point
from backbone_bench.report.plots import accuracy, prediction
from backbone_bench.report.plots.alike import Alike, alike
from backbone_bench.report.plots.flame import flames
from backbone_bench.report.plots.kinds import kinds
from backbone_bench.report.plots.points import latency_column, number
from backbone_bench.report.plots.roofline import Ceiling, roofline, split_ceilings
from backbone_bench.report.plots.samples import spread
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views import depth
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import conditions, environment_groups
from backbone_bench.report.views.families import STYLES, family

Panels = Iterable[Panel | None]
TIME, ENERGY = "Accuracy against latency", "Accuracy against energy"


def draw(records: Sequence[Record]) -> tuple[Plot, ...]:
    """Make every plot that the records have enough data for, one environment after another, under unique names."""
    plots: list[Plot] = []
    for group in environment_groups(records):
        networks, ceilings = split_ceilings(group.records)
        caption = environment_groups(networks)[0].caption if networks else ""
        plots += _of_environment(alike(networks), ceilings, caption)
        plots += batches(networks, caption)
    return _uniquely_named(plots)


def _of_environment(groups: Sequence[Alike], ceilings: Sequence[Ceiling], caption: str) -> Iterator[Plot]:
    found = (
        _predictors(groups, caption),
        _plot("accuracy", TIME, f"{accuracy.CAPTION} {caption}", map(_against_time, groups)),
        _plot("energy", ENERGY, f"{accuracy.CAPTION} {caption}", map(_against_energy, groups)),
        *(roofline(groups, caption, ceiling) for ceiling in ceilings),
        spread(groups, caption),
    )
    yield from filter(None, found)
    yield from kinds(groups, caption)
    yield from flames((record for group in groups for record in group.records), caption)


def _plot(name: str, title: str, caption: str, panels: Panels) -> Plot | None:
    """A plot whose series are families, which have one style everywhere; None without a panel."""
    drawn = tuple(filter(None, panels))
    return Plot(name, title, caption, drawn, fixed=STYLES) if drawn else None


def _against_time(group: Alike) -> Panel | None:
    return accuracy.panel(group.records, group.time, group.about)


def _against_energy(group: Alike) -> Panel | None:
    return accuracy.panel(group.records, COLUMNS["gross_per_image_j"], group.about)


def _uniquely_named(plots: Iterable[Plot]) -> tuple[Plot, ...]:
    used: Counter[str] = Counter()
    named = []
    for plot in plots:
        used[plot.name] += 1
        named.append(plot.renamed(f"{plot.name}-{used[plot.name]}") if used[plot.name] > 1 else plot)
    return tuple(named)


def predictors(records: Sequence[Record], caption: str) -> Plot | None:
    """Plot latency against each count, with its rank correlation; None with fewer than eight networks."""
    return _predictors([Alike(tuple(records), "")], caption)


def _predictors(groups: Sequence[Alike], caption: str) -> Plot | None:
    panels = [
        prediction.panel(group.records, found, group.about)
        for group in prediction.ranked(groups)
        for found in prediction.correlations(group.records, group.time)
    ]
    remark = depth.remark(record for group in groups for record in group.records)
    sentences = (
        "ρ: Spearman's rank correlation with latency; the count that predicts best comes first.",
        remark,
        caption,
    )
    text = " ".join(filter(None, sentences))
    return _plot("thesis", "What predicts latency", text, panels)


def energy(records: Sequence[Record], caption: str) -> Plot | None:
    """Plot published accuracy against energy per image, within one training recipe."""
    return _plot("energy", ENERGY, f"{accuracy.CAPTION} {caption}", [_against_energy(Alike(tuple(records), ""))])


def leading(groups: Sequence[Alike]) -> tuple[Plot, ...]:
    """The two plots that say most: time against what predicts it best, and accuracy against energy, else latency."""
    first = next((plot for group in prediction.ranked(groups) if (plot := _best_predictor(group))), None)
    panels: tuple[tuple[str, Callable[[Alike], Panel | None]], ...] = ((ENERGY, _against_energy), (TIME, _against_time))
    second = next(
        (
            plot
            for title, panel in panels
            for group in groups
            if (plot := _plot("front", title, accuracy.CAPTION, [panel(group)]))
        ),
        None,
    )
    return tuple(filter(None, (first, second)))


def _best_predictor(group: Alike) -> Plot | None:
    found = prediction.correlations(group.records, group.time)
    if not found:
        return None
    title = f"{group.time.title.capitalize()} follows {found[0].predictor.title}"
    panel = prediction.panel(group.records, found[0], group.about)
    text = f"ρ: Spearman's rank correlation. {depth.remark(group.records)}".rstrip()
    return _plot("best", title, text, [panel])


def batches(records: Iterable[Record], caption: str) -> list[Plot]:
    """Plot latency per image against batch, one line per model; one plot per set of other conditions."""
    plots = []
    for group in group_by(records, lambda record: conditions(record)[1:]).values():  # all but the batch
        up = latency_column(group)
        lines: list[Line] = []
        points: list[Point] = []
        for model, members in group_by(group, lambda record: record.workload.model).items():
            curve = _curve(members, up)
            if len({x for x, _ in curve}) > 1:
                of = family(members[0])
                lines.append(Line(tuple(curve), of, model))
                points += [Point(x, y, of, "", f"{model}\nbatch {x:g}\n{y:.4g} ms per image") for x, y in curve]
                points[-1] = points[-1]._replace(label=model)
        if lines:
            axes = (
                Axis("batch", log=True, ticks=tuple(sorted({point.x for point in points}))),
                Axis(f"{up.title} per image (ms)", log=True),
            )
            panel = Panel("Latency per image", *axes, tuple(points), tuple(lines))
            plots.append(Plot("batches", "Latency against batch", caption, (panel,), fixed=STYLES))
    return plots


def _curve(records: Iterable[Record], up: Column[Record]) -> list[tuple[float, float]]:
    known = [(record.workload.batch, y) for record in records if (y := number(up, record))]
    return sorted((float(batch), y / batch) for batch, y in known)
