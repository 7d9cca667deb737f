"""The columns that a table of records can show, one line each.

The key of a column names the quantity with its base unit (`--columns`, CSV); its
heading has the unit for people. A multiply-add counts as one FLOP; `doubled`
returns columns that count it as two.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from backbone_bench.records import Missing, Record, quantities
from backbone_bench.records.flags import glossary
from backbone_bench.records.grade import Graded, graded, noted
from backbone_bench.records.quantities import QUANTITIES, Quantity
from backbone_bench.report.tables.table import Bounds, CellValue, Column
from backbone_bench.report.views import depth, top1
from backbone_bench.report.views.conditions import measured

T = TypeVar("T")
_MODES = ("wall", "device", "graph")
NumberOrMissing = int | float | Missing

ONCE = "FLOPs: a multiply-add counts once."
_LATENCY_HALF_WIDTH = "±: half of the 95 % confidence interval, as a share of the median."
_ENERGY_HALF_WIDTH = "energy ±: half of the 95 % confidence interval, as a share of the mean."
_LAUNCH_BOUND = (
    "launch-bound: the share of a call in which the GPU waits for Python, 1 − device work / wall latency; device work "
    "is the replay of the call's graph, or else device latency."
)
_ENERGY_RUNS = {
    "graph": "Energy is that of replays of the call's graph, back to back.",
    "wall": "Energy is that of a caller who waits for each call: what the device draws in the gaps is included.",
}
_PAPER = (
    "paper's protocol: mean power, read every 100 ms, divided by images/s; idle power is included "
    "(VoVNet, section 4.1)."
)
# Columns that --flops-convention 2 doubles.
_DOUBLES = frozenset(
    {*(key for key, one in QUANTITIES.items() if one.multiply_adds), "cross_check_flops", "flops_per_byte"}
)


def at(path: str) -> Callable[[Record], Any]:
    """A getter of the value at a dotted path of a record; it returns a `Missing` found on the way."""
    return lambda record: quantities.at(record, path)


def over(
    above: Callable[[Record], NumberOrMissing], below: Callable[[Record], NumberOrMissing]
) -> Callable[[Record], NumberOrMissing]:
    """A getter of one quantity divided by another; missing if either of them is."""

    def divide(record: Record) -> NumberOrMissing:
        numerator, denominator = above(record), below(record)
        if isinstance(numerator, Missing):
            return numerator
        if isinstance(denominator, Missing):
            return denominator
        if not denominator:
            return Missing("zero", "division by zero")
        return numerator / denominator

    return divide


def _interval(mode: str) -> Callable[[Record], Bounds | Missing]:
    return at(f"latency.{mode}.ci95_s")


def _half_width(mode: str) -> Callable[[Record], NumberOrMissing]:
    """A getter of half of the 95 % confidence interval of the median, as a share of the median."""

    def half_width_s(record: Record) -> NumberOrMissing:
        interval = _interval(mode)(record)
        return interval if isinstance(interval, Missing) else (interval[1] - interval[0]) / 2

    return over(half_width_s, at(f"latency.{mode}.median_s"))


def _latency(mode: str) -> tuple[Column[Record], ...]:
    """The columns that stand behind the median of a latency mode."""
    path, key = f"latency.{mode}", f"{mode}_s"
    title = QUANTITIES[key].title
    return (
        Column(f"{mode}_half_width", f"{title} ±", _half_width(mode), PERCENT, remark=_LATENCY_HALF_WIDTH, part_of=key),
        Column(f"{mode}_min_s", f"{title}, minimum", at(f"{path}.min_s"), MILLISECONDS, "less"),
        Column(f"{mode}_p90_s", f"{title}, p90", at(f"{path}.p90_s"), MILLISECONDS, "less"),
        Column(f"{mode}_p99_s", f"{title}, p99", at(f"{path}.p99_s"), MILLISECONDS, "less"),
        Column(f"{mode}_first_call_s", f"{title}, first call", _first_call(mode), MILLISECONDS, "less"),
        Column(f"{mode}_drift", f"{title}, drift", at(f"{path}.drift"), PLAIN),
        Column(f"{mode}_samples", f"{title}, samples", at(f"{path}.n"), PLAIN),
        Column(f"{mode}_host_load", f"{title}, host load", at(f"{path}.host_load"), PERCENT),
    )


def _energy_interval(record: Record) -> Bounds | Missing:
    """The interval of the gross energy per image, by the spread of its trials."""
    value, share = at("energy.gross_per_image_j")(record), at("energy.repeat_relative")(record)
    if isinstance(value, Missing):
        return value
    return share if isinstance(share, Missing) else (value * (1 - share), value * (1 + share))


def _first_call(mode: str) -> Callable[[Record], NumberOrMissing]:
    def first(record: Record) -> NumberOrMissing:
        calls = at(f"latency.{mode}.first_calls_s")(record)
        if isinstance(calls, Missing):
            return calls
        return calls[0] if calls else Missing("not_timed", "no call was timed before the warm-up")

    return first


def _of_which_runs(record: Record) -> CellValue:
    """The runs that the energy is of."""
    return record.energy_mode


def _has_unknown(record: Record) -> bool:
    return not isinstance(record.cost, Missing) and bool(record.cost.uncounted)


def _noted(record: Record) -> str:
    return ", ".join(noted(record))


GRADE = "grade"


def grade_column(
    shared: frozenset[str] = frozenset(),
    grade_of: Callable[[Record], Graded] = graded,
    explained: Iterable[str] = (),
) -> Column[Record]:
    """The grade of each row with its reasons, except those that all rows share; `explained`: more words to explain."""
    more = sorted(explained)

    def grade(record: Record) -> str:
        return grade_of(record).without(shared) if measured(record) else ""

    return Column(GRADE, "grade", grade, glossary=lambda texts: glossary((*more, *texts)))


def _uncounted(record: Record) -> CellValue:
    if isinstance(record.cost, Missing):
        return record.cost
    return ", ".join(f"{row.op} ({row.traffic_share:.1%} of traffic)" for row in record.cost.uncounted)


def _top1(record: Record) -> NumberOrMissing:
    found = top1.published_top1(record)
    return found if isinstance(found, Missing) else float(found.percent) / 100


def _weights(record: Record) -> str:
    found = top1.published_top1(record)
    return "" if isinstance(found, Missing) else found.weights_and_recipe


_flops = at("cost.flops")

# What a column of a quantity has besides its row in QUANTITIES.
_EXTRAS: Mapping[str, Mapping[str, Any]] = {
    "flops": {"lower_bound": _has_unknown, "remark": ONCE},
    "conv_flops": {"remark": ONCE},
    "reduction_depth": {"value": depth.reduction_depth, "told": depth.remark},
    "flops_per_s": {"lower_bound": _has_unknown},
    **{f"{mode}_s": {"interval": _interval(mode)} for mode in _MODES},
    "device_work_s": {"interval": at("device_work.ci95_s")},
    "gross_per_image_j": {"interval": _energy_interval},
}

# The columns that stand right behind that of a quantity.
_BEHIND: Mapping[str, tuple[Column[Record], ...]] = {
    "peak_activation_bytes": (
        Column("flops_per_byte", "FLOPs per byte", over(_flops, at("cost.traffic_bytes")), PLAIN, None, _has_unknown),
        Column("uncounted", "uncounted operations", _uncounted),
        Column("cross_check_flops", "FLOPs by fvcore", at("cross_check.flops"), BILLIONS),
        Column("cross_check_explanation", "fvcore minus ours", at("cross_check.explanation")),
    ),
    "wall_s": _latency("wall"),
    "device_s": _latency("device"),
    "graph_s": (
        *_latency("graph"),
        Column(
            "launch_bound",
            "launch-bound",
            at("latency.launch_bound"),
            PERCENT,
            remark=_LAUNCH_BOUND,
            part_of="device_s",
        ),
    ),
    "gross_per_image_j": (
        Column(
            "energy_half_width",
            "energy ±",
            at("energy.repeat_relative"),
            PERCENT,
            remark=_ENERGY_HALF_WIDTH,
            part_of="gross_per_image_j",
        ),
        Column(
            "energy_runs",
            "energy of",
            _of_which_runs,
            part_of="gross_per_image_j",
            if_shared=lambda runs: _ENERGY_RUNS[runs],
        ),
        Column(
            "paper_per_image_j",
            "energy per image, paper's protocol",
            at("energy.paper.per_image_j"),
            MILLIJOULES,
            "less",
            remark=_PAPER,
            part_of="gross_per_image_j",
        ),
    ),
}


def _of_quantity(quantity: Quantity) -> tuple[Column[Record], ...]:
    """The column of a quantity, and those behind it."""
    own: Column[Record] = Column(quantity.key, quantity.title, quantity.of, quantity.unit, quantity.better)
    own = own._replace(taken=quantity.taken)
    return own._replace(**_EXTRAS.get(quantity.key, {})), *_BEHIND.get(quantity.key, ())


COLUMNS: dict[str, Column[Record]] = {
    column.key: column
    for column in (
        Column("model", "model", attrgetter("workload.model")),
        *(column for quantity in QUANTITIES.values() for column in _of_quantity(quantity)),
        Column("top1_fraction", "published top-1", _top1, Unit("%", 100, 2), remark=top1.REMARK),
        Column("top1_weights", "weights.recipe", _weights),
        grade_column(),
        Column("flags", "flags", _noted, glossary=glossary),
        Column("record", "record", attrgetter("id")),
    )
}


def named(keys: str) -> tuple[Column[Record], ...]:
    """The columns with these keys, a comma-separated list. Raises UserError for an unknown key."""
    return tuple(map(_named, dict.fromkeys(key.strip() for key in keys.split(","))))


def _named(key: str) -> Column[Record]:
    if key not in COLUMNS:
        hint = did_you_mean(key, COLUMNS, f"The columns are {', '.join(COLUMNS)}.")
        raise UserError(f"No column is called {key!r}. {hint}")
    return COLUMNS[key]


_CROSS_CHECK = "cross_check_flops,cross_check_explanation"
# The first columns tell most: a terminal shows as many as fit.
_TELLING = "model,flops,wall_s,graph_s,launch_bound,gross_per_image_j,grade,params,access_elems,ops,images_per_s"
_REST = (
    "flops_per_s,peak_allocated_bytes,device_s,traffic_elems,wall_half_width,graph_half_width,device_half_width,"
    f"energy_half_width,energy_runs,wall_per_image_j,paper_per_image_j,uncounted,{_CROSS_CHECK}"
)
COUNT = named(
    "model,flops,params,access_elems,traffic_elems,ops,reduction_depth,cio_elems,peak_activation_bytes,uncounted,"
    f"{_CROSS_CHECK},flags"
)
RUN = named(f"{_TELLING},{_REST}")
COMPARE = named(f"{_TELLING},top1_fraction,top1_weights,{_REST}")


def doubled(columns: Sequence[Column[T]]) -> tuple[Column[T], ...]:
    """The same columns with a multiply-add counted as two FLOPs; their keys and titles say so."""
    return tuple(_doubled(column) if column.key in _DOUBLES else column for column in columns)


_TWICE, _PER_IMAGE = "_two_per_multiply_add", "_per_image"
PER_IMAGE = "All quantities are per image, but operations, which are of one call, and peaks of memory."
# Columns of one call, which `per_image` divides by the batch.
_PER_CALL = frozenset(
    {
        *(key for key, one in QUANTITIES.items() if one.per_call and key != "ops"),
        *(f"{mode}_{what}" for mode in _MODES for what in ("min_s", "p90_s", "p99_s", "first_call_s")),
        "cross_check_flops",
    }
)


def per_image(columns: Sequence[Column[Record]]) -> tuple[Column[Record], ...]:
    """The same columns with everything for one image, as `PER_IMAGE` says; the keys of those that change say so."""
    divided = {column.key for column in columns if column.key.removesuffix(_TWICE) in _PER_CALL}
    return tuple(
        (_per_image(column) if column.key in divided else column)._replace(
            part_of=f"{column.part_of}{_PER_IMAGE}" if column.part_of in divided else column.part_of
        )
        for column in columns
    )


def _per_image(column: Column[Record]) -> Column[Record]:
    def value(record: Record) -> CellValue:
        whole = column.value(record)
        if isinstance(whole, Missing | str):
            return whole
        batch = record.workload.batch
        return whole // batch if isinstance(whole, int) and whole % batch == 0 else whole / batch

    def interval(record: Record) -> Bounds | Missing:
        assert column.interval is not None
        whole, batch = column.interval(record), record.workload.batch
        return whole if isinstance(whole, Missing) else (whole[0] / batch, whole[1] / batch)

    return column._replace(
        key=f"{column.key}{_PER_IMAGE}",
        value=value,
        interval=interval if column.interval else None,
    )


def _doubled(column: Column[T]) -> Column[T]:
    def twice(thing: T) -> CellValue:
        value = column.value(thing)
        return value if isinstance(value, Missing | str) else 2 * value

    return column._replace(
        key=f"{column.key}{_TWICE}", title=f"{column.title}, two per multiply-add", value=twice, remark=""
    )
