"""Measurements that others published, as data: never ours, and never without where they come from.

A publication is a CSV and a TOML beside it: source, licence, hardware,
settings, traps, and what its columns mean. Rows of one setting (the same card,
software, precision, layout …) can be compared; of several software versions of one setting the newest counts.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, NamedTuple

from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import DeviceKind
from backbone_bench.claims.data.layers import STRICT
from backbone_bench.claims.data.reading import revive, toml

MeasuredScope = Literal[
    "backbone", "detector", "layers"
]  # a network alone, a whole detector around it, a stack of layers


@dataclass(frozen=True, slots=True, config=STRICT)
class Machine:
    """A device by the name that people know it by."""

    name: str
    kind: DeviceKind


@dataclass(frozen=True, slots=True, config=STRICT)
class PublishedColumn:
    """The column that holds a quantity, and its unit: 1 in the column is `base_units`, or that many images a second."""

    column: str
    base_units: float = 1.0
    rate: bool = False  # images per second: the time is the reciprocal


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Meta:
    """What must be said of a publication wherever it is quoted."""

    file: str
    title: str
    source: str
    licence: str
    settings: str  # what all rows share: framework, precision, batch
    measures: MeasuredScope
    traps: tuple[str, ...] = ()
    paper: str | None = None  # the key of the paper whose own figures these are
    model: str = "model"
    size: int | str = "input_size"  # in pixels, or the column that holds it
    time: PublishedColumn | None = None
    energy: PublishedColumn | None = None
    machine: Machine | None = None  # of all rows; else the column `device` names it
    machines: Mapping[str, Machine] | None = None
    setting: Mapping[str, str] | None = None  # columns that make up a setting, and how each is told: "batch {}"
    words: Mapping[str, str] | None = None  # how values of those columns are told: yes = "compiled"
    newest: str | None = None  # of rows that are alike but for this column, the highest counts
    names: Mapping[str, str] | None = None  # from the names of the zoo to the source's, where the networks are the same
    prefix: str | None = None  # a source whose names `bench` can build as PREFIX:NAME


class PublishedSetting(NamedTuple):
    """What rows must share to be compared."""

    text: str
    kind: DeviceKind


ModelKey = tuple[str, int]  # model by the source's name, and input size


class Publication:
    """A table of measurements and its meaning."""

    def __init__(self, meta: Meta, rows: Sequence[Mapping[str, str]]) -> None:
        self.meta, self.rows = meta, rows

    def settings(self) -> Mapping[PublishedSetting, Mapping[ModelKey, Mapping[str, str]]]:
        """The rows by setting, model and input size."""
        found: dict[PublishedSetting, dict[ModelKey, Mapping[str, str]]] = {}
        newest = self.meta.newest
        ordered = sorted(self.rows, key=lambda row: row[newest]) if newest else self.rows
        for row in ordered:
            found.setdefault(self._setting(row), {})[self._key(row)] = row
        return found

    def _setting(self, row: Mapping[str, str]) -> PublishedSetting:
        meta = self.meta
        machine = meta.machine or (meta.machines or {})[row["device"]]
        words = meta.words or {}
        forms = (meta.setting or {}).items()
        told = [form.format(words.get(row[column], row[column])) for column, form in forms if row[column]]
        return PublishedSetting(", ".join([meta.title, machine.name, *told]), machine.kind)

    def _key(self, row: Mapping[str, str]) -> ModelKey:
        size = self.meta.size
        return row[self.meta.model], size if isinstance(size, int) else int(row[size])

    def name(self, model: str) -> str:
        """What the source calls a network of ours; empty where it has none of it."""
        prefix = f"{self.meta.prefix}:"
        if self.meta.prefix and model.startswith(prefix):
            return model.removeprefix(prefix)
        return (self.meta.names or {}).get(model, "")

    def models(self) -> Mapping[str, str]:
        """The networks that the source has too: from its names to ours."""
        return {theirs: ours for ours, theirs in (self.meta.names or {}).items()}

    def cost(self, row: Mapping[str, str], quantity: str) -> float | None:
        """Seconds or joules of an image; None where the table has none."""
        column = self.meta.time if quantity == "time" else self.meta.energy
        if column is None or not row[column.column]:
            return None
        value = float(row[column.column]) * column.base_units
        return 1 / value if column.rate else value

    def numbers(self, columns: Iterable[str]) -> Iterator[tuple[str, dict[str, float]]]:
        """For each row in which all these columns hold numbers: its model and them."""
        wanted = list(columns)
        for row in self.rows:
            if all(row.get(column) for column in wanted):
                yield row[self.meta.model], {column: float(row[column]) for column in wanted}


def shipped() -> tuple[Publication, ...]:
    """The publications of the package."""
    return load(resources.files("backbone_bench.claims") / "published")


def load(folder: Traversable) -> tuple[Publication, ...]:
    """The publications of a folder whose table is there."""
    files = {file.name: file for file in folder.iterdir()}
    found = []
    for name in sorted(name for name in files if name.endswith(".toml")):
        meta = revive(Meta, toml(files[name].read_text(encoding="utf-8"), name), name)
        if meta.file in files:
            found.append(Publication(meta, _table(files[meta.file])))
    return tuple(found)


def _table(file: Traversable) -> list[dict[str, str]]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))
