"""The cost of a model as a tree of modules, each with its share of the model's totals."""

from collections.abc import Sequence
from dataclasses import dataclass

from backbone_bench.base.units import BILLIONS, M_ELEMENTS
from backbone_bench.records import ModelCost, OpCost
from backbone_bench.report.views.layers import CostPart, CostTotals

MAX_LEVELS = 4
MAX_NODES = 80  # a larger tree is cut to its outer modules


@dataclass(frozen=True, slots=True)
class Node:
    """A module with its submodules, or one kind of operation that the parent module runs itself."""

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
    """Make the tree of modules, as deep as `MAX_LEVELS` and `MAX_NODES` allow."""
    rows = [(row.module.split(".") if row.module else [], row) for row in cost.by_op]
    whole = CostTotals.of(cost)
    trees = (_nodes(rows, whole, levels) for levels in range(MAX_LEVELS, 0, -1))
    return next((nodes for nodes in trees if count_nodes(nodes) <= MAX_NODES), _nodes(rows, whole, 1))


def count_nodes(nodes: Sequence[Node]) -> int:
    return sum(1 + count_nodes(node.children) for node in nodes)


_Rows = Sequence[tuple[list[str], OpCost]]  # each operation with the rest of its module's path


def _nodes(rows: _Rows, whole: CostTotals, levels: int) -> tuple[Node, ...]:
    inside: dict[str, list[tuple[list[str], OpCost]]] = {}
    for path, row in rows:
        inside.setdefault(path[0] if path else f"({row.op})", []).append((path[1:], row))
    return tuple(_node(name, members, whole, levels) for name, members in inside.items())


def _node(name: str, rows: _Rows, whole: CostTotals, levels: int) -> Node:
    """Make one node; a module whose only content is another module is joined with it: `stages.stage1`."""
    shared = _common([path for path, _ in rows])
    name = ".".join((name, *shared))
    rows = [(path[len(shared) :], row) for path, row in rows]
    open_up = levels > 1 and any(path for path, _ in rows)
    part = CostPart(name, tuple(row for _, row in rows), whole)
    return Node(part, _nodes(rows, whole, levels - 1) if open_up else ())


def _common(paths: Sequence[list[str]]) -> list[str]:
    """The first names that all paths share."""
    first, last = min(paths), max(paths)  # of sorted lists, all that lie between share what these two share
    length = next((place for place, name in enumerate(first) if last[place] != name), len(first))
    return first[:length]
