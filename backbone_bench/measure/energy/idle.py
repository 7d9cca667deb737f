"""What a device draws while nothing runs on it."""

from collections.abc import Sequence

from backbone_bench.measure.energy.integrate import Window, counted, zero_order_hold
from backbone_bench.measure.energy.load import COARSEST_S, Looking, Witness
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Known, Missing

PROBE_S = 1.0  # of looking often enough to see how often a reading changes


def rest(sources: Sequence[PowerSource], clock: Clock, plan: EnergyPlan) -> tuple[Witness, ...]:
    """Look at every source at once; a tape says for itself whether its source failed."""
    tapes = tuple(Witness(source, clock) for source in sources)
    end_s = clock.now_s() + plan.idle_s
    _look(Looking(clock, tapes, plan.poll_s), min(end_s, clock.now_s() + PROBE_S))
    _look(Looking(clock, tapes, COARSEST_S), end_s)
    return tapes


def _look(looking: Looking, end_s: float) -> None:
    while looking.clock.now_s() < end_s:
        looking.look()
        looking.clock.sleep_s(looking.wait_s())


def idle_w(tape: Witness, tick_s: float, skip_s: float) -> Known[float]:
    """The mean power of a tape from `skip_s` after its beginning."""
    if not tape.readings:
        return Missing("no_rest", "Idle power was not measured: the plan leaves no time for it.")
    from_s = tape.readings[0].begun_s + skip_s
    readings = [reading for reading in tape.readings if reading.begun_s >= from_s]
    window: Known[Window]
    if tape.source.unit == "J":
        window = counted(readings, tick_s)
    else:
        window = zero_order_hold(readings, from_s, tape.readings[-1].ended_s, tick_s)
    return window.window_j / window.window_s if isinstance(window, Window) else window
