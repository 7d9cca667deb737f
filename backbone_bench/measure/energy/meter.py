"""Energy meter: idle power first, then windows under a steady load, by the best source that gives readings.

If a source fails, its reason is kept and the next source is tried; if none is left,
the energy is Missing. Nothing here runs while latency is timed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from backbone_bench import records
from backbone_bench.measure.energy import trials
from backbone_bench.measure.energy.counting import STILL
from backbone_bench.measure.energy.idle import idle_w, poll_idle
from backbone_bench.measure.energy.load import Load, OptionalTrace, Poller, Steady, Trace
from backbone_bench.measure.energy.plan import EnergyPlan
from backbone_bench.measure.energy.sources import Meter
from backbone_bench.measure.energy.trials import Trial
from backbone_bench.measure.energy.windows import (
    ASSUMED_TICK_S,
    SHIFTS,
    Measurement,
    WindowPlan,
    averaging_s,
    tick_s,
)
from backbone_bench.measure.protocols import Device, PowerSource, SourceFailed, Watcher
from backbone_bench.records import Energy, Flag, Known, Missing, PaperEnergy

LOST = "gpu_lost"  # the other sources fail as well
WINDOW_AVERAGES = 10  # length of a window in averaging times of its sensor
WINDOW_SLACKS = 50  # least length of a window in times that its ends are uncertain by: 1 % for each end at worst
PAPER_EVERY_S = 0.1


def measure(load: Load, device: Device, meter: Meter, plan: EnergyPlan, watch: Watcher) -> Known[Energy]:
    """Measure the energy of `load` on `device`. Missing if no source gives it."""
    (energy,) = measure_each((load,), device, meter, plan, watch)
    return energy


def measure_each(
    loads: Sequence[Load], device: Device, meter: Meter, plan: EnergyPlan, watch: Watcher
) -> tuple[Known[Energy], ...]:
    """Measure the energy of several loads on `device`, after one measurement of its idle power."""
    device.synchronize()
    watch.poll()
    traces = poll_idle(meter.sources, meter.clock, plan)

    def of(load: Load) -> Known[Energy]:
        steady = Steady(load, device, meter.clock, plan.queue_depth)
        steady.reading_s = sum(max(trace.took_s(), default=0.0) for trace in traces)
        return _SourceFallback(load, Measurement(steady, meter.clock, plan), meter, watch, traces).measure()

    return tuple(of(load) for load in loads)


@dataclass(frozen=True, slots=True)
class _SourceFallback:
    load: Load
    measurement: Measurement
    meter: Meter
    watch: Watcher
    traces: tuple[OptionalTrace, ...]  # of every source, while the device is idle

    def measure(self) -> Known[Energy]:
        """Energy by the first source that gives it."""
        chosen = [trace for trace in self.traces if self.measurement.plan.source in ("auto", trace.source.name)]
        skipped = [trace.failure for trace in chosen if trace.failure is not None]
        if len(skipped) < len(chosen):
            self.measurement.warm_up()
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
                "no_source",
                f"There is no source {self.measurement.plan.source} here: use --energy-source with {names}.",
            )
        sentences = dict.fromkeys(reason.message for reason in skipped)
        return Missing(skipped[0].missing, " ".join((*sentences, "No other power source is left.")))

    def _try(self, trace: OptionalTrace, skipped: tuple[Missing, ...]) -> Known[Energy]:
        try:
            probe = self.measurement.probe(trace.source)
            if trace.source.unit == "J" and probe.changes < 2:
                return STILL
            return self._energy(trace, probe, skipped)
        except SourceFailed as failure:
            return failure.missing

    def _energy(self, trace: OptionalTrace, probe: Trace, skipped: tuple[Missing, ...]) -> Known[Energy]:
        tick = tick_s(trace, probe)
        window_plan = self._window_plan(probe, ASSUMED_TICK_S if isinstance(tick, Missing) else tick)
        tried = [self._trial(window_plan) for _ in range(self.measurement.plan.trials)]
        taken = [trial for trial in tried if not isinstance(trial, Missing)]
        invalid = [trial for trial in tried if isinstance(trial, Missing)]
        if not taken:
            return invalid[0]
        cross, idle = trials.cross_check(taken), self._idle_w(trace, window_plan.tick_s)
        flags = (*_flags_of_shifts(window_plan, self.measurement.steady.run_s), *trials.flags(taken, cross, idle))
        return Energy(
            source=trace.source.name,
            skipped=skipped,
            tick_s=tick,
            averaging_s=_averaging(trace.source),
            batch=self.load.batch,
            trials=tuple(trial.record(self.load.calls, idle) for trial in taken),
            idle_w=idle,
            sensor_relative=trace.source.relative_error,
            cross_check_j_per_j=cross,
            paper=self._paper() if self.measurement.plan.paper else None,
            flags=tuple(dict.fromkeys((*(reason.missing for reason in invalid), *flags))),
            mode=self.measurement.steady.mode,
            slowdown=trials.slowdown(taken),
        )

    def _window_plan(self, probe: Trace, tick_s: float) -> WindowPlan:
        plan, source = self.measurement.plan, probe.source
        ticking = self.measurement.ticking(probe, tick_s)
        if ticking is None:
            window_s = max(plan.window_s, WINDOW_AVERAGES * averaging_s(source))
        else:
            enough_s = max(plan.min_ticks * ticking.period_s, WINDOW_SLACKS * ticking.usual_slack_s)
            window_s = max(plan.window_s, min(enough_s, plan.longest_window_s))
        shifts = SHIFTS if self._can_alias(source) else 1
        second = next(iter(self._sensors()), None) if source.name == "counter" else None
        return WindowPlan(source, tick_s, ticking, window_s, shifts, second)

    def _can_alias(self, source: PowerSource) -> bool:
        """Whether a sensor that samples part of the time may always sample the same part of a run (aliasing)."""
        has_gaps = self.load.launch_bound is None or self.load.launch_bound > 0.1
        partial = (source.averaging_s or 0) < (source.period_s or 0)
        return partial and has_gaps and 0.005 <= self.measurement.steady.run_s <= 0.4

    def _sensors(self) -> list[PowerSource]:
        """Sensors that give a reading, best first."""
        return [trace.source for trace in self.traces if trace.source.unit == "W" and trace.failure is None]

    def _trial(self, window_plan: WindowPlan) -> Known[Trial]:
        undisturbed_s = self.measurement.undisturbed_run_s(self.measurement.plan.undisturbed_s)
        self.watch.poll()
        before_c = self.meter.temperature_c()
        self.meter.counters.begin()
        part = self.measurement.window(window_plan)
        activity = self.meter.counters.end()
        after_c = self.meter.temperature_c()
        self.watch.poll()
        if isinstance(part, Missing):
            return part
        return Trial(undisturbed_s, part, _pair(before_c, after_c), activity)

    def _idle_w(self, trace: OptionalTrace, tick_s: float) -> Known[float]:
        watched = self.watch.verdict()
        others = watched.other_processes if isinstance(watched, records.Watch) else 0
        if not isinstance(others, Missing) and others > 0:
            return Missing("shared_gpu", f"Idle power was not measured: {others} other processes use the device.")
        return idle_w(trace, tick_s, self.measurement.plan.idle_skip_s)

    def _paper(self) -> Known[PaperEnergy]:
        sensors = self._sensors()
        if not sensors:
            return Missing("no_power_sensor", "The paper's protocol needs a power sensor, and none gives a reading.")
        sensor = max(sensors, key=_averages_longest)
        trace, steady, clock = Trace(sensor, self.meter.clock), self.measurement.steady, self.meter.clock
        steady.drain()
        begun_s, runs = clock.now_s(), steady.runs
        try:
            self.measurement.run_for(self.measurement.plan.window_s, Poller(clock, (trace,), PAPER_EVERY_S))
        except SourceFailed as failure:
            return failure.missing
        steady.drain()
        run_s = (clock.now_s() - begun_s) / ((steady.runs - runs) * self.load.calls)
        return PaperEnergy(sensor.name, tuple(reading.value for reading in trace.readings), run_s, self.load.batch)


def _averages_longest(sensor: PowerSource) -> tuple[float, bool]:
    """Sort key of the sensor that nvidia-smi shows; its name decides where averaging times are equal or unknown."""
    return sensor.averaging_s or 0.0, sensor.name == "power_usage"


def _flags_of_shifts(window_plan: WindowPlan, run_s: float) -> Sequence[Flag]:
    if window_plan.shifts == 1:
        return ()
    # In simulation the error after shifting is up to 3 % for runs of 100 ms and 7 % for 250 ms.
    return ("phase_shifted", "aliasing_risk") if run_s > 0.05 else ("phase_shifted",)


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
