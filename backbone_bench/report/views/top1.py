"""Published ImageNet top-1 accuracy, from `top1.csv`; nothing here is trained or tested by this project.

An accuracy belongs to weights, a training recipe and an input size. A record gets
one only if its network is the same (name and number of parameters) and its input
has the size at which the weights were tested.
"""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from backbone_bench.records import Missing, Record

REMARK = (
    "Published top-1: the ImageNet accuracy of the weights named beside it, as tested by pytorch-image-models "
    "(results-imagenet.csv, commit aa4b5850) or, for VoVNet.pytorch, by the authors of the network (README, commit "
    "039d9dcb). The last part of the name is the training recipe: compare only within one."
)


class Top1(NamedTuple):
    """One row of `top1.csv`."""

    model: str  # the zoo's name
    weights: str  # timm's name, or the repository of the network's authors
    recipe: str
    size: int
    params_m: str  # as printed: in millions, two decimals
    percent: str  # as printed, in percent
    tested_by: str  # `timm` or `authors`

    @property
    def weights_and_recipe(self) -> str:
        """The name of the weights, which ends in their recipe: `resnet50.tv_in1k`."""
        return self.weights if self.weights.endswith(self.recipe) else f"{self.weights}.{self.recipe}"


@cache
def published() -> tuple[Top1, ...]:
    """Read `top1.csv`; for one model and size, the first row is preferred."""
    lines = files("backbone_bench.report.views").joinpath("top1.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    next(rows)
    return tuple(
        Top1(model, weights, recipe, int(size), params, top1, tested_by)
        for model, weights, recipe, size, params, top1, tested_by in rows
    )


def published_top1(record: Record) -> Top1 | Missing:
    """The published accuracy that applies to a record, or the reason why none does."""
    size = _size(record)
    named = _by_name().get(record.workload.model, [])
    if not named or isinstance(record.cost, Missing):
        return Missing("no_top1", "no published accuracy is known for this network")
    same = [row for row in named if row.params_m == f"{record.cost.params / 1e6:.2f}"]
    if not same:
        return Missing("other_network", "the published accuracy is for a network with another number of parameters")
    tested = [row for row in same if row.size == size]
    inputs = f"an input of {size} pixels" if size else "an input that is not a square image"
    return tested[0] if tested else Missing("other_size", f"no published accuracy for {inputs}")


@cache
def _by_name() -> dict[str, list[Top1]]:
    """The rows that apply to a model name, the preferred one first."""
    found: dict[str, list[Top1]] = {}
    for row in published():
        for name in _names(row):
            found.setdefault(name, []).append(row)
    return found


def _names(row: Top1) -> set[str]:
    """The model names of records that the row applies to; torchvision's names only for torchvision's recipe."""
    if row.tested_by == "authors":
        return {row.model}
    architecture = row.weights.partition(".")[0]
    names = {row.model, f"timm:{architecture}", f"timm:{row.weights}"}
    return names | {f"torchvision:{row.model}"} if row.recipe == "tv_in1k" else names


def _size(record: Record) -> int | None:
    specs = record.workload.specs
    return specs[0].square if specs else None
