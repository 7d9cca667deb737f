"""Joules per image: idle first, then windows under a steady load, by the best source that answers.

A source is tried, and given up for the next one with the reason kept; where none
is left the answer is a Missing. Nothing here runs while latency is timed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench import records
from backbone_bench.measure.energy.idle import idle_w, rest
from backbone_bench.measure.energy.load import Load, OptionalTrace, Poller, Steady, Trace
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import Meter
from backbone_bench.measure.energy.windows import (
    ASSUMED_TICK_S,
    SHIFTS,
    STILL,
    EnergyRun,
    WindowPart,
    WindowPlan,
    averaging_s,
    other_j,
    tick_s,
)
from backbone_bench.measure.protocols import Device, PowerSource, SourceFailed, Watcher
from backbone_bench.records import Energy, EnergyTrial, Flag, Known, Missing, PaperEnergy

LOST = "gpu_lost"  # no other source will answer either
DISAGREE = 0.05  # between a counter and the integral of a sensor
WINDOW_AVERAGES = 10  # a window holds so many of a sensor's averages
PAPER_EVERY_S = 0.1


def measure(load: Load, device: Device, meter: Meter, plan: EnergyPlan, watch: Watcher) -> Known[Energy]:
    """Energy of running `load` back to back on `device`; Missing where no source tells it."""
    device.synchronize()
    watch.poll()
    traces = rest(meter.sources, meter.clock, plan)
    bench = EnergyRun(Steady(load, device, meter.clock, plan.queue_depth), meter.clock, plan)
    return _SourceFallback(load, bench, meter, watch, traces).measure()


class _Trial(NamedTuple):
    part: WindowPart
    temperature_c: Known[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _SourceFallback:
    load: Load
    bench: EnergyRun
    meter: Meter
    watch: Watcher
    traces: tuple[OptionalTrace, ...]  # of every source, at rest

    def measure(self) -> Known[Energy]:
        """The energy by the first source that gives it."""
        wanted = [trace for trace in self.traces if self.bench.plan.source in ("auto", trace.source.name)]
        skipped = [trace.failure for trace in wanted if trace.failure is not None]
        if len(skipped) < len(wanted):
            self.bench.settle()
        for trace in wanted:
            if trace.failure is None and not _lost(skipped):
                energy = self._try(trace, tuple(skipped))
                if not isinstance(energy, Missing):
                    return energy
                skipped.append(energy)
        return _lost(skipped) or self._nothing_left(skipped)

    def _nothing_left(self, skipped: Sequence[Missing]) -> Missing:
        if not skipped:
            names = ", ".join(trace.source.name for trace in self.traces)
            return Missing("no_source", f"There is no {self.bench.plan.source} here, only {names}.")
        sentences = dict.fromkeys(reason.message for reason in skipped)
        return Missing(skipped[0].missing, " ".join((*sentences, "Nothing is left to read.")))

    def _try(self, trace: OptionalTrace, skipped: tuple[Missing, ...]) -> Known[Energy]:
        try:
            probe = self.bench.probe(trace.source)
            if trace.source.unit == "J" and probe.changes < 2:
                return STILL
            return self._energy(trace, tick_s(trace, probe), skipped)
        except SourceFailed as failure:
            return failure.missing

    def _energy(self, trace: OptionalTrace, tick: Known[float], skipped: tuple[Missing, ...]) -> Known[Energy]:
        window_plan = self._window_plan(trace.source, ASSUMED_TICK_S if isinstance(tick, Missing) else tick)
        tried = [self._trial(window_plan) for _ in range(self.bench.plan.trials)]
        taken = [trial for trial in tried if not isinstance(trial, Missing)]
        invalid = [trial for trial in tried if isinstance(trial, Missing)]
        if not taken:
            return invalid[0]
        cross = _cross_check([trial.part for trial in taken])
        return Energy(
            source=trace.source.name,
            skipped=skipped,
            tick_s=tick,
            averaging_s=_averaging(trace.source),
            batch=self.load.batch,
            trials=tuple(self._record(trial) for trial in taken),
            idle_w=self._idle_w(trace, window_plan.tick_s),
            sensor_relative=trace.source.relative_error,
            cross_check_j_per_j=cross,
            paper=self._paper() if self.bench.plan.paper else None,
            flags=tuple(dict.fromkeys((*(reason.missing for reason in invalid), *self._flags(window_plan, cross)))),
        )

    def _window_plan(self, source: PowerSource, tick_s: float) -> WindowPlan:
        plan = self.bench.plan
        if source.unit == "J":
            window_s = max(plan.window_s, min(plan.min_ticks * tick_s, plan.longest_window_s))
        else:
            window_s = max(plan.window_s, WINDOW_AVERAGES * averaging_s(source))
        shifts = SHIFTS if self._looks_away(source) else 1
        return WindowPlan(source, tick_s, window_s, shifts, self._sensor() if source.name == "counter" else None)

    def _looks_away(self, source: PowerSource) -> bool:
        """Whether a sensor that sees only part of the time may see always the same part of a run (aliasing)."""
        waits = self.load.launch_bound is None or self.load.launch_bound > 0.1
        partial = (source.averaging_s or 0) < (source.period_s or 0)
        return partial and waits and 0.005 <= self.bench.steady.run_s <= 0.4

    def _flags(self, window_plan: WindowPlan, cross: Known[float]) -> Sequence[Flag]:
        flags: list[Flag] = []
        if window_plan.shifts > 1:
            flags.append("phase_shifted")
            # The shifts leave up to 3 % at runs of 100 ms and 7 % at 250 ms, by simulation.
            flags += ["aliasing_risk"] if self.bench.steady.run_s > 0.05 else []
        if not isinstance(cross, Missing) and abs(cross - 1) > DISAGREE:
            flags.append("sources_disagree")
        return flags

    def _sensor(self, *, slowest: bool = False) -> PowerSource | None:
        sensors = [trace.source for trace in self.traces if trace.source.unit == "W" and trace.failure is None]
        return sensors[-1 if slowest else 0] if sensors else None

    def _trial(self, window_plan: WindowPlan) -> Known[_Trial]:
        self.watch.poll()
        before_c = self.meter.temperature_c()
        part = self.bench.window(window_plan)
        after_c = self.meter.temperature_c()
        self.watch.poll()
        if isinstance(part, Missing):
            return part
        return _Trial(part, _pair(before_c, after_c))

    def _record(self, trial: _Trial) -> EnergyTrial:
        window = trial.part.window
        run_s = trial.part.span_s / (trial.part.runs * self.load.calls)
        return EnergyTrial(window.window_j, window.window_s, run_s, window.ticks, window.edge_j, trial.temperature_c)

    def _idle_w(self, trace: OptionalTrace, tick_s: float) -> Known[float]:
        seen = self.watch.verdict()
        others = seen.other_processes if isinstance(seen, records.Watch) else 0
        if not isinstance(others, Missing) and others > 0:
            return Missing("shared_gpu", f"Idle power is not told: {others} other processes use the device.")
        return idle_w(trace, tick_s, self.bench.plan.idle_skip_s)

    def _paper(self) -> Known[PaperEnergy]:
        sensor = self._sensor(slowest=True)  # nvidia-smi's
        if sensor is None:
            return Missing("no_power_sensor", "The paper's protocol needs a power sensor, and none answers.")
        trace, steady, clock = Trace(sensor, self.meter.clock), self.bench.steady, self.meter.clock
        steady.drain()
        begun_s, runs = clock.now_s(), steady.runs
        try:
            self.bench.run_for(self.bench.plan.window_s, Poller(clock, (trace,), PAPER_EVERY_S))
        except SourceFailed as failure:
            return failure.missing
        steady.drain()
        run_s = (clock.now_s() - begun_s) / ((steady.runs - runs) * self.load.calls)
        return PaperEnergy(sensor.name, tuple(reading.value for reading in trace.readings), run_s, self.load.batch)


def _lost(reasons: Sequence[Missing]) -> Missing | None:
    return next((reason for reason in reasons if reason.missing == LOST), None)


def _pair(before: Known[float], after: Known[float]) -> Known[tuple[float, float]]:
    if isinstance(before, Missing):
        return before
    return after if isinstance(after, Missing) else (before, after)


def _averaging(source: PowerSource) -> Known[float]:
    if source.unit == "J":
        return Missing("integrated", "A counter integrates; what it looks at in between is not documented.")
    if source.averaging_s is None:
        return Missing("unknown_sensor", "What this card's sensor averages is not known.")
    return source.averaging_s


def _cross_check(parts: Sequence[WindowPart]) -> Known[float]:
    others_j = other_j(parts)
    return others_j if isinstance(others_j, Missing) else sum(part.window.window_j for part in parts) / others_j
