"""Stored counts: what networks of timm and torchvision cost, counted once and read without either and without torch.

`tools.stored_counts` writes `counts.json` with every metric of each network that a shipped claim or a cause of its
difference names. `make test-extras` counts them again and compares to the unit.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from backbone_bench.records import Scalar

FILE = "counts.json"
# What a network's name begins with, and the package that builds it.
PACKAGES: Mapping[str, str] = {
    "timm:": "timm",
    "torchvision:": "torchvision",
    "backbone_bench.zoo.deployed:": "timm",
}

NetworkKey = tuple[str, tuple[tuple[str, Scalar], ...], int]  # model, arguments, side of the image


class StoredCounts(NamedTuple):
    """The stored counts with the versions that they were counted with."""

    versions: Mapping[str, str]
    networks: Mapping[NetworkKey, Mapping[str, float]]  # the values of the metrics
    usual: Mapping[str, int]  # the side that a network takes if none is given, by its name

    @property
    def origin(self) -> str:
        """`timm 1.0.31, torch 2.14.1, torchvision 0.29.1`."""
        return ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))

    def find(self, model: str, arguments: Mapping[str, Scalar], size: int | None) -> Mapping[str, float]:
        """Values of all metrics of a network; empty if it is not stored."""
        side = size or self.usual.get(model)
        return self.networks.get(key(model, arguments, side), {}) if side else {}


def key(model: str, arguments: Mapping[str, Scalar], side: int) -> NetworkKey:
    return model, tuple(sorted(arguments.items())), side


def package(model: str) -> str | None:
    """The package that a network comes from; None if the program builds it itself."""
    return next((name for start, name in PACKAGES.items() if model.startswith(start)), None)


@cache
def stored() -> StoredCounts:
    """The counts shipped with the package."""
    table = json.loads((resources.files("backbone_bench.claims") / FILE).read_text(encoding="utf-8"))
    networks: dict[NetworkKey, Mapping[str, float]] = {}
    usual: dict[str, int] = {}
    for model, arguments, side, own, *values in table["networks"]:
        known = {name: value for name, value in zip(table["metrics"], values, strict=True) if value is not None}
        networks[key(model, arguments, side)] = known
        if own is not None and not arguments:
            usual[model] = own
    return StoredCounts(table["versions"], networks, usual)
