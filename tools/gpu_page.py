"""Generator of the pages of GPUs and their plots, from records alone, and of the README's tables of the first GPU.

`results/h200.md` is made from the records of the first GPU. They were made by a version whose device latency was that
of eager calls: what is shown as the device's work is the replay of the call's graph. `results/gpu.md` is made from the
records of `make gpu-results`, if there are any.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base.grouping import group_by
from backbone_bench.claims.data import papers
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.evidence import counter, measurements
from backbone_bench.claims.judges import engine
from backbone_bench.claims.judges.engine import CheckResult, ClaimResult
from backbone_bench.claims.report.tables import sentence, verdict_of
from backbone_bench.records import Missing, Record, store
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.records.setting import unusual
from backbone_bench.report.drawing import svg
from backbone_bench.report.drawing.plot import Axis, BarSegment, Panel, Plot
from backbone_bench.report.plots.prediction import PREDICTORS, correlation
from backbone_bench.report.plots.which import energy, predictors
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, tabulate, without_empty
from backbone_bench.report.views.columns import COLUMNS, named
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.conditions import environment_groups

ROOT = Path(__file__).parent.parent
BATCHES = (1, 32)
SHOWN = (
    "model,flops,access_elems,traffic_elems,ops,graph_s,graph_half_width,wall_s,wall_half_width,launch_bound,"
    "gross_per_image_j,energy_half_width,energy_runs"
)
FEW = named("model,flops,traffic_elems,ops,graph_s,wall_s,launch_bound,gross_per_image_j,energy_runs")

_READING = """**How to read it.** *Graph latency* is the device's own work: the replay of the call's graph, without
Python. *Wall latency* is what a caller waits. Their difference is the launch-bound share. Where it is large, wall
latency is the time of Python on this host, and on an H200 it differed by up to 45 % between two processes; graph
latencies of two processes differed by up to 4.5 %. So a ratio of two rows within 5 % decides nothing. Energy is that of
replays back to back.
"""


@dataclass(frozen=True, slots=True)
class CardPage:
    """The page of one card: the folder of its records, and what it says before its tables."""

    folder: str
    file: str
    introduction: str
    columns: str  # keys; what the version that made the records took wrongly is left out

    @property
    def stem(self) -> str:
        return Path(self.file).stem

    @property
    def records(self) -> tuple[Record, ...]:
        """All records in the folder, in the order of its files."""
        return _read(ROOT / self.folder)

    def networks(self, batch: int, size: int) -> list[Record]:
        """The networks in IEEE fp32, eager, at one batch and image size: the first record of each."""
        chosen: dict[str, Record] = {}
        for record in self.records:
            if _is_network(record, batch, size) and not _setting(record):
                chosen.setdefault(record.workload.model, record)
        return list(chosen.values())


H200 = CardPage(
    "results/records/h200",
    "results/h200.md",
    f"""# Measured on a GPU: NVIDIA H200

The first GPU that this program ran on, on 2026-11-27: 54 records of two cards of one kind, in a virtual machine with
the card passed through, nobody else on it, one process per file. The records are in
[h200](records/h200/README.md), as they were made; `bench report results/records/h200/*.jsonl -o page` shows everything
in them. `make gpu-results` measures all rows again on the card at hand.

{_READING}
**What is not here.** fp32 is IEEE single precision, contiguous and eager, in all records. torch's own default computes
fp32 convolutions in TF32, which is faster, and many people run bf16 with channels-last, or compiled: these settings are
not measured yet (`make gpu-results` measures them). Peak memory and device latency are left out, because the version
that made these records took them wrongly (cuDNN's search for algorithms; events around eager calls).
""",
    f"{SHOWN},grade",
)
AT_HAND = CardPage(
    "results/records/gpu",
    "results/gpu.md",
    f"""# Measured on a GPU

What `make gpu-results` measured, in IEEE fp32, contiguous and eager, if nothing else is said. The records are in
`results/records/gpu`; `bench report results/records/gpu/*.jsonl -o page` shows everything in them.

{_READING}""",
    f"{SHOWN},device_s,device_half_width,peak_allocated_bytes,grade",
)


def files() -> dict[str, Callable[[], str]]:
    """The pages of all cards that have records, and their plots."""
    return {name: make for card in (H200, AT_HAND) if card.records for name, make in files_of(card).items()}


def files_of(card: CardPage) -> dict[str, Callable[[], str]]:
    """The page of a card, and its plots."""
    drawings: dict[str, Callable[[], str]] = {
        f"results/plots/{card.stem}-{name}.svg": partial(svg.file, plot) for name, plot in pictures(card).items()
    }
    return {**drawings, card.file: partial(page, card)}


@cache
def _read(folder: Path) -> tuple[Record, ...]:
    published = [path for path in sorted(folder.glob("*.jsonl")) if not path.match("*.unpublished.jsonl")]
    return store.read(published, _refuse)


def _refuse(message: str) -> None:
    raise ValueError(message)  # a published file has no broken line, so a warning is an error


def _is_network(record: Record, batch: int, size: int) -> bool:
    """Whether this is a network at this batch and size, whose device work and wait are known."""
    shape = record.workload.specs[0].shape
    return record.workload.source == "zoo" and shape == (batch, 3, size, size) and _has(record, "graph_s", "wall_s")


def _has(record: Record, *keys: str) -> bool:
    return not any(isinstance(QUANTITIES[key].of(record), Missing) for key in keys)


def _setting(record: Record) -> str:
    """The setting in words; empty for fp32, contiguous, eager."""
    return ", ".join(unusual(record.workload, "threads", "seed"))


# Plots.


@cache
def pictures(card: CardPage) -> dict[str, Plot]:
    """The plots of the page, by name, for which there are records."""
    one, many = (card.networks(batch, 224) for batch in BATCHES)
    found = {
        "waiting": waiting(one) if one else None,
        "batch1": predictors(one, _caption(one)) if one else None,
        "batch32": predictors(many, _caption(many)) if many else None,
        "energy": energy(many, _caption(many)) if many else None,
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


@cache
def page(card: CardPage) -> str:
    """The text of the page."""
    parts = [card.introduction, "## In short\n", "".join(f"- {line}\n" for line in findings(card)), _ratios(card)]
    parts += [_section("Batch 1", card, 1, 224), _picture(card, "waiting"), _picture(card, "batch1")]
    parts += [_section("Batch 1, 256 pixels", card, 1, 256)]
    parts += [_section("Batch 32", card, 32, 224), _picture(card, "batch32"), _picture(card, "energy")]
    parts += [_section("Energy at 320 pixels, batch 1", card, 1, 320), _settings(card), _claims(card)]
    return "\n".join(filter(None, parts))


def _section(title: str, card: CardPage, batch: int, size: int) -> str:
    some = card.networks(batch, size)
    view = View(named(card.columns), sort=COLUMNS["graph_s"], mark_best=False)
    return f"## {title}\n\n{markdown([without_empty(table) for table in compare(some, view)])}" if some else ""


def _picture(card: CardPage, name: str) -> str:
    plot = pictures(card).get(name)
    return f"![{plot.title}](plots/{card.stem}-{name}.svg)\n\n{plot.title}. {plot.caption}\n" if plot else ""


def findings(card: CardPage) -> Iterator[str]:
    """What the records say, in sentences with numbers computed from them."""
    measured = {batch: some for batch in BATCHES if (some := card.networks(batch, 224))}
    for batch, some in measured.items():
        yield f"At batch {batch}, {_shares(some)}"
    for batch, some in measured.items():
        yield f"Rank correlation of device work with counts at batch {batch} ({len(some)} networks): {_rhos(some)}."
    if energies := _energies(card):
        yield f"Energy per image: {energies} at 320 pixels."


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


def pair_ratios(card: CardPage) -> tuple[PairRatio, ...]:
    """The ratios of the networks that the article compares, at 224 pixels."""
    work_s = {
        batch: {record.workload.model: _s(record, "graph_s") for record in card.networks(batch, 224)}
        for batch in BATCHES
    }

    def ratio(of: str, to: str, batch: int) -> float | None:
        return work_s[batch][of] / work_s[batch][to] if {of, to} <= work_s[batch].keys() else None

    return tuple(PairRatio(of, to, {batch: ratio(of, to, batch) for batch in BATCHES}) for of, to in _PAIRS)


def _ratios(card: CardPage) -> str:
    def column(batch: int) -> Column[PairRatio]:
        return Column(f"batch{batch}", f"batch {batch}", lambda pair: _written(pair.by_batch[batch]))

    pairs = Column[PairRatio]("pair", "device work of", lambda pair: f"{pair.of} / {pair.to}")
    caption = "One process for each row, so a ratio between 0.95 and 1.05 decides nothing. 224 pixels."
    return markdown([tabulate(pair_ratios(card), (pairs, *map(column, BATCHES)), caption=caption)])


def _written(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _shares(some: Sequence[Record]) -> str:
    """`the GPU waits for Python during 2 to 69 % of a call (densenet161 most).`"""
    shares = {record.workload.model: COLUMNS["launch_bound"].value(record) for record in some}
    known = {model: float(share) for model, share in shares.items() if isinstance(share, int | float)}
    most = max(known, key=lambda model: known[model])
    low, high = (f"{100 * end(known.values()):.0f}" for end in (min, max))
    return f"the GPU waits for Python during {low} to {high} % of a call ({most} most)."


def _rhos(some: Sequence[Record]) -> str:
    found = (correlation(some, COLUMNS[key], COLUMNS["device_work_s"]) for key in PREDICTORS)
    return ", ".join(f"{one.predictor.title} {one.rho:.2f}" for one in found if one is not None)


def _energies(card: CardPage) -> str:
    """The two ratios of energy at 320 pixels that VoVNet's paper has too."""
    texts = []
    for setting in measurements.measured(card.networks(1, 320), "energy"):
        for of, to, published in (("densenet201", "resnet50", 1.87), ("densenet161", "resnet101", 1.33)):
            if found := setting.ratio(Network(of, 320), Network(to, 320)):
                low, high = found.interval
                texts.append(f"{of} / {to} {found.ratio:.2f} ({low:.2f} to {high:.2f}; VoVNet's paper: {published})")
    return ", ".join(texts)


class SettingRatio(NamedTuple):
    """Device work of a network in one setting over that in IEEE fp32, contiguous, eager."""

    model: str
    batch: int
    setting: str
    ratio: float


def setting_ratios(card: CardPage) -> tuple[SettingRatio, ...]:
    """The ratios of every network that was measured in another setting too, at 224 pixels."""
    found = []
    for batch in BATCHES:
        usual = {record.workload.model: record for record in card.networks(batch, 224)}
        for record in card.records:
            model = record.workload.model
            if _is_network(record, batch, 224) and _setting(record) and model in usual:
                ratio = _s(record, "graph_s") / _s(usual[model], "graph_s")
                found.append(SettingRatio(model, batch, _setting(record), ratio))
    return tuple(found)


def _settings(card: CardPage) -> str:
    """What the settings that people run cost, against IEEE fp32; empty if none was measured."""
    ratios = setting_ratios(card)
    if not ratios:
        return ""
    cells = {(one.model, one.batch, one.setting): one.ratio for one in ratios}

    def column(setting: str) -> Column[tuple[str, int]]:
        return Column(setting, setting, lambda row: _written(cells.get((*row, setting))))

    columns: Sequence[Column[tuple[str, int]]] = (
        Column("model", "model", lambda row: row[0]),
        Column("batch", "batch", lambda row: str(row[1])),
        *map(column, group_by(ratios, lambda one: one.setting)),
    )
    rows = list(dict.fromkeys((one.model, one.batch) for one in ratios))
    caption = (
        "Device work over that in IEEE fp32, contiguous, eager. torch's own default is TF32 for convolutions and fp32 "
        "for matrix products; `--precision fp32` of this program is IEEE for both."
    )
    return f"## The settings that people run\n\n{markdown([tabulate(rows, columns, caption=caption)])}"


@cache
def judged(card: CardPage) -> tuple[ClaimResult, ...]:
    """Every claim about time or energy, judged by the records of this card; the others need no card."""
    clocked = (
        entry
        for entry in papers.entries(papers.shipped())
        if any(isinstance(check, engine.CLOCK) for check in entry.claim.check)
    )
    return engine.judge_all(clocked, counter.gather_evidence(card.records))


def _claims(card: CardPage) -> str:
    """The article's and the papers' claims about time and energy, judged by these records alone."""
    shown = [outcome for outcome in judged(card) if any(part.finding.here for part in outcome.judged)]
    columns: Sequence[Column[ClaimResult]] = (
        Column("id", "claim", lambda outcome: outcome.entry.claim.id),
        Column("sentence", "sentence", sentence),
        Column("verdict", "verdict on this card", verdict_of),
        Column("measured", "measured", lambda outcome: "; ".join(_measured(outcome.judged))),
        Column("command", "to measure the rest", lambda outcome: outcome.command),
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
            found = part.finding.here.partition(" on ")[0]
            yield f"{part.finding.expected}: {found} ({part.finding.verdict})"


def few(words: Sequence[str]) -> str:
    """A table of a few networks on the first GPU: the first word is the batch, the others are names."""
    batch, *names = words
    by_model = {record.workload.model: record for record in H200.networks(int(batch), 224)}
    chosen = [by_model[name] for name in names]
    return markdown([without_empty(table) for table in compare(chosen, View(FEW, mark_best=False))])
