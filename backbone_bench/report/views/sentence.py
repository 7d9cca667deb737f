"""One sentence that says what a record found: time, energy, who waits, and arithmetic per second."""

from collections.abc import Iterator

from backbone_bench.base.units import MILLISECONDS, PERCENT, Unit, readable, significant
from backbone_bench.records import Missing, Record
from backbone_bench.report.views.conditions import measured

_FLOP_RATES = (Unit("TFLOP/s", 1e-12), Unit("GFLOP/s", 1e-9), Unit("MFLOP/s", 1e-6))


def sentence(record: Record) -> str:
    """`vovnet39: 3.2 ms of GPU work an image, 0.70 J, 7 % launch-bound; 2.2 TFLOP/s.` Empty if nothing was timed."""
    if not measured(record):
        return ""
    found = ", ".join(_measured(record))
    return f"{record.workload.model}: {'; '.join(filter(None, (found, _rate(record))))}." if found else ""


def _measured(record: Record) -> Iterator[str]:
    work, batch = record.device_work, record.workload.batch
    if not isinstance(work, Missing):
        unit = readable(MILLISECONDS, [work.median_s / batch])
        whose = "" if record.environment.is_host else " of GPU work"
        yield f"{significant(work.median_s / batch * unit.per_base, 2)} {unit.name}{whose} an image"
    if not isinstance(record.energy, Missing):
        yield f"{significant(record.energy.gross_per_image_j, 2)} J"
    share = record.latency if isinstance(record.latency, Missing) else record.latency.launch_bound
    if not isinstance(share, Missing) and not record.environment.is_host:
        yield f"{share * PERCENT.per_base:.0f} % launch-bound"


def _rate(record: Record) -> str:
    """Arithmetic per second of the device's work; empty if it is not known."""
    rates = record.rates
    if isinstance(rates, Missing):
        return ""
    graph = rates.device if isinstance(rates.graph, Missing) else rates.graph
    rate = rates.wall if record.environment.is_host else graph
    if isinstance(record.device_work, Missing) or isinstance(rate, Missing) or isinstance(rate.flops_per_s, Missing):
        return ""
    flops_per_s = rate.flops_per_s
    unit = next((one for one in _FLOP_RATES if flops_per_s * one.per_base >= 1), _FLOP_RATES[-1])
    bound = "at least " if not isinstance(record.cost, Missing) and record.cost.uncounted else ""
    return f"{bound}{significant(flops_per_s * unit.per_base, 2)} {_of_ceiling(record, unit)}{unit.name}"


def _of_ceiling(record: Record, unit: Unit) -> str:
    """`of 33 `: what a large matrix product reaches here, if it was measured with the layers."""
    if record.ceilings is None:
        return ""
    return f"of {significant(record.ceilings.flops_per_s * unit.per_base, 2)} "
