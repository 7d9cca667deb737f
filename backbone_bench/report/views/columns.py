"""The columns that a table of records can show, one line each.

The key of a column names the quantity with its base unit (`--columns`, CSV); its
heading has the unit for people. A multiply-add counts as one FLOP; `scaled` has
columns that count it as two.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.units import BILLIONS, PLAIN, Unit
from backbone_bench.records import Missing, Record
from backbone_bench.records.flags import glossary
from backbone_bench.records.grade import noted
from backbone_bench.records.quantities import QUANTITIES, Quantity
from backbone_bench.report.tables.table import CellValue, Column
from backbone_bench.report.views import depth, energy_columns, latency_columns, top1
from backbone_bench.report.views.getters import NumberOrMissing, at, over
from backbone_bench.report.views.grade_column import grade_column

ONCE = "FLOPs: a multiply-add counts once."


def _has_unknown(record: Record) -> bool:
    return not isinstance(record.cost, Missing) and bool(record.cost.uncounted)


def _noted(record: Record) -> str:
    return ", ".join(noted(record))


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
    **{f"{mode}_s": {"interval": latency_columns.interval(mode)} for mode in latency_columns.MODES},
    "device_work_s": {"interval": at("device_work.ci95_s")},
    "gross_per_image_j": {"interval": energy_columns.interval},
}

# The columns that stand right behind that of a quantity.
_BEHIND: Mapping[str, tuple[Column[Record], ...]] = {
    **latency_columns.BEHIND,
    **energy_columns.BEHIND,
    "peak_activation_bytes": (
        Column("flops_per_byte", "FLOPs per byte", over(_flops, at("cost.traffic_bytes")), PLAIN, None, _has_unknown),
        Column("uncounted", "uncounted operations", _uncounted),
        Column("cross_check_flops", "FLOPs by fvcore", at("cross_check.flops"), BILLIONS),
        Column("cross_check_explanation", "fvcore minus ours", at("cross_check.explanation")),
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
