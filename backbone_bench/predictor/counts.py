"""What the time of a call is made of: five counts, and the term of each in the predicted time.

To add a term, add a row to `TERMS` and a constant to `calibration.Constants`.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Self

from backbone_bench.records import Missing, ModelCost, OpCost, known

# What a calibration predicts: the replay of a call's graph, the wall latency of a CPU, or the throughput of a large
# batch, which is all that a published table tells.
TimeKind = Literal["graph", "wall", "throughput"]


class Counts(NamedTuple):
    """The counts of one call that its predicted time is made of."""

    reduction_depth: int
    ops: int
    flops: int
    grouped_flops: int
    traffic_bytes: int

    @classmethod
    def of(cls, cost: ModelCost) -> Self:
        """The counts of a whole call. Raises CouldNotMeasure if the version that counted it knew no shapes."""
        return cls(known(cost.reduction_depth), cost.ops, cost.flops, known(cost.grouped_flops), cost.traffic_bytes)

    @classmethod
    def of_row(cls, row: OpCost) -> Self:
        """The counts of one row: of one kind of operation within one module."""
        flops = 0 if isinstance(row.flops, Missing) else row.flops
        grouped = flops if (row.groups or 1) > 1 else 0
        return cls(row.reduction_depth or 0, row.calls, flops, grouped, row.traffic_bytes)

    def per_image(self, batch: int) -> Mapping[str, float]:
        """The counts by name; those that grow with the batch are divided by it."""
        grow = {"flops": self.flops, "grouped_flops": self.grouped_flops, "traffic_bytes": self.traffic_bytes}
        per_image = {name: count / batch for name, count in grow.items()}
        return {"reduction_depth": self.reduction_depth, "ops": self.ops, **per_image}


class Term(NamedTuple):
    """One term of the predicted time: what it is called, the constant that it needs, and the count it multiplies."""

    title: str
    constant: str  # a field of `Constants`
    count: Callable[[Counts], int]
    kinds: tuple[TimeKind, ...]  # the times that have this term


TERMS: tuple[Term, ...] = (
    # A thread of a GPU sums the products of one output one after the other; a CPU's only thread has nobody to wait for.
    Term("reduction depth", "step_s", lambda counts: counts.reduction_depth, ("graph",)),
    Term("launches", "launch_s", lambda counts: counts.ops, ("graph", "wall")),
    Term("dense arithmetic", "dense_flop_s", lambda counts: counts.flops - counts.grouped_flops,
         ("graph", "wall", "throughput")),
    Term("grouped arithmetic", "grouped_flop_s", lambda counts: counts.grouped_flops, ("graph", "wall", "throughput")),
    Term("traffic", "byte_s", lambda counts: counts.traffic_bytes, ("graph", "wall", "throughput")),
)  # fmt: skip


def terms(kind: TimeKind) -> tuple[Term, ...]:
    """The terms of a kind of time."""
    return tuple(term for term in TERMS if kind in term.kinds)
