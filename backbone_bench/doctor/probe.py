"""Probe of the power sources: poll them at idle for one second to find their refresh periods."""

from collections.abc import Sequence

from backbone_bench.measure.energy.idle import PROBE_S, poll_idle
from backbone_bench.measure.energy.integrate import period_s
from backbone_bench.measure.energy.load import OptionalTrace
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Missing


def probe(sources: Sequence[PowerSource], clock: Clock) -> tuple[OptionalTrace, ...]:
    """Poll every source at idle for one second. A trace records the failure of its own source."""
    return poll_idle(sources, clock, EnergyPlan(idle_s=PROBE_S))


def refreshed(trace: OptionalTrace) -> str:
    """Refresh period of a source as text. A sensor may not change at constant power; a counter must."""
    period = period_s(trace.readings)
    if not isinstance(period, Missing):
        return f"refreshed every {period * 1e3:.3g} ms"
    return f"steady at {trace.readings[-1].value:.3g} W" if trace.source.unit == "W" else "does not change"
