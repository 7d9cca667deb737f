"""The cost of a model by module, by kind of operation, and its most expensive operations.

Every operation is counted in exactly one row, so that the shares of a table add
up to 100 %. The share of FLOPs is a share of the known FLOPs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import PERCENT
from backbone_bench.records import Missing, ModelCost, OpCost, Record
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.tables.table import CellValue, Column, Table, tabulate
from backbone_bench.report.views.columns import ONCE, doubled

COSTLIEST = 10  # rows of the table of most expensive operations
T = TypeVar("T")


class CostTotals(NamedTuple):
    """The totals of a model, which shares refer to; summed once, because `ModelCost` sums on every access."""

    flops: int
    traffic_elems: int

    @classmethod
    def of(cls, cost: ModelCost) -> Self:
        return cls(cost.flops, cost.traffic_elems)


@dataclass(frozen=True, slots=True)
class CostPart:
    """The summed cost of some operations of a model, and its share of the model's totals."""

    name: str
    rows: tuple[OpCost, ...]
    whole: CostTotals

    @property
    def calls(self) -> int:
        return sum(row.calls for row in self.rows)

    @property
    def flops(self) -> int:
        return sum(row.flops for row in self.rows if not isinstance(row.flops, Missing))

    @property
    def access_elems(self) -> int:
        return sum(row.access_elems for row in self.rows)

    @property
    def traffic_elems(self) -> int:
        return sum(row.traffic_elems for row in self.rows)

    @property
    def flops_share(self) -> float:
        return self.flops / (self.whole.flops or 1)

    @property
    def traffic_share(self) -> float:
        return self.traffic_elems / (self.whole.traffic_elems or 1)

    @property
    def has_unknown(self) -> bool:
        return any(isinstance(row.flops, Missing) for row in self.rows)


def split(cost: ModelCost, name: Callable[[OpCost], str]) -> list[CostPart]:
    """Group the operations by `name`, in order of first execution."""
    whole = CostTotals.of(cost)
    return [CostPart(part, tuple(members), whole) for part, members in group_by(cost.by_op, name).items()]


def by_module(cost: ModelCost, depth: int) -> list[CostPart]:
    """Sum the cost by module down to `depth`; deeper modules count for their ancestor at that depth."""
    return split(cost, lambda row: module_at(row.module, depth, _without_module(row)))


def module_at(module: str, depth: int, itself: str = "(itself)") -> str:
    """The module, or its ancestor at that depth; `itself` for what the model does outside its modules."""
    return ".".join(module.split(".")[:depth]) or itself


def _without_module(row: OpCost) -> str:
    return "(optimizer)" if row.phase == "optimizer" else "(itself)"


def by_kind(cost: ModelCost) -> list[CostPart]:
    """Sum the cost by kind of operation, sorted by traffic, the largest first."""
    return sorted(split(cost, lambda row: row.kind), key=lambda part: -part.traffic_elems)


def by_phase(cost: ModelCost) -> list[CostPart]:
    """Sum the cost by phase of a training step."""
    return split(cost, lambda row: row.phase)


def costliest(cost: ModelCost, number: int = COSTLIEST) -> list[CostPart]:
    """The most expensive operations, by their share of FLOPs or of traffic, whichever is larger."""
    parts = split(cost, lambda row: f"{row.module or _without_module(row)}: {row.kind}")
    return sorted(parts, key=lambda part: -max(part.flops_share, part.traffic_share))[:number]


def _columns(title: str, *, twice: bool) -> tuple[Column[CostPart], ...]:
    columns: tuple[Column[CostPart], ...] = (
        Column("part", title, lambda part: part.name),
        count_column("ops", lambda part: part.calls, key="calls"),
        _flops_of_parts(),
        Column("flops_share", "share of FLOPs", lambda part: part.flops_share, PERCENT),
        count_column("access_elems", lambda part: part.access_elems),
        count_column("traffic_elems", lambda part: part.traffic_elems),
        Column("traffic_share", "share of traffic", lambda part: part.traffic_share, PERCENT),
    )
    return doubled(columns) if twice else columns


def count_column(quantity: str, value: Callable[[T], CellValue], key: str | None = None) -> Column[T]:
    """A column with the title and unit of a quantity of `QUANTITIES`."""
    return Column(key or quantity, QUANTITIES[quantity].title, value, QUANTITIES[quantity].unit)


def _flops_of_parts() -> Column[CostPart]:
    column: Column[CostPart] = count_column("flops", lambda part: part.flops)
    return column._replace(lower_bound=lambda part: part.has_unknown, remark=ONCE)


def layers(record: Record, depth: int, *, twice: bool = False) -> tuple[Table, ...]:
    """Make the tables of one record's cost, `twice` with two FLOPs per multiply-add; none if the cost is missing."""
    if isinstance(record.cost, Missing):
        return ()
    cost, model = record.cost, record.workload.model
    phases = (
        (tabulate(by_phase(cost), _columns("phase", twice=twice), title=f"{model}: by phase"),)
        if cost.has_backward
        else ()
    )
    return (
        *phases,
        tabulate(
            by_module(cost, depth), _columns("module", twice=twice), title=f"{model}: by module, to depth {depth}"
        ),
        tabulate(by_kind(cost), _columns("kind", twice=twice), title=f"{model}: by kind of operation"),
        costliest_table(cost, f"{model}: most expensive operations", twice=twice),
    )


def costliest_table(cost: ModelCost, title: str, *, twice: bool = False) -> Table:
    return tabulate(costliest(cost), _columns("module and kind", twice=twice), title=title)
