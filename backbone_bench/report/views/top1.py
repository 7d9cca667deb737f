"""Published ImageNet accuracy of the networks that people train, never ours.

An accuracy belongs to weights, a recipe and an input size. It is shown beside a
record only where the network is the same (name and number of parameters) and
the workload has the size at which the weights were tested.
"""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from backbone_bench.records import Missing, Record

REMARK = (
    "Published top-1: of the weights named beside it, as pytorch-image-models tested them (results-imagenet.csv, "
    "commit aa4b5850). What follows the point is the training recipe: compare within one."
)


class Top1(NamedTuple):
    """One row of `top1.csv`."""

    model: str  # the zoo's name
    weights: str  # timm's name
    recipe: str
    size: int
    params_m: str  # as printed: in millions, two decimals
    percent: str  # as printed, in percent


@cache
def published() -> tuple[Top1, ...]:
    """The table, in the order of preference within a model and size."""
    lines = files("backbone_bench.report.views").joinpath("top1.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    next(rows)
    return tuple(
        Top1(model, weights, recipe, int(size), params, top1) for model, weights, recipe, size, params, top1 in rows
    )


def of(record: Record) -> Top1 | Missing:
    """The accuracy that may stand beside a record, or why there is none."""
    size = _size(record)
    named = [row for row in published() if record.workload.model in _names(row)]
    if not named or isinstance(record.cost, Missing):
        return Missing("no_top1", "no published accuracy of this network is known here")
    same = [row for row in named if row.params_m == f"{record.cost.params / 1e6:.2f}"]
    if not same:
        return Missing("other_network", "the published accuracy is that of a network with other parameters")
    fitting = [row for row in same if row.size == size]
    return fitting[0] if fitting else Missing("other_size", f"no published accuracy at {size} pixels")


def _names(row: Top1) -> set[str]:
    """What a record of this network can be called; torchvision's names stand for torchvision's recipe."""
    architecture = row.weights.partition(".")[0]
    names = {row.model, f"timm:{architecture}", f"timm:{row.weights}"}
    return names | {f"torchvision:{row.model}"} if row.recipe == "tv_in1k" else names


def _size(record: Record) -> int | None:
    specs = record.workload.specs
    return specs[0].square if specs else None
