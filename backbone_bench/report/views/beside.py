"""Two things side by side: a quantity a line, both values in its own unit, and their ratio."""

from collections.abc import Sequence
from typing import NamedTuple

from backbone_bench.base.units import PLAIN, Unit
from backbone_bench.records import Record
from backbone_bench.report.tables.table import Column


class RatioRow(NamedTuple):
    """One quantity of both."""

    key: str
    title: str
    unit: Unit
    a: float
    b: float
    ratio: float  # A over B
    low: float
    high: float

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit.name})" if self.unit.name else self.title


EXACT = (
    Column[RatioRow]("quantity", "quantity", lambda row: row.key),
    Column[RatioRow]("a", "A", lambda row: row.a, PLAIN),
    Column[RatioRow]("b", "B", lambda row: row.b, PLAIN),
    Column[RatioRow]("ratio", "A/B", lambda row: row.ratio, PLAIN),
    Column[RatioRow]("ratio_low", "low", lambda row: row.low, PLAIN),
    Column[RatioRow]("ratio_high", "high", lambda row: row.high, PLAIN),
)


def columns(quantity: str, a: str, b: str) -> tuple[Column[RatioRow], ...]:
    """For people: each number as its own unit writes it."""
    return (
        Column("quantity", quantity, lambda row: row.heading),
        Column("a", a, lambda row: row.unit.write(row.a), PLAIN),
        Column("b", b, lambda row: row.unit.write(row.b), PLAIN),
        Column("ratio", "ratio", lambda row: row.ratio, PLAIN),
    )


def figures(a: Record, b: Record, shown: Sequence[Column[Record]]) -> list[RatioRow]:
    """Every quantity of the columns that can be better or worse and that both records have."""
    found = []
    for column in shown:
        one, other = column.value(a), column.value(b)
        if column.better and column.unit and isinstance(one, int | float) and isinstance(other, int | float) and other:
            ratio = one / other
            found.append(RatioRow(column.key, column.title, column.unit, one, other, ratio, ratio, ratio))
    return found
