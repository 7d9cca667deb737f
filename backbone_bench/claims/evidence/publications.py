"""Measurements published by others, as data: kept apart from our own, and always shown with their source.

A publication is a CSV and a TOML of the same name: source, licence, hardware, settings, traps, and the meaning of the
columns. Only rows of one setting (the same card, software, precision, layout …) are compared. If a setting was measured
with several software versions, the newest counts.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, NamedTuple

from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import DeviceKind
from backbone_bench.base.reading import revive, toml
from backbone_bench.claims.data.layers import STRICT

# A network alone, a whole detector around it, or a stack of layers.
MeasuredScope = Literal["backbone", "detector", "layers"]


@dataclass(frozen=True, slots=True, config=STRICT)
class Machine:
    """A device: its usual name and its kind."""

    name: str
    kind: DeviceKind


@dataclass(frozen=True, slots=True, config=STRICT)
class PublishedColumn:
    """The column of a quantity and its unit: the value 1 means `base_units` seconds, joules or images per second."""

    column: str
    base_units: float = 1.0
    rate: bool = False  # True: images per second, so the time is the reciprocal


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Meta:
    """Metadata of a publication: its source and licence, and the meaning of its columns."""

    file: str
    title: str
    source: str
    licence: str
    settings: str  # common to all rows: framework, precision, batch
    measures: MeasuredScope
    traps: tuple[str, ...] = ()
    paper: str | None = None  # the key of the paper that printed these numbers
    model: str = "model"
    size: int | str = "input_size"  # in pixels, or the column with it
    time: PublishedColumn | None = None
    energy: PublishedColumn | None = None
    machine: Machine | None = None  # of all rows; None: the column `device` is a key of `machines`
    machines: Mapping[str, Machine] | None = None
    setting: Mapping[str, str] | None = None  # columns that define a setting, each with its text: "batch {}"
    words: Mapping[str, str] | None = None  # texts for values of those columns: yes = "compiled"
    newest: str | None = None  # of rows that differ only in this column, the highest counts
    names: Mapping[str, str] | None = None  # from the zoo's name to the source's name of the same network
    prefix: str | None = None  # `bench` builds the source's networks as PREFIX:NAME


class PublishedSetting(NamedTuple):
    """The setting in which rows were measured; only rows of equal settings are compared."""

    text: str
    kind: DeviceKind


ModelKey = tuple[str, int]  # model by the source's name, and input size


class Publication:
    """A published table of measurements with its metadata."""

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
        texts = [form.format(words.get(row[column], row[column])) for column, form in forms if row[column]]
        return PublishedSetting(", ".join([meta.title, machine.name, *texts]), machine.kind)

    def _key(self, row: Mapping[str, str]) -> ModelKey:
        size = self.meta.size
        return row[self.meta.model], size if isinstance(size, int) else int(row[size])

    def name(self, model: str) -> str:
        """The source's name of one of our networks; empty if the source does not have it."""
        prefix = f"{self.meta.prefix}:"
        if self.meta.prefix and model.startswith(prefix):
            return model.removeprefix(prefix)
        return (self.meta.names or {}).get(model, "")

    def models(self) -> Mapping[str, str]:
        """The networks that both have: from the source's names to ours."""
        return {theirs: ours for ours, theirs in (self.meta.names or {}).items()}

    def cost(self, row: Mapping[str, str], quantity: str) -> float | None:
        """Seconds or joules per image; None if the table does not have it."""
        column = self.meta.time if quantity == "time" else self.meta.energy
        if column is None or not row[column.column]:
            return None
        value = float(row[column.column]) * column.base_units
        return 1 / value if column.rate else value

    def numbers(self, columns: Iterable[str]) -> Iterator[tuple[str, dict[str, float]]]:
        """The model and the numbers of these columns, for each row that has all of them."""
        needed = list(columns)
        for row in self.rows:
            if all(row.get(column) for column in needed):
                yield row[self.meta.model], {column: float(row[column]) for column in needed}


def shipped() -> tuple[Publication, ...]:
    """The publications shipped with the package."""
    return load(resources.files("backbone_bench.claims") / "published")


def load(folder: Traversable) -> tuple[Publication, ...]:
    """The publications of a folder; a TOML without its CSV is skipped."""
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
