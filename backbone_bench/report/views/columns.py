"""What a table can show: each column is a line.

A key is the quantity in base units (`--columns`, CSV); a heading is the same in
the unit that people read. FLOPs count a multiply-add once, `doubled` says otherwise.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.units import (
    BILLIONS,
    MILLIJOULES,
    MILLISECONDS,
    PERCENT,
    PLAIN,
    Unit,
)
from backbone_bench.records import NOT_ASKED, Missing, Record, meanings, quantities
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.tables.table import Bounds, CellValue, Column
from backbone_bench.report.views import top1

T = TypeVar("T")
NumberOrMissing = int | float | Missing

ONCE = "FLOPs: a multiply-add counts once."
_HALF_WIDTH = "±: half of the 95 % interval, as a share."
_PAPER = "By the paper's protocol: power read every 100 ms, over images/s, idle included (VoVNet, section 4.1)."
_DOUBLES = frozenset({"flops", "conv_flops", "cross_check_flops", "flops_per_s", "flops_per_byte"})


def at(path: str) -> Callable[[Record], Any]:
    """What lies at a dotted path of a record, or the `Missing` that is met on the way."""
    return lambda record: quantities.at(record, path)


def over(
    above: Callable[[Record], NumberOrMissing], below: Callable[[Record], NumberOrMissing]
) -> Callable[[Record], NumberOrMissing]:
    """One quantity divided by another; missing where either is."""

    def divide(record: Record) -> NumberOrMissing:
        numerator, denominator = above(record), below(record)
        if isinstance(numerator, Missing):
            return numerator
        if isinstance(denominator, Missing):
            return denominator
        if not denominator:
            return Missing("zero", "divided by zero")
        return numerator / denominator

    return divide


def _interval(mode: str) -> Callable[[Record], Bounds | Missing]:
    return at(f"latency.{mode}.ci95_s")


def _half_width(mode: str) -> Callable[[Record], NumberOrMissing]:
    """Half of the 95 % interval as a share of the median."""

    def spread(record: Record) -> NumberOrMissing:
        interval = _interval(mode)(record)
        return interval if isinstance(interval, Missing) else (interval[1] - interval[0]) / 2

    return over(spread, at(f"latency.{mode}.median_s"))


def _latency(mode: str) -> tuple[Column[Record], ...]:
    path, key = f"latency.{mode}", f"{mode}_s"
    title = QUANTITIES[key].title
    return (
        _quantity(key)._replace(interval=_interval(mode)),
        Column(f"{mode}_half_width", f"{title} ±", _half_width(mode), PERCENT, remark=_HALF_WIDTH, part_of=key),
        Column(f"{mode}_min_s", f"{title}, minimum", at(f"{path}.min_s"), MILLISECONDS, "less"),
        Column(f"{mode}_p90_s", f"{title}, p90", at(f"{path}.p90_s"), MILLISECONDS, "less"),
        Column(f"{mode}_p99_s", f"{title}, p99", at(f"{path}.p99_s"), MILLISECONDS, "less"),
        Column(f"{mode}_first_call_s", f"{title}, first call", _first_call(mode), MILLISECONDS, "less"),
        Column(f"{mode}_drift", f"{title}, drift", at(f"{path}.drift"), PLAIN),
        Column(f"{mode}_samples", f"{title}, samples", at(f"{path}.n"), PLAIN),
        Column(f"{mode}_host_load", f"{title}, host load", at(f"{path}.host_load"), PERCENT),
    )


def _first_call(mode: str) -> Callable[[Record], NumberOrMissing]:
    def first(record: Record) -> NumberOrMissing:
        calls = at(f"latency.{mode}.first_calls_s")(record)
        if isinstance(calls, Missing):
            return calls
        return calls[0] if calls else Missing("not_timed", "no call was timed before the warm-up")

    return first


def _has_unknown(record: Record) -> bool:
    return not isinstance(record.cost, Missing) and bool(record.cost.uncounted)


def _flags(record: Record) -> str:
    flags = list(record.flags)
    if not isinstance(record.cost, Missing) and record.cost.path == "cpu":
        flags.append("values_needed")
    if not isinstance(record.latency, Missing):
        for mode in ("wall", "device", "graph"):
            latency = getattr(record.latency, mode)
            if not isinstance(latency, Missing):
                flags += latency.flags
                flags += [] if latency.status == "converged" else [f"{mode}: {latency.status}"]
    for part in (record.energy, record.watch):
        flags += () if isinstance(part, Missing) else part.flags
    return ", ".join(dict.fromkeys(flags))


def _on_request(path: str) -> Callable[[Record], Any]:
    """What lies at a path whose part before the last is there only where it was asked for."""
    owner, _, name = path.rpartition(".")
    whole = at(owner)

    def read(record: Record) -> Any:
        part = whole(record)
        if part is None:
            return NOT_ASKED
        return part if isinstance(part, Missing) else getattr(part, name)

    return read


def _uncounted(record: Record) -> CellValue:
    if isinstance(record.cost, Missing):
        return record.cost
    return ", ".join(f"{row.op} ({row.traffic_share:.1%} of traffic)" for row in record.cost.uncounted)


def _top1(record: Record) -> NumberOrMissing:
    found = top1.of(record)
    return found if isinstance(found, Missing) else float(found.percent) / 100


def _weights(record: Record) -> str:
    found = top1.of(record)
    return "" if isinstance(found, Missing) else found.weights


def _quantity(key: str) -> Column[Record]:
    """The column of a quantity, as the table of quantities has it."""
    quantity = QUANTITIES[key]
    return Column(key, quantity.title, quantity.of, quantity.unit, quantity.better)


_flops = at("cost.flops")

COLUMNS: dict[str, Column[Record]] = {
    column.key: column
    for column in (
        Column("model", "model", attrgetter("workload.model")),
        _quantity("params"),
        _quantity("flops")._replace(lower_bound=_has_unknown, remark=ONCE),
        _quantity("conv_flops")._replace(remark=ONCE),
        _quantity("access_elems"),
        _quantity("conv_access_elems"),
        _quantity("cio_elems"),
        _quantity("traffic_elems"),
        _quantity("traffic_bytes"),
        _quantity("ops"),
        _quantity("params_bytes"),
        _quantity("peak_activation_bytes"),
        Column("flops_per_byte", "FLOPs per byte", over(_flops, at("cost.traffic_bytes")), PLAIN, None, _has_unknown),
        Column("uncounted", "uncounted operations", _uncounted),
        Column("cross_check_flops", "FLOPs by fvcore", _on_request("cross_check.flops"), BILLIONS),
        Column("cross_check_explanation", "fvcore minus ours", _on_request("cross_check.explanation")),
        *_latency("wall"),
        *_latency("device"),
        *_latency("graph"),
        Column("launch_bound", "launch-bound", at("latency.launch_bound"), PERCENT),
        _quantity("images_per_s"),
        _quantity("flops_per_s")._replace(lower_bound=_has_unknown),
        _quantity("peak_allocated_bytes"),
        _quantity("peak_reserved_bytes"),
        _quantity("peak_resident_bytes"),
        _quantity("gross_per_image_j"),
        Column(
            "energy_half_width",
            "energy ±",
            at("energy.repeat_relative"),
            PERCENT,
            remark=_HALF_WIDTH,
            part_of="gross_per_image_j",
        ),
        Column(
            "paper_per_image_j",
            "energy per image, paper's protocol",
            _on_request("energy.paper.per_image_j"),
            MILLIJOULES,
            "less",
            remark=_PAPER,
            part_of="gross_per_image_j",
        ),
        _quantity("net_per_image_j"),
        _quantity("mean_w"),
        Column("top1_fraction", "published top-1", _top1, Unit("%", 100, 2), remark=top1.REMARK),
        Column("top1_weights", "weights.recipe", _weights),
        Column("flags", "flags", _flags, glossary=meanings),
        Column("record", "record", attrgetter("id")),
    )
}


def named(keys: str) -> tuple[Column[Record], ...]:
    """The columns of a comma-separated list of keys; raise UserError for a key that none has."""
    return tuple(map(_named, dict.fromkeys(key.strip() for key in keys.split(","))))


def _named(key: str) -> Column[Record]:
    if key not in COLUMNS:
        hint = did_you_mean(key, COLUMNS, f"There are {', '.join(COLUMNS)}.")
        raise UserError(f"No column is called {key!r}. {hint}")
    return COLUMNS[key]


_SECOND = "cross_check_flops,cross_check_explanation"
_MEASURED = (
    "model,params,flops,access_elems,traffic_elems,ops,wall_s,wall_half_width,device_s,device_half_width,graph_s,"
    "graph_half_width,images_per_s,flops_per_s,gross_per_image_j,energy_half_width,paper_per_image_j,"
    "peak_allocated_bytes"
)
COUNT = named(
    f"model,params,flops,access_elems,cio_elems,traffic_elems,ops,peak_activation_bytes,uncounted,{_SECOND},flags"
)
RUN = named(f"{_MEASURED},uncounted,{_SECOND},flags")
COMPARE = named(f"{_MEASURED},top1_fraction,top1_weights,uncounted,{_SECOND},flags")


def doubled(columns: Sequence[Column[T]]) -> tuple[Column[T], ...]:
    """The same columns with a multiply-add counted as two, and headings and keys that say so."""
    return tuple(_doubled(column) if column.key in _DOUBLES else column for column in columns)


def _doubled(column: Column[T]) -> Column[T]:
    def twice(thing: T) -> CellValue:
        value = column.value(thing)
        return value if isinstance(value, Missing | str) else 2 * value

    return column._replace(
        key=f"{column.key}_two_per_multiply_add", title=f"{column.title}, two per multiply-add", value=twice, remark=""
    )
