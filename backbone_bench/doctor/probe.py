"""How often power sources are refreshed, found by polling them for a second at rest."""

from collections.abc import Sequence

from backbone_bench.measure.energy.idle import PROBE_S, rest
from backbone_bench.measure.energy.integrate import period_s
from backbone_bench.measure.energy.load import OptionalTrace
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Missing


def probe(sources: Sequence[PowerSource], clock: Clock) -> tuple[OptionalTrace, ...]:
    """What every source said; one that failed says so itself."""
    return rest(sources, clock, EnergyPlan(idle_s=PROBE_S))


def refreshed(trace: OptionalTrace) -> str:
    """How often a reading changes, in words; a sensor of a steady power may not change at all, a counter does."""
    period = period_s(trace.readings)
    if not isinstance(period, Missing):
        return f"refreshed every {period * 1e3:.3g} ms"
    return f"steady at {trace.readings[-1].value:.3g} W" if trace.source.unit == "W" else "does not move"
