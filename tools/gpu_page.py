"""Generator of `results/h200.md` and its plots, from the records of the first GPU, and of the README's table of them.

The records were made by a version whose device latency was that of eager calls: what is shown as the device's work is
the replay of the call's graph. `make gpu-results` measures everything again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from backbone_bench.claims.data import papers
from backbone_bench.claims.evidence import counter
from backbone_bench.claims.judges import engine
from backbone_bench.claims.judges.engine import CheckResult, ClaimResult
from backbone_bench.claims.report.tables import sentence, verdict_of
from backbone_bench.records import Missing, Record, store
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.drawing import svg
from backbone_bench.report.drawing.plot import Axis, BarSegment, Panel, Plot
from backbone_bench.report.plots.points import record_points
from backbone_bench.report.plots.which import PREDICTORS, energy, predictors
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, tabulate, without_empty
from backbone_bench.report.views.columns import COLUMNS, named
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.conditions import environment_groups
from backbone_bench.stats.correlation import rank_correlation

ROOT = Path(__file__).parent.parent
FOLDER = Path("results/records/h200")
PAGE = Path("results/h200.md")
# Peak memory is left out: in these records it holds cuDNN's search for algorithms, and what earlier rows left behind.
# Device latency too: it was taken by the events of eager calls.
SHOWN = named(
    "model,flops,access_elems,traffic_elems,ops,graph_s,graph_half_width,wall_s,wall_half_width,launch_bound,"
    "gross_per_image_j,energy_half_width,energy_runs,grade"
)
FEW = named("model,flops,traffic_elems,ops,graph_s,wall_s,launch_bound")
FEW_JOULES = named("model,flops,traffic_elems,ops,graph_s,wall_s,launch_bound,gross_per_image_j,energy_runs")

INTRODUCTION = f"""# Measured on a GPU: NVIDIA H200

The first GPU that this program ran on, on 2026-11-27: 54 records of two cards of one kind, in a virtual machine with
the card passed through, nobody else on it, one process per file. The records are in
[{FOLDER.name}](records/{FOLDER.name}/README.md), as they were made; `bench report {FOLDER} -o page` shows everything in
them. `make gpu-results` measures all rows again on the card at hand.

**How to read it.** *Graph latency* is the device's own work: the replay of the call's graph, without Python.
*Wall latency* is what a caller waits. Their difference is the launch-bound share. Where it is large, wall latency is
the time of Python on this host, and differed by up to 45 % between two processes; graph latencies of two processes
differed by up to 4.5 %. So a ratio of two rows within 5 % decides nothing. Energy is that of replays back to back.

**What is not here.** fp32 is IEEE single precision, contiguous and eager, in all records. torch's own default computes
fp32 convolutions in TF32, which is faster, and many people run bf16 with channels-last, or compiled: these settings are
not measured yet (`make gpu-results` measures them). Peak memory and device latency are left out, because the version
that made these records took them wrongly (cuDNN's search for algorithms; events around eager calls).
"""


def files() -> dict[str, Callable[[], str]]:
    """The page and its plots; none if there are no records."""
    if not (ROOT / FOLDER).exists():
        return {}
    drawings: dict[str, Callable[[], str]] = {
        f"results/plots/{PAGE.stem}-{name}.svg": partial(svg.file, plot) for name, plot in pictures().items()
    }
    return {**drawings, str(PAGE): page}


@cache
def records() -> tuple[Record, ...]:
    """All records of the card."""
    return store.read(sorted((ROOT / FOLDER).glob("*.jsonl")), _refuse)


def _refuse(message: str) -> None:
    raise ValueError(message)  # a published file has no broken line, so a warning is an error


def networks(batch: int, size: int) -> list[Record]:
    """The networks at one batch and image size, each once, all from one card: the first record of each."""
    chosen: dict[str, Record] = {}
    for record in records():
        shape = (batch, 3, size, size)
        if record.workload.specs[0].shape == shape and record.workload.source == "zoo":
            chosen.setdefault(record.workload.model, record)
    return list(chosen.values())


# Plots.


@cache
def pictures() -> dict[str, Plot]:
    """The plots of the page, by name."""
    one, many = networks(1, 224), networks(32, 224)
    found = {
        "waiting": waiting(one),
        "batch1": predictors(one, _caption(one)),
        "batch32": predictors(many, _caption(many)),
        "energy": energy(many, _caption(many)),
    }
    return {name: plot for name, plot in found.items() if plot}


def _caption(some: Sequence[Record]) -> str:
    return environment_groups(some)[0].caption


def waiting(some: Sequence[Record]) -> Plot:
    """Plot what a caller waits: the device's work, and the time in which the device waits for Python."""
    ordered = sorted(some, key=lambda record: _s(record, "graph_s"))
    bars = [bar for row, record in enumerate(ordered) for bar in _parts(row, record)]
    rows = tuple(record.workload.model for record in ordered)
    panel = Panel("Wall latency at batch 1", Axis("ms", from_zero=True), Axis(""), bars=tuple(bars), rows=rows)
    title = "At batch 1 the GPU waits for Python"
    return Plot("waiting", title, f"Device work is the replay of the call's graph. {_caption(some)}", (panel,))


def _parts(row: int, record: Record) -> Iterator[BarSegment]:
    work, wall = (1e3 * _s(record, key) for key in ("graph_s", "wall_s"))
    name = record.workload.model
    yield BarSegment(row, 0, min(work, wall), "device work", f"{name}\ndevice work {work:.3g} ms")
    if wall > work:
        yield BarSegment(row, work, wall, "waits for Python", f"{name}\nwaits {wall - work:.3g} of {wall:.3g} ms")


def _s(record: Record, key: str) -> float:
    value = QUANTITIES[key].of(record)
    if isinstance(value, Missing):
        raise ValueError(f"{record.workload.model}: {value.message}")
    return value


# Sentences and tables.


def page() -> str:
    """The text of the page."""
    parts = [INTRODUCTION, "## In short\n", "".join(f"- {line}\n" for line in findings()), _ratios()]
    parts += [_section("Batch 1", networks(1, 224)), _picture("waiting"), _picture("batch1")]
    parts += [_section("Batch 1, 256 pixels", networks(1, 256))]
    parts += [_section("Batch 32", networks(32, 224)), _picture("batch32"), _picture("energy")]
    parts += [_section("Energy at 320 pixels, batch 1", networks(1, 320)), _claims()]
    return "\n".join(parts)


def _section(title: str, some: Sequence[Record]) -> str:
    view = View(SHOWN, sort=COLUMNS["graph_s"], mark_best=False)
    return f"## {title}\n\n{markdown([without_empty(table) for table in compare(some, view)])}"


def _picture(name: str) -> str:
    plot = pictures()[name]
    return f"![{plot.title}](plots/{PAGE.stem}-{name}.svg)\n\n{plot.title}. {plot.caption}\n"


def findings() -> Iterator[str]:
    """What the records say, in sentences with numbers computed from them."""
    one, many = networks(1, 224), networks(32, 224)
    yield f"At batch 1, {_shares(one)}"
    yield f"At batch 32, {_shares(many)}"
    for some, batch in ((one, 1), (many, 32)):
        yield f"Rank correlation of device work with counts at batch {batch} ({len(some)} networks): {_rhos(some)}."
    yield f"Energy per image: {_energies()}"


class PairRatio(NamedTuple):
    """Device work of one network over that of another, by batch; None at a batch at which one was not measured."""

    of: str
    to: str
    by_batch: Mapping[int, float | None]


_PAIRS = (
    ("densenet121", "resnet50"), ("densenet201", "resnet101"), ("densenet161", "resnet101"), ("vovnet39", "resnet50"),
    ("vovnet39", "densenet121"), ("resnext50_32x4d", "resnet50"), ("cspresnet50", "resnet50"),
    ("cspdarknet53", "darknet53"),
)  # fmt: skip


def pair_ratios() -> tuple[PairRatio, ...]:
    """The ratios of the networks that the article compares, at 224 pixels."""
    return tuple(PairRatio(of, to, {batch: _ratio(of, to, batch) for batch in (1, 32)}) for of, to in _PAIRS)


def _ratio(of: str, to: str, batch: int) -> float | None:
    by_model = {record.workload.model: _s(record, "graph_s") for record in networks(batch, 224)}
    return by_model[of] / by_model[to] if of in by_model and to in by_model else None


def _ratios() -> str:
    def column(batch: int) -> Column[PairRatio]:
        return Column(f"batch{batch}", f"batch {batch}", lambda pair: _written(pair.by_batch[batch]))

    columns = (
        Column[PairRatio]("pair", "device work of", lambda pair: f"{pair.of} / {pair.to}"),
        column(1),
        column(32),
    )
    caption = "One process for each row, so a ratio between 0.95 and 1.05 decides nothing. 224 pixels."
    return markdown([tabulate(pair_ratios(), columns, caption=caption)])


def _written(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _shares(some: Sequence[Record]) -> str:
    """`the GPU waits for Python during 2 to 69 % of a call (densenet161 most)`."""
    shares = {record.workload.model: COLUMNS["launch_bound"].value(record) for record in some}
    known = {model: float(share) for model, share in shares.items() if isinstance(share, int | float)}
    most = max(known, key=lambda model: known[model])
    low, high = (f"{100 * end(known.values()):.0f}" for end in (min, max))
    return f"the GPU waits for Python during {low} to {high} % of a call ({most} most)."


def _rhos(some: Sequence[Record]) -> str:
    texts = []
    for key in PREDICTORS:
        points = record_points(some, COLUMNS[key], COLUMNS["device_work_s"])
        rho = rank_correlation([point.x for point in points], [point.y for point in points])
        texts.append(f"{COLUMNS[key].title} {rho:.2f}")
    return ", ".join(texts)


def _energies() -> str:
    """The two ratios of energy at 320 pixels that VoVNet's paper has too."""
    by_model = {record.workload.model: record for record in networks(1, 320)}
    ratios = (
        f"{of} / {to} {_s(by_model[of], 'gross_per_image_j') / _s(by_model[to], 'gross_per_image_j'):.2f}"
        for of, to in (("densenet201", "resnet50"), ("densenet161", "resnet101"))
    )
    return f"{', '.join(ratios)} at 320 pixels (VoVNet's paper: 1.87 and 1.33)."


def _claims() -> str:
    """The article's and the papers' claims about time and energy, judged by these records alone."""
    evidence = counter.gather_evidence(records())
    outcomes = engine.judge_all(papers.entries(papers.shipped()), evidence)
    shown = [outcome for outcome in outcomes if any(part.finding.here for part in outcome.judged)]
    columns: Sequence[Column[ClaimResult]] = (
        Column("id", "claim", lambda outcome: outcome.entry.claim.id),
        Column("sentence", "sentence", sentence),
        Column("verdict", "verdict on this card", verdict_of),
        Column("measured", "measured", lambda outcome: "; ".join(_measured(outcome.judged))),
    )
    text = (
        "Judged by the device's work (graph latency), one process for each row: a ratio within 5 % of the bound is "
        "`unclear`, and the working of a claim (`bench claims ID --records …`) says how many processes would decide. "
        "The verdict is that of this card alone; [claims.md](claims.md) has the verdict without it."
    )
    return f"## Claims on this card\n\n{text}\n\n{markdown([tabulate(shown, columns)])}"


def _measured(parts: Iterable[CheckResult]) -> Iterator[str]:
    for part in parts:
        if part.finding.here and not part.check.aside:
            found = part.finding.here.replace(" on NVIDIA H200, 2026-11-27", "")
            yield f"{part.finding.expected}: {found} ({part.finding.verdict})"


def few(words: Sequence[str]) -> str:
    """A table of a few networks at one batch: the first word is the batch, the others are names."""
    batch, *names = words
    by_model = {record.workload.model: record for record in networks(int(batch), 224)}
    chosen = [by_model[name] for name in names]
    columns = FEW_JOULES if all(not isinstance(record.energy, Missing) for record in chosen) else FEW
    return markdown([without_empty(table) for table in compare(chosen, View(columns, mark_best=False))])
