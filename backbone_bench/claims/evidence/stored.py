"""Stored counts: what the networks of claims cost, counted once and read without torch.

`counts.json` has every metric of the networks of timm and torchvision that a shipped claim, or a cause of its
difference, names: `make counts` writes it, and `make test-extras` counts them again and compares to the unit.
`zoo_counts.json` has the metrics that judging the shipped claims needs of the networks that this program builds:
`make results` writes it, and `make check` compares. Whatever is in neither is counted.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from backbone_bench.records import Scalar

OF_PACKAGES, OF_ZOO = "counts.json", "zoo_counts.json"
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
        """Values of the stored metrics of a network; empty if it is not stored."""
        side = size or self.usual.get(model)
        return self.networks.get(key(model, arguments, side), {}) if side else {}


def key(model: str, arguments: Mapping[str, Scalar], side: int) -> NetworkKey:
    return model, tuple(sorted(arguments.items())), side


def package(model: str) -> str | None:
    """The package that a network comes from; None if the program builds it itself."""
    return next((name for start, name in PACKAGES.items() if model.startswith(start)), None)


@cache
def of_packages() -> StoredCounts:
    """The stored counts of networks of timm and torchvision."""
    return _read(OF_PACKAGES)


@cache
def of_zoo() -> StoredCounts:
    """The stored counts of networks that this program builds."""
    return _read(OF_ZOO)


def find(model: str, arguments: Mapping[str, Scalar], size: int | None) -> Mapping[str, float]:
    """Values of the stored metrics of any network; empty if it is not stored."""
    return (of_packages() if package(model) else of_zoo()).find(model, arguments, size)


def _read(file: str) -> StoredCounts:
    table = json.loads((resources.files("backbone_bench.claims") / file).read_text(encoding="utf-8"))
    networks: dict[NetworkKey, Mapping[str, float]] = {}
    usual: dict[str, int] = {}
    for model, arguments, side, own, *values in table["networks"]:
        known = {name: value for name, value in zip(table["metrics"], values, strict=True) if value is not None}
        networks[key(model, arguments, side)] = known
        if own is not None and not arguments:
            usual[model] = own
    return StoredCounts(table["versions"], networks, usual)
