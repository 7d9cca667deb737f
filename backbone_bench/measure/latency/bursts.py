"""Latency in bursts: a few calls at a time while other processes wait, and the latencies that the bursts gave.

The turns between processes are the caller's; here is one process. The garbage collector is off meanwhile.
"""

import resource
import statistics
import time
from collections.abc import Mapping
from typing import NamedTuple

from backbone_bench.base.choices import LatencyMode
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.measure.latency.meter import (
    MeasuredLatency,
    ReadyTimer,
    device_timer,
    peak_memory,
    rounded,
    start,
    warm_up,
)
from backbone_bench.measure.latency.plan import FULL, LatencyPlan
from backbone_bench.measure.latency.timers import Pairs, Wall, replay
from backbone_bench.measure.protocols import CaptureFailed, Device, EventsFailed, Step, Watcher
from backbone_bench.records import Known, Latencies, Latency, Missing, WarmUp

_OTHERS = Missing("in_turns", "the other processes of the round use the same cores in turn")
_NOT_IN_TURNS = "{} latency is not taken in turns: {}"


class BurstTaken(NamedTuple):
    """One burst: when it began, the mean of its samples by mode, and what the host did meanwhile."""

    start_s: float
    call_s: Mapping[LatencyMode, float]
    discarded_s: tuple[float, ...]
    cpu_s: float  # of the calling thread for one call of the first mode
    minor_faults: int
    preempted: int


class Bursts:
    """The bursts of one step on one device. It is warm when this object is made."""

    def __init__(
        self, step: Step, device: Device, watch: Watcher, plan: LatencyPlan, on_progress: ProgressCallback
    ) -> None:
        self._step, self._device, self._watch = step, device, watch
        first_calls_s, self._flags = start(step, device, watch, plan, on_progress)
        wall = ReadyTimer(Wall(step, device, cold=plan.cold), first_calls_s)
        self._memory = peak_memory(step, device)
        self._graph: Pairs | None = None
        self._lacking: dict[LatencyMode, Missing] = {}
        self._timers: dict[LatencyMode, ReadyTimer] = {"wall": wall, **self._work(plan)}
        self._warm_ups: dict[LatencyMode, WarmUp] = {}
        self.call_s: dict[LatencyMode, float] = {}  # about the seconds of a call, by mode
        for mode, ready in self._timers.items():
            on_progress(f"{mode}: warming up", 0)
            self._warm_ups[mode] = warm_up(ready.timer, device, plan.warm_up_rule, lambda share: None)
            self.call_s[mode] = statistics.median(ready.timer.take(3))
        self._samples_s: dict[LatencyMode, list[float]] = {mode: [] for mode in self._timers}
        self._per_burst: Mapping[LatencyMode, int] = {}
        self._allocations = device.allocations()
        watch.poll()

    def _work(self, plan: LatencyPlan) -> dict[LatencyMode, ReadyTimer]:
        """The timer of the device's own work: of its graph, else behind a filled queue. None on a CPU."""
        try:
            captured = replay(self._step, self._device, plan.queue_depth, cold=plan.cold)
        except (CaptureFailed, EventsFailed) as failed:
            self._lacking["graph"] = failed.missing
        else:
            self._graph = captured.timer
            why = _NOT_IN_TURNS.format("device", "that of the graph is the device's work")
            self._lacking["device"] = Missing("in_turns", why)
            return {"graph": ReadyTimer(captured.timer, captured.first_calls_s, captured.flags)}
        try:
            return {"device": device_timer(self._step, self._device, plan)}
        except EventsFailed as failed:
            self._lacking["device"] = failed.missing
            return {}

    def take(self, calls: Mapping[LatencyMode, int], discard: int, *, kept: bool = True) -> BurstTaken:
        """Make calls in each mode, `discard` of them before the samples; a burst that is not kept leaves no samples."""
        discarded_s: list[float] = []
        call_s: dict[LatencyMode, float] = {}
        cpu_s, before, start_s = 0.0, resource.getrusage(resource.RUSAGE_SELF), self._device.now_s()
        for mode, count in calls.items():
            timer = self._timers[mode].timer
            if discard:
                discarded_s += timer.take(discard)
            thread_s = time.thread_time()
            samples_s = timer.take(count)
            if mode == "wall":
                cpu_s = (time.thread_time() - thread_s) / count
            call_s[mode] = statistics.fmean(samples_s)
            if kept:
                self._samples_s[mode] += samples_s
        after = resource.getrusage(resource.RUSAGE_SELF)
        if kept:
            self._per_burst = calls
        return BurstTaken(
            start_s,
            call_s,
            rounded(discarded_s),
            cpu_s,
            after.ru_minflt - before.ru_minflt,
            after.ru_nivcsw - before.ru_nivcsw,
        )

    def finish(self) -> MeasuredLatency:
        """Everything that the bursts gave. At least one burst was kept."""
        self._watch.poll()
        latency = Latencies(*(self._latency(mode) for mode in ("wall", "device", "graph")))
        graph = self._graph
        fastest = graph.step if graph else self._step
        return MeasuredLatency(latency, self._memory, self._flags, fastest, graph.calls_per_sample if graph else 1)

    def _latency(self, mode: LatencyMode) -> Known[Latency]:
        if mode not in self._timers:
            return self._lacking[mode]
        ready, samples_s = self._timers[mode], self._samples_s[mode]
        is_narrow = FULL.stopping_rule.narrow(samples_s, ready.timer.calls_per_sample)
        allocated = self._device.allocations() > self._allocations
        return Latency(
            samples_s=rounded(samples_s),
            first_calls_s=ready.first_calls_s,
            warmup=self._warm_ups[mode],
            status="converged" if is_narrow else "timeout",
            host_load=_OTHERS,
            calls_per_sample=ready.timer.calls_per_sample,
            flags=(*ready.flags, *(("allocator_active",) if allocated else ())),
            method=ready.method,
            not_filled=ready.not_filled,
            per_burst=self._per_burst[mode],
        )
