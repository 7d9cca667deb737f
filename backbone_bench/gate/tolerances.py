"""Tolerances of counts, from the table `gate` of `bench.toml` or of `[tool.backbone-bench]` in `pyproject.toml`.

Without a tolerance, any difference of a count fails. With one, a count may
rise by a share of its baseline, or up to a limit, and a lower count is an
improvement.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.validation import first_problem
from backbone_bench.jobs import settings
from backbone_bench.records import Record
from backbone_bench.records.quantities import EXACT

_FORBID = ConfigDict(extra="forbid")
_Number = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
_NAMES = tuple(quantity.key for quantity in EXACT)


@dataclass(frozen=True, slots=True, config=_FORBID)
class CountTolerance:
    """How much one count may change; a tolerance without fields allows nothing but a lower count."""

    increase_percent: _Number | None = None  # above the baseline
    max: _Number | None = None  # in units of one: 30e6 parameters

    def allows(self, base: int, head: int) -> bool:
        """Whether this difference is allowed; the limit itself is judged by `exceeds`."""
        if self.increase_percent is None:
            return head <= base or self.max is not None
        return head <= base * (1 + self.increase_percent / 100)

    def exceeds(self, head: int) -> bool:
        """Whether the count is above the limit."""
        return self.max is not None and head > self.max


Allowed = Mapping[str, CountTolerance]  # by key of the quantity
NOTHING_ALLOWED: Allowed = MappingProxyType({})


@dataclass(frozen=True, slots=True, config=_FORBID)
class Tolerances:
    """The tolerances of every model, and those of single models, which replace them quantity by quantity."""

    counts: dict[str, CountTolerance] = field(default_factory=dict)
    models: dict[str, dict[str, CountTolerance]] = field(default_factory=dict)

    def of(self, model: str) -> Allowed:
        """The tolerances of one model, by quantity."""
        return {**self.counts, **self.models.get(model, {})}


_TOLERANCES: TypeAdapter[Tolerances] = TypeAdapter(Tolerances)


def read(folder: Path) -> Tolerances:
    """The tolerances in force in a folder. Raises UserError for a table that is not valid."""
    for origin, values in settings.files(folder):
        if settings.GATE in values:
            return parse(values[settings.GATE], origin)
    return Tolerances()


def parse(table: Any, origin: str) -> Tolerances:
    """Tolerances from a table; `origin` names its file in messages. Raises UserError."""
    try:
        found = _TOLERANCES.validate_python(table)
    except ValidationError as error:
        raise UserError(f"{origin}: {first_problem(error, inside='gate')}.") from None
    for name in (name for counts in (found.counts, *found.models.values()) for name in counts):
        if name not in _NAMES:
            hint = did_you_mean(name, _NAMES, f"The counts are {', '.join(_NAMES)}.")
            raise UserError(f"{origin}: gate has no count {name!r}. {hint}")
    return found


def unused(tolerances: Tolerances, heads: Iterable[Record]) -> Iterator[str]:
    """A remark on each model that has tolerances and was not compared: its name may be misspelt."""
    models = {record.workload.model for record in heads}
    for model in tolerances.models:
        if model not in models:
            yield f"There are tolerances for {model}, which was not compared."
