"""Tables of A and B side by side: one quantity per row, both values in its unit, and their ratio."""

from collections.abc import Sequence
from typing import NamedTuple

from backbone_bench.base.units import PLAIN, Unit
from backbone_bench.records import Record
from backbone_bench.report.tables.table import Column


class RatioRow(NamedTuple):
    """One quantity of A and B, in base units, with the ratio A/B and its confidence interval."""

    key: str
    title: str
    unit: Unit
    a: float
    b: float
    ratio: float  # A over B
    low: float  # of the confidence interval of the ratio; the ratio itself if there is none
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
    """The columns for people, each number in the unit of its row; the arguments are their titles."""
    return (
        Column("quantity", quantity, lambda row: row.heading),
        Column("a", a, lambda row: row.unit.write(row.a), PLAIN),
        Column("b", b, lambda row: row.unit.write(row.b), PLAIN),
        Column("ratio", "ratio", lambda row: row.ratio, PLAIN),
    )


def ratio_rows(a: Record, b: Record, shown: Sequence[Column[Record]]) -> list[RatioRow]:
    """Compare two records by every column that has a better direction and a value in both."""
    found = []
    for column in shown:
        of_a, of_b = column.value(a), column.value(b)
        if column.better and column.unit and isinstance(of_a, int | float) and isinstance(of_b, int | float) and of_b:
            ratio = of_a / of_b
            found.append(RatioRow(column.key, column.title, column.unit, of_a, of_b, ratio, ratio, ratio))
    return found
