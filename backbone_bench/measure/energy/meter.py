"""Energy meter: idle power first, then windows under a steady load, by the best source that gives readings.

If a source fails, its reason is kept and the next source is tried; if none is left,
the energy is Missing. Nothing here runs while latency is timed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench import records
from backbone_bench.measure.energy.idle import idle_w, poll_idle
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
    second_j,
    tick_s,
)
from backbone_bench.measure.protocols import Device, PowerSource, SourceFailed, Watcher
from backbone_bench.records import Energy, EnergyTrial, Flag, Known, Missing, PaperEnergy

LOST = "gpu_lost"  # the other sources fail as well
DISAGREE = 0.05  # relative difference of a counter and the integral of a sensor
WINDOW_AVERAGES = 10  # length of a window in averaging times of its sensor
PAPER_EVERY_S = 0.1


def measure(load: Load, device: Device, meter: Meter, plan: EnergyPlan, watch: Watcher) -> Known[Energy]:
    """Measure the energy of `load`, run back to back on `device`. Missing if no source gives it."""
    device.synchronize()
    watch.poll()
    traces = poll_idle(meter.sources, meter.clock, plan)
    energy_run = EnergyRun(Steady(load, device, meter.clock, plan.queue_depth), meter.clock, plan)
    return _SourceFallback(load, energy_run, meter, watch, traces).measure()


class _Trial(NamedTuple):
    part: WindowPart
    temperature_c: Known[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _SourceFallback:
    load: Load
    energy_run: EnergyRun
    meter: Meter
    watch: Watcher
    traces: tuple[OptionalTrace, ...]  # of every source, while the device is idle

    def measure(self) -> Known[Energy]:
        """Energy by the first source that gives it."""
        chosen = [trace for trace in self.traces if self.energy_run.plan.source in ("auto", trace.source.name)]
        skipped = [trace.failure for trace in chosen if trace.failure is not None]
        if len(skipped) < len(chosen):
            self.energy_run.warm_up()
        for trace in chosen:
            if trace.failure is None and not _lost(skipped):
                energy = self._try(trace, tuple(skipped))
                if not isinstance(energy, Missing):
                    return energy
                skipped.append(energy)
        return _lost(skipped) or self._no_source_left(skipped)

    def _no_source_left(self, skipped: Sequence[Missing]) -> Missing:
        if not skipped:
            names = ", ".join(trace.source.name for trace in self.traces)
            return Missing(
                "no_source", f"There is no source {self.energy_run.plan.source} here: use --energy-source with {names}."
            )
        sentences = dict.fromkeys(reason.message for reason in skipped)
        return Missing(skipped[0].missing, " ".join((*sentences, "No other power source is left.")))

    def _try(self, trace: OptionalTrace, skipped: tuple[Missing, ...]) -> Known[Energy]:
        try:
            probe = self.energy_run.probe(trace.source)
            if trace.source.unit == "J" and probe.changes < 2:
                return STILL
            return self._energy(trace, tick_s(trace, probe), skipped)
        except SourceFailed as failure:
            return failure.missing

    def _energy(self, trace: OptionalTrace, tick: Known[float], skipped: tuple[Missing, ...]) -> Known[Energy]:
        window_plan = self._window_plan(trace.source, ASSUMED_TICK_S if isinstance(tick, Missing) else tick)
        tried = [self._trial(window_plan) for _ in range(self.energy_run.plan.trials)]
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
            paper=self._paper() if self.energy_run.plan.paper else None,
            flags=tuple(dict.fromkeys((*(reason.missing for reason in invalid), *self._flags(window_plan, cross)))),
        )

    def _window_plan(self, source: PowerSource, tick_s: float) -> WindowPlan:
        plan = self.energy_run.plan
        if source.unit == "J":
            window_s = max(plan.window_s, min(plan.min_ticks * tick_s, plan.longest_window_s))
        else:
            window_s = max(plan.window_s, WINDOW_AVERAGES * averaging_s(source))
        shifts = SHIFTS if self._can_alias(source) else 1
        return WindowPlan(source, tick_s, window_s, shifts, self._sensor() if source.name == "counter" else None)

    def _can_alias(self, source: PowerSource) -> bool:
        """Whether a sensor that samples part of the time may always sample the same part of a run (aliasing)."""
        has_gaps = self.load.launch_bound is None or self.load.launch_bound > 0.1
        partial = (source.averaging_s or 0) < (source.period_s or 0)
        return partial and has_gaps and 0.005 <= self.energy_run.steady.run_s <= 0.4

    def _flags(self, window_plan: WindowPlan, cross: Known[float]) -> Sequence[Flag]:
        flags: list[Flag] = []
        if window_plan.shifts > 1:
            flags.append("phase_shifted")
            # In simulation the error after shifting is up to 3 % for runs of 100 ms and 7 % for 250 ms.
            flags += ["aliasing_risk"] if self.energy_run.steady.run_s > 0.05 else []
        if not isinstance(cross, Missing) and abs(cross - 1) > DISAGREE:
            flags.append("sources_disagree")
        return flags

    def _sensor(self, *, slowest: bool = False) -> PowerSource | None:
        sensors = [trace.source for trace in self.traces if trace.source.unit == "W" and trace.failure is None]
        return sensors[-1 if slowest else 0] if sensors else None

    def _trial(self, window_plan: WindowPlan) -> Known[_Trial]:
        self.watch.poll()
        before_c = self.meter.temperature_c()
        part = self.energy_run.window(window_plan)
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
        watched = self.watch.verdict()
        others = watched.other_processes if isinstance(watched, records.Watch) else 0
        if not isinstance(others, Missing) and others > 0:
            return Missing("shared_gpu", f"Idle power was not measured: {others} other processes use the device.")
        return idle_w(trace, tick_s, self.energy_run.plan.idle_skip_s)

    def _paper(self) -> Known[PaperEnergy]:
        sensor = self._sensor(slowest=True)  # the source that nvidia-smi shows
        if sensor is None:
            return Missing("no_power_sensor", "The paper's protocol needs a power sensor, and none gives a reading.")
        trace, steady, clock = Trace(sensor, self.meter.clock), self.energy_run.steady, self.meter.clock
        steady.drain()
        begun_s, runs = clock.now_s(), steady.runs
        try:
            self.energy_run.run_for(self.energy_run.plan.window_s, Poller(clock, (trace,), PAPER_EVERY_S))
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
        return Missing("integrated", "A counter integrates power; how it samples in between is not documented.")
    if source.averaging_s is None:
        return Missing("unknown_sensor", "The averaging time of this sensor is not known.")
    return source.averaging_s


def _cross_check(parts: Sequence[WindowPart]) -> Known[float]:
    reference_j = second_j(parts)
    if isinstance(reference_j, Missing):
        return reference_j
    return sum(part.window.window_j for part in parts) / reference_j
