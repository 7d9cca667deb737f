"""Idle power: the power of a device while nothing runs on it."""

from collections.abc import Sequence

from backbone_bench.measure.energy.integrate import Window, counted, zero_order_hold
from backbone_bench.measure.energy.load import COARSEST_S, OptionalTrace, Poller
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Known, Missing

PROBE_S = 1.0  # of fast polling: long enough to find the refresh period of a source


def poll_idle(sources: Sequence[PowerSource], clock: Clock, plan: EnergyPlan) -> tuple[OptionalTrace, ...]:
    """Poll all sources together while the device is idle. A trace records the failure of its own source."""
    traces = tuple(OptionalTrace(source, clock) for source in sources)
    end_s = clock.now_s() + plan.idle_s
    _poll_until(Poller(clock, traces, plan.poll_s), min(end_s, clock.now_s() + PROBE_S))
    _poll_until(Poller(clock, traces, COARSEST_S), end_s)
    return traces


def _poll_until(poller: Poller, end_s: float) -> None:
    while poller.clock.now_s() < end_s:
        poller.poll()
        poller.clock.sleep_s(poller.wait_s())


def idle_w(trace: OptionalTrace, tick_s: float, skip_s: float) -> Known[float]:
    """Mean power of an idle trace, without its first `skip_s` seconds."""
    if not trace.readings:
        return Missing("no_rest", "Idle power was not measured: the plan has no time for it.")
    from_s = trace.readings[0].begun_s + skip_s
    readings = [reading for reading in trace.readings if reading.begun_s >= from_s]
    window: Known[Window]
    if trace.source.unit == "J":
        window = counted(readings, tick_s)
    else:
        window = zero_order_hold(readings, from_s, trace.readings[-1].ended_s, tick_s)
    return window.window_j / window.window_s if isinstance(window, Window) else window
