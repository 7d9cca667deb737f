"""The columns of latencies, one line each: what stands behind the median of each mode."""

from collections.abc import Callable, Mapping

from backbone_bench.base.units import MILLISECONDS, PERCENT, PLAIN
from backbone_bench.records import Missing, Record
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.tables.table import Bounds, Column
from backbone_bench.report.views.getters import NumberOrMissing, at, over

MODES = ("wall", "device", "graph")
_HALF_WIDTH = "±: half of the 95 % confidence interval, as a share of the median."
_LAUNCH_BOUND = (
    "launch-bound: the share of a call in which the GPU waits for Python, 1 − device work / wall latency; device work "
    "is the replay of the call's graph, or else device latency."
)


def interval(mode: str) -> Callable[[Record], Bounds | Missing]:
    """A getter of the 95 % confidence interval of the median."""
    return at(f"latency.{mode}.ci95_s")


def _half_width(mode: str) -> Callable[[Record], NumberOrMissing]:
    """A getter of half of the 95 % confidence interval of the median, as a share of the median."""

    def half_width_s(record: Record) -> NumberOrMissing:
        bounds = interval(mode)(record)
        return bounds if isinstance(bounds, Missing) else (bounds[1] - bounds[0]) / 2

    return over(half_width_s, at(f"latency.{mode}.median_s"))


def _of_mode(mode: str) -> tuple[Column[Record], ...]:
    """The columns that stand behind the median of a latency mode."""
    path, key = f"latency.{mode}", f"{mode}_s"
    title = QUANTITIES[key].title
    return (
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


# By the key of the quantity that they stand behind.
BEHIND: Mapping[str, tuple[Column[Record], ...]] = {
    "wall_s": _of_mode("wall"),
    "device_s": _of_mode("device"),
    "graph_s": (
        *_of_mode("graph"),
        Column(
            "launch_bound",
            "launch-bound",
            at("latency.launch_bound"),
            PERCENT,
            remark=_LAUNCH_BOUND,
            part_of="device_s",
        ),
    ),
}
