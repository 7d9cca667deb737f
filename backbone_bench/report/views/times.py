"""Where the time of a call goes: the time of every operation beside what it counts, and what its ceiling allows.

An operation is bound by arithmetic or by memory: it takes at least the longer of
its FLOPs at the rate of a matrix product and its traffic at the rate of a copy.
What it takes beyond that is lost.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import MILLISECONDS, PERCENT, PLAIN, Unit, readable, significant
from backbone_bench.records import Ceilings, Known, LayerTimes, Missing, OpCost, OpTime, Record
from backbone_bench.records.layers import SHORT_S
from backbone_bench.report.tables.table import Column, Table, tabulate
from backbone_bench.report.views.layers import COSTLIEST, CostPart, CostTotals, module_at

_OFF = 0.10  # by which the sum of the operations may differ from the undisturbed latency
_KIND = 18  # characters of a kind of operation in a narrow terminal: `1x1 convolution` and more
_WORTH_SAYING = 0.01  # share of a call
_GFLOP_RATE, _GB_RATE = Unit("GFLOP/s", 1e-9), Unit("GB/s", 1e-9)


class TimedOp(NamedTuple):
    """One kind of operation within one module: its time, and what it counts; either may be unknown."""

    time: OpTime | None
    costs: tuple[OpCost, ...]

    @property
    def module(self) -> str:
        return self.time.module if self.time is not None else self.costs[0].module

    @property
    def label(self) -> str:
        """The kind of operation: `3x3 convolution`."""
        if self.time is None:
            return self.costs[0].kind
        return f"{self.time.form} {self.time.op}" if self.time.form else self.time.op

    @property
    def flops(self) -> int:
        return sum(cost.flops for cost in self.costs if not isinstance(cost.flops, Missing))

    @property
    def traffic_bytes(self) -> int:
        return sum(cost.traffic_bytes for cost in self.costs)

    def bound_s(self, ceilings: Ceilings) -> float:
        """The least seconds that the ceilings allow."""
        return max(self.flops / ceilings.flops_per_s, self.traffic_bytes / ceilings.bytes_per_s)


@dataclass(frozen=True, slots=True)
class TimedPart:
    """Some operations together, with their share of a call."""

    name: str
    ops: tuple[TimedOp, ...]
    whole_s: float
    whole: CostTotals
    ceilings: Known[Ceilings]

    @property
    def time_s(self) -> float:
        return sum(op.time.time_s for op in self.ops if op.time is not None)

    @property
    def share(self) -> float:
        return self.time_s / (self.whole_s or 1)

    @property
    def launches(self) -> int:
        return sum(op.time.launches for op in self.ops if op.time is not None)

    @property
    def cost(self) -> CostPart:
        """What these operations count."""
        return CostPart(self.name, tuple(cost for op in self.ops for cost in op.costs), self.whole)

    @property
    def flops_per_s(self) -> float | str:
        flops = self.cost.flops
        return flops / self.time_s if flops and self.time_s else ""

    @property
    def bytes_per_s(self) -> float | str:
        moved = sum(op.traffic_bytes for op in self.ops)
        return moved / self.time_s if moved and self.time_s else ""

    @property
    def bound_s(self) -> Known[float]:
        """The least seconds that the ceilings allow, operation by operation."""
        ceilings = self.ceilings
        return ceilings if isinstance(ceilings, Missing) else sum(op.bound_s(ceilings) for op in self.ops)

    @property
    def of_ceiling(self) -> Known[float]:
        """The share of its time that the ceilings ask for; above 1 if the data are in a cache."""
        bound_s = self.bound_s
        return bound_s if isinstance(bound_s, Missing) else bound_s / (self.time_s or 1)

    @property
    def lost_s(self) -> Known[float]:
        """Seconds beyond what the ceilings ask for."""
        ceilings = self.ceilings
        if isinstance(ceilings, Missing):
            return ceilings
        timed = ((op, op.time) for op in self.ops)
        return sum(max(0.0, time.time_s - op.bound_s(ceilings)) for op, time in timed if time is not None)


def joined(record: Record) -> list[TimedOp]:
    """The times of a record beside its costs, by module and operation.

    A module in which one time and one cost are left over calls the same operation
    by two names.
    """
    times = () if not isinstance(record.layer_times, LayerTimes) else record.layer_times.rows
    costs = group_by(() if isinstance(record.cost, Missing) else record.cost.by_op, lambda cost: (cost.module, cost.op))
    found = [TimedOp(time, tuple(costs.pop((time.module, time.op), ()))) for time in times]
    for module, left in group_by(costs.values(), lambda group: group[0].module).items():
        alone = [place for place, op in enumerate(found) if op.module == module and not op.costs]
        if len(left) == len(alone) == 1:
            found[alone[0]] = TimedOp(found[alone[0]].time, tuple(left[0]))
        else:
            found += [TimedOp(None, tuple(group)) for group in left]
    return found


def parts(record: Record, times: LayerTimes, name: Callable[[TimedOp], str]) -> list[TimedPart]:
    """Group the operations of a record by `name`; those that lose most time come first."""
    whole = CostTotals(0, 0) if isinstance(record.cost, Missing) else CostTotals.of(record.cost)
    found = [
        TimedPart(part, tuple(members), times.total_s, whole, times.ceilings)
        for part, members in group_by(joined(record), name).items()
    ]
    if times.unattributed_s:
        stray = OpTime("", "(kernels of no operation)", None, times.unattributed_s, 0, 0, 0.0)
        found.append(TimedPart(stray.op, (TimedOp(stray, ()),), times.total_s, whole, times.ceilings))
    return sorted(found, key=lambda part: -(part.time_s if isinstance(part.lost_s, Missing) else part.lost_s))


def _columns(key: str, times: LayerTimes) -> tuple[Column[TimedPart], ...]:
    launches = "kernels" if times.source == "kernels" else "operations"
    names = (
        (
            Column[TimedPart]("part", "module", lambda part: part.ops[0].module or "(itself)"),
            Column[TimedPart]("kind", "kind", lambda part: part.ops[0].label, least=_KIND),
        )
        if key == "op"
        else (Column[TimedPart]("part", key, lambda part: part.name),)
    )
    return (
        *names,
        Column("time_s", "time", lambda part: part.time_s, MILLISECONDS),
        Column("share", "share", lambda part: part.share, PERCENT),
        Column("lost_s", "lost", lambda part: part.lost_s, MILLISECONDS),
        Column("of_ceiling", "of the ceiling", lambda part: part.of_ceiling, PERCENT),
        Column("flops_per_s", "arithmetic", lambda part: part.flops_per_s, _GFLOP_RATE),
        Column("bytes_per_s", "traffic", lambda part: part.bytes_per_s, _GB_RATE),
        Column("flops_share", "share of FLOPs", lambda part: part.cost.flops_share, PERCENT),
        Column("traffic_share", "share of traffic", lambda part: part.cost.traffic_share, PERCENT),
        Column("launches", launches, lambda part: part.launches, PLAIN),
    )


class Grouping(NamedTuple):
    """One way to sum operations: its title, and how many rows are shown."""

    title: str
    name: Callable[[TimedOp, int], str]  # of an operation, at a depth of modules
    most: int | None = None


GROUPINGS = {
    "module": Grouping("time by module", lambda op, depth: module_at(op.module, depth)),
    "kind": Grouping("time by kind of operation", lambda op, depth: op.label),
    "op": Grouping("operations that lose most", lambda op, depth: f"{op.module or '(itself)'}: {op.label}", COSTLIEST),
}


def time_tables(record: Record, times: LayerTimes, depth: int, by: str | None = None) -> tuple[Table, ...]:
    """Make the tables of one record's times: by module down to `depth`, by kind, and by operation; or one of them."""
    tables: list[Table] = []
    for key, grouping in GROUPINGS.items():
        if by not in (None, key):
            continue
        rows = parts(record, times, lambda op, grouping=grouping: grouping.name(op, depth))[: grouping.most]  # type: ignore[misc]
        title = f"{record.workload.model}: {grouping.title}"
        caption = "" if tables else " ".join(_caption(record, times))
        tables.append(tabulate(rows, _columns(key, times), title=title, caption=caption))
    return tuple(tables)


def _caption(record: Record, times: LayerTimes) -> Iterator[str]:
    """How the times were taken, whether they add up, and where the ceilings are from."""
    unit = readable(MILLISECONDS, [times.total_s])
    whole = f"{significant(times.total_s * unit.per_base, 3)} {unit.name}"
    what = "kernels" if times.source == "kernels" else "operations"
    yield f"Time of the {what} of one call, from torch's profiler ({times.calls} calls): {whole}."
    yield from _sum_beside_latency(record, times)
    if isinstance(times.ceilings, Missing):
        yield f"No ceilings: {times.ceilings.message}."
    else:
        rates = times.ceilings.flops_per_s / 1e9, times.ceilings.bytes_per_s / 1e9
        yield (
            f"Ceilings, measured by the same process: matrix product {rates[0]:.4g} GFLOP/s, copy {rates[1]:.4g} GB/s; "
            "a share above 100 % was in a cache. Lost: time beyond what the ceilings ask for."
        )


def _sum_beside_latency(record: Record, times: LayerTimes) -> Iterator[str]:
    work = record.device_work
    if isinstance(work, Missing) or not work.median_s:
        return
    off = times.total_s / work.median_s - 1
    name = "wall latency" if record.environment.is_host else "device work"
    if abs(off) <= _OFF:
        yield f"It is within {100 * _OFF:.0f} % of the {name}, which was taken without the profiler."
        return
    more = "more" if off > 0 else "less"
    yield f"That is {100 * abs(off):.0f} % {more} than the {name}, taken without the profiler: read shares, not times."


def time_sentence(record: Record, times: LayerTimes) -> str:
    """`resnet50: 61 % of the time in 1x1 convolutions at 9 % of the ceiling; 18 % in 182 kernels below 5 µs.`"""
    first = max(parts(record, times, lambda op: op.label), key=lambda part: part.time_s, default=None)
    if first is None:
        return ""
    at = first.of_ceiling
    reached = "" if isinstance(at, Missing) else f" at {100 * at:.0f} % of the ceiling"
    said = [f"{100 * first.share:.0f} % of the time in {_plural(first.name)}{reached}"]
    share = sum(row.short_s for row in times.rows) / (times.total_s or 1)
    if share >= _WORTH_SAYING:
        count = sum(row.short_launches for row in times.rows)
        said.append(f"{100 * share:.0f} % in {count} {times.source} below {SHORT_S * 1e6:.0f} µs")
    return f"{record.workload.model}: {'; '.join(said)}."


def _plural(kind: str) -> str:
    return f"{kind}s" if kind.endswith("convolution") else f"`{kind}`"
