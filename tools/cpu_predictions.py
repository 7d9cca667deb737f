"""Measure the networks of `results/predict-cpu.md` on one thread of this machine, and write the page.

`make predict-cpu` runs it; the machine should be quiet. The calibration set of `bench calibrate` is measured, and other
networks that are predicted from it. Counts alone are fitted to the same rows, for comparison. Published records have
one row of counts for each kind of operation, and not what identifies the machine. A second call resumes.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base.units import MILLISECONDS, PERCENT, PLAIN
from backbone_bench.predictor import CalibrationRow, fit, sets
from backbone_bench.predictor.calibration import CalibrationOrigin
from backbone_bench.predictor.counts import terms
from backbone_bench.predictor.rows import rows_of
from backbone_bench.records import Missing, ModelCost, Record, known, store
from backbone_bench.records.condensed import condensed
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, tabulate
from backbone_bench.stats.correlation import rank_correlation
from tools.measure import published

ROOT = Path(__file__).parent.parent
RECORDS = Path("results/records/predict-cpu.jsonl")
RAW = RECORDS.with_suffix(".unpublished.jsonl")
PAGE = "results/predict-cpu.md"

# Networks of every family with dense or few-grouped convolutions, inside the range of the set.
HELD_OUT = (
    "resnet18", "resnet34", "resnet101", "resnet50_v1", "resnetv2_50", "wide_resnet50_2", "resnext101_32x4d",
    "vgg11_bn", "vgg13", "vgg16", "densenet169", "densenet201", "cspdensenet121", "cspresnet50", "cspresnext50",
    "cspdarknet53", "darknet19", "darknet53", "googlenet", "inception_v3", "vovnet27_slim", "vovnet39", "vovnetv2_19",
    "vovnetv2_39",
)  # fmt: skip
CONDITIONS = ("--device", "cpu", "--threads", "1", "--no-energy", "--in-process", "--input-size", "224", "--quick")
BATCHES = (1, 4)  # a call of 32 images takes many seconds
BUSIEST = 0.58  # share of the cores that others keep busy above which a row is measured once more: both of two cores
BUDGET_S = 3.0  # for the latency of a row

INTRODUCTION = f"""# Predicted on a CPU

The line of [predict](../docs/predict.md), tried on one thread of a CPU: it is fitted to the networks of the default
set, and predicts the others, none of which it has seen. So do FLOPs, memory access, and FLOPs with traffic, fitted to
the same rows in the same way. CPUs are calibrated if the line is nearer than each of them. `make predict-cpu` measures
again; the records are [{RECORDS.name}](records/{RECORDS.name}).
"""


class Rival(NamedTuple):
    """One way to predict time, and the counts that it is made of."""

    name: str
    features: Callable[[CalibrationRow, int], list[float]]  # of a row, and of its memory access


RIVALS = (
    Rival("the line", lambda row, access: [term.count(row.counts) for term in terms("wall")]),
    Rival("FLOPs", lambda row, access: [row.flops]),
    Rival("memory access", lambda row, access: [access * row.batch]),
    Rival("FLOPs and traffic", lambda row, access: [row.flops, row.traffic_bytes]),
)


class Accuracy(NamedTuple):
    """How far one way of predicting is off, over the networks held out."""

    name: str
    batch: str
    networks: int
    mean: float
    worst: float
    rho: float


class Trial(NamedTuple):
    """The rows of the set and those held out, each with the memory access of its network at batch 1."""

    learnt: tuple[tuple[CalibrationRow, int], ...]
    tested: tuple[tuple[CalibrationRow, int], ...]
    conditions: str


def files() -> dict[str, Callable[[], str]]:
    """The page; none if there are no records."""
    return {PAGE: page} if (ROOT / RECORDS).exists() else {}


def trial(records: Sequence[Record]) -> Trial:
    """Split records into the set and the others."""
    taken = rows_of("cpu", records, CalibrationOrigin("measured", str(RECORDS)), _counted)
    both = list(zip(taken.rows, (known(record.cost).access_elems for record in records), strict=True))
    learnt = tuple(one for one in both if one[0].model in sets.DEFAULT)
    tested = tuple(one for one in both if one[0].model not in sets.DEFAULT)
    return Trial(learnt, tested, taken.conditions.in_words)


def _counted(record: Record) -> ModelCost:
    raise ValueError(f"{record.workload.model}: these records have shapes, and are not counted again")


def errors(found: Trial, rival: Rival) -> dict[CalibrationRow, float]:
    """Relative error of each row held out, predicted by what the set teaches."""
    constants = fit.relative(
        [rival.features(row, access) for row, access in found.learnt], [row.time_s for row, _ in found.learnt]
    )
    return {
        row: sum(c * x for c, x in zip(constants, rival.features(row, access), strict=True)) / row.time_s - 1
        for row, access in found.tested
    }


def accuracies(found: Trial) -> Iterator[Accuracy]:
    """The accuracy of each rival at each batch, and at both."""
    batches = sorted({row.batch for row, _ in found.tested})
    for chosen in (*([batch] for batch in batches), batches):
        for rival in RIVALS:
            told = {row: error for row, error in errors(found, rival).items() if row.batch in chosen}
            predicted = [row.time_s * (1 + error) for row, error in told.items()]
            yield Accuracy(
                rival.name,
                " and ".join(map(str, chosen)),
                len({row.model for row in told}),
                sum(map(abs, told.values())) / len(told),
                max(told.values(), key=abs),
                rank_correlation(predicted, [row.time_s for row in told]),
            )


def is_better(found: Trial) -> bool:
    """Whether the line is off by less than every rival, over the rows at all batches."""
    return not nearer(found)


def nearer(found: Trial) -> list[str]:
    """The rivals that are as near as the line or nearer."""
    line, *others = list(accuracies(found))[-len(RIVALS) :]
    return [other.name for other in others if other.mean <= line.mean]


@cache
def _records() -> tuple[Record, ...]:
    return store.read([ROOT / RECORDS], _refuse)


def _refuse(message: str) -> None:
    raise ValueError(message)  # a published file has no broken line, so a warning is an error


def page() -> str:
    """The text of the page: the accuracy of each way of predicting, and the error of each network."""
    found = trial(_records())
    verdict = (
        "The line is nearer than each of the others: `bench calibrate` accepts CPUs."
        if is_better(found)
        else f"The line is not nearer than {' and '.join(nearer(found))}: `bench calibrate` refuses CPUs."
    )
    summary: tuple[Column[Accuracy], ...] = (
        Column("name", "predicted by", lambda one: one.name),
        Column("batch", "batch", lambda one: one.batch),
        Column("networks", "networks", lambda one: one.networks, PLAIN),
        Column("mean", "mean error", lambda one: one.mean, PERCENT),
        Column("worst", "worst", lambda one: one.worst, PERCENT),
        Column("rho", "rank correlation", lambda one: round(one.rho, 3), PLAIN),
    )
    return "\n".join(
        (
            INTRODUCTION,
            f"**{verdict}**\n",
            _busy(_records()),
            markdown([tabulate(list(accuracies(found)), summary, caption=f"{found.conditions}.")]),
            "## Every network\n",
            markdown([tabulate(list(_by_network(found)), list(_columns()))]),
        )
    )


def _busy(records: Sequence[Record]) -> str:
    """How far the machine was quiet."""
    busy = sum("host_busy" in known(known(record.latency).wall).flags for record in records)
    return (
        f"Of {len(records)} rows, {busy} have the flag `host_busy`: meanwhile other processes kept up to "
        f"{100 * max(map(load, records)):.0f} % of this process's cores busy. Rows with more than {100 * BUSIEST:.0f} "
        f"% were measured a second time. All are quick, of few samples.\n"
    )


def load(record: Record) -> float:
    """The share of this process's cores that others kept busy; all of them if that is not known."""
    host_load = known(known(record.latency).wall).host_load
    return 1.0 if isinstance(host_load, Missing) else host_load


class NetworkErrors(NamedTuple):
    """The error of every way of predicting, for one row."""

    row: CalibrationRow
    errors: tuple[float, ...]


def _by_network(found: Trial) -> Iterator[NetworkErrors]:
    of_rivals = [errors(found, rival) for rival in RIVALS]
    for row, _ in sorted(found.tested, key=lambda one: (one[0].batch, one[0].time_s)):
        yield NetworkErrors(row, tuple(told[row] for told in of_rivals))


def _columns() -> Iterator[Column[NetworkErrors]]:
    yield Column("model", "model", lambda one: one.row.model)
    yield Column("batch", "batch", lambda one: one.row.batch, PLAIN)
    yield Column("time_s", "measured", lambda one: one.row.time_s, MILLISECONDS)
    for number, rival in enumerate(RIVALS):
        yield _error(number, rival.name)


def _error(number: int, name: str) -> Column[NetworkErrors]:
    return Column(name, name, lambda one: one.errors[number], PERCENT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds for each row; default: 3")
    parser.add_argument("networks", nargs="*", default=HELD_OUT, help="networks to hold out, in place of the page's")
    options = parser.parse_args()
    batches = ",".join(map(str, BATCHES))
    program = str(Path(sys.executable).with_name("bench"))  # this name is quoted in the records
    words = ["run", *CONDITIONS, "--budget", f"{options.budget:g}", "--batch-size", batches, "--resume", "-o", str(RAW)]
    command = [program, *words, *sets.DEFAULT, *options.networks]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    found = store.read([RAW], sys.exit)
    if len(undisturbed := [record for record in found if load(record) <= BUSIEST]) < len(found):
        store.write(RAW, store.dump_lines(undisturbed))
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    records = [published(condensed(record)) for record in store.read([RAW], sys.exit)]
    store.write(RECORDS, store.dump_lines(records))
    RAW.unlink()
    _records.cache_clear()
    Path(PAGE).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
