"""A model's cost as a tree of its modules: each node's share of the whole, opened as far as one wants."""

from collections.abc import Sequence
from dataclasses import dataclass

from backbone_bench.base.units import BILLIONS, M_ELEMENTS
from backbone_bench.records import ModelCost, OpCost
from backbone_bench.report.views.layers import CostPart, CostTotals

DEEPEST = 4  # levels
MOST = 80  # nodes: of a network of a thousand layers only the outer modules are of use


@dataclass(frozen=True, slots=True)
class Node:
    """A module, or the operations that it asks for itself."""

    part: CostPart
    children: tuple["Node", ...]

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def flops(self) -> str:
        bound = "≥ " if self.part.has_unknown else ""
        return f"{bound}{BILLIONS.write(self.part.flops)} GFLOPs"

    @property
    def traffic(self) -> str:
        return f"{M_ELEMENTS.write(self.part.traffic_elems)} M elements"

    @property
    def flops_percent(self) -> str:
        return f"{100 * self.part.flops_share:.1f}"

    @property
    def traffic_percent(self) -> str:
        return f"{100 * self.part.traffic_share:.1f}"


def tree(cost: ModelCost) -> tuple[Node, ...]:
    """The outermost modules, each with what lies in it, as deep as there are not too many."""
    rows = [(row.module.split(".") if row.module else [], row) for row in cost.by_op]
    whole = CostTotals.of(cost)
    trees = (_nodes(rows, whole, levels) for levels in range(DEEPEST, 0, -1))
    return next((nodes for nodes in trees if size(nodes) <= MOST), _nodes(rows, whole, 1))


def size(nodes: Sequence[Node]) -> int:
    return sum(1 + size(node.children) for node in nodes)


_Rows = Sequence[tuple[list[str], OpCost]]  # what is left of each module's path


def _nodes(rows: _Rows, whole: CostTotals, levels: int) -> tuple[Node, ...]:
    inside: dict[str, list[tuple[list[str], OpCost]]] = {}
    for path, row in rows:
        inside.setdefault(path[0] if path else f"({row.op})", []).append((path[1:], row))
    return tuple(_node(name, members, whole, levels) for name, members in inside.items())


def _node(name: str, rows: _Rows, whole: CostTotals, levels: int) -> Node:
    """A chain of modules that hold nothing else becomes one node: `stages.stage1`."""
    firsts = {path[0] if path else "" for path, _ in rows}
    if len(firsts) == 1 and "" not in firsts:
        return _node(f"{name}.{firsts.pop()}", [(path[1:], row) for path, row in rows], whole, levels)
    open_up = levels > 1 and any(path for path, _ in rows)
    part = CostPart(name, tuple(row for _, row in rows), whole)
    return Node(part, _nodes(rows, whole, levels - 1) if open_up else ())
