"""The latency meter: first calls, then warm-up, sampling and polls of the watcher for each mode.

The loops are here, the rules that end them are in `rules`, the timers in `timers`.
Nothing is printed and no sample is dropped.
"""

import gc
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from backbone_bench.base import collector
from backbone_bench.base.choices import DeviceMethod, LatencyMode
from backbone_bench.base.progress import ProgressCallback, silent
from backbone_bench.measure.latency import rules
from backbone_bench.measure.latency.cooling import Cooler
from backbone_bench.measure.latency.plan import FULL, LatencyPlan
from backbone_bench.measure.latency.timers import Pairs, Timer, Wall, filled_queue, replay
from backbone_bench.measure.protocols import (
    CaptureFailed,
    Clock,
    ClockFailed,
    Device,
    EventsFailed,
    HoldFailed,
    Step,
    Watcher,
)
from backbone_bench.records import (
    CLOCK_TOO_COARSE,
    NOT_REQUESTED,
    Flag,
    Known,
    Latencies,
    Latency,
    Memory,
    Missing,
    WarmUp,
)


class MeasuredLatency(NamedTuple):
    """Result of the latency meter, with the fastest way to run the step on this device."""

    latency: Latencies
    memory: Memory
    flags: tuple[Flag, ...]
    fastest: Step  # replay of the graph if there is one, else the step itself
    calls: int  # calls of the step in one run of `fastest`


def measure(  # noqa: PLR0913  # what is measured, how, and who watches
    step: Step,
    device: Device,
    watch: Watcher,
    plan: LatencyPlan = FULL,
    on_progress: ProgressCallback = silent,
    clock: Clock | None = None,
) -> MeasuredLatency:
    """Time a step in every mode of the plan.

    A mode that the device lacks is Missing with its reason. Errors of the step
    itself are not caught. The garbage collector is off meanwhile. Raises
    CouldNotMeasure if the plan waits for a cool card and the device does not
    say when it is too hot; `clock` is the one that waits (the host's if None).
    """
    gc.collect()
    with collector.gc_disabled():
        return _Session(step, device, watch, plan, on_progress, clock).run()


def warm_up(timer: Timer, device: Device, rule: rules.WarmUpRule, on_progress: Callable[[float], None]) -> WarmUp:
    """Run until the rule ends the warm-up: steady state, or time limit."""
    start_s = last_s = device.now_s()
    blocks: list[rules.WarmUpBlock] = []
    calls, status = 1, None
    while status is None:
        median_s = statistics.median(timer.take(calls))
        now_s = device.now_s()
        blocks.append(rules.WarmUpBlock(median_s, calls, device.allocations()))
        calls = rule.next_block(calls, now_s - last_s)
        status = rule.verdict(blocks, now_s - start_s)
        on_progress(min(1.0, (now_s - start_s) / rule.max_s))
        last_s = device.now_s()
    return WarmUp(status, last_s - start_s, timer.calls_per_sample * sum(block.calls for block in blocks))


def sample(
    timer: Timer,
    device: Device,
    rule: rules.StoppingRule,
    on_progress: Callable[[float], None],
    cooler: Cooler | None = None,
) -> tuple[list[float], rules.Status]:
    """Take samples in batches until the stopping rule ends the sampling; it is checked after each batch."""
    start_s, cooled_s = device.now_s(), cooler.spent_s if cooler else 0.0
    samples_s: list[float] = []
    status: rules.Status | None = None
    batch, narrow_checks = 1, 0
    while status is None:
        samples_s += cooler.take(timer, batch) if cooler else timer.take(batch)
        spent_s = device.now_s() - start_s - (cooler.spent_s - cooled_s if cooler else 0.0)
        narrow_checks = narrow_checks + 1 if rule.narrow(samples_s, timer.calls_per_sample) else 0
        status = rule.verdict(len(samples_s), spent_s, narrow_checks)
        batch = rule.next_batch(len(samples_s), spent_s)
        on_progress(min(1.0, spent_s / rule.max_s))
    return samples_s, status


class ReadyTimer(NamedTuple):
    """A timer of one mode that works, and what is known of it before it takes samples."""

    timer: Timer
    first_calls_s: tuple[float, ...] = ()
    flags: tuple[Flag, ...] = ()
    method: DeviceMethod | None = None
    not_filled: Missing | None = None


def start(
    step: Step, device: Device, watch: Watcher, plan: LatencyPlan, on_progress: ProgressCallback
) -> tuple[tuple[float, ...], tuple[Flag, ...]]:
    """Make the first calls: compilation, algorithm search, lazy loading. Returns their times, and flags of the output.

    From here on memory is that of the model.
    """
    start_s = device.now_s()
    watch.poll()
    if plan.cold:
        device.flush_cache()  # before the mark: its buffer is not the model's memory
    device.mark_memory()
    times_s: list[float] = []
    output: object = None
    while len(times_s) < plan.first_calls and not (times_s and plan.is_short(device.now_s() - start_s)):
        on_progress("first calls", len(times_s) / plan.first_calls)
        call_s = device.now_s()
        output = step()
        device.synchronize()
        times_s.append(device.now_s() - call_s)
    return tuple(times_s), () if device.finite(output) else ("nan_output",)


def peak_memory(step: Step, device: Device) -> Memory:
    """Peak memory of one call that follows others: the first ones need more, to search for algorithms."""
    device.reset_peak()
    step()
    device.synchronize()
    return device.memory()


def device_timer(step: Step, device: Device, plan: LatencyPlan) -> ReadyTimer:
    """Timer of device latency behind a filled queue; where the device cannot be held, by the events of eager calls."""
    try:
        filled = filled_queue(step, device, launches=plan.launches, cold=plan.cold)
    except HoldFailed as failed:
        return _eager_timer(step, device, plan, failed)
    return ReadyTimer(filled, method="filled_queue")


def _eager_timer(step: Step, device: Device, plan: LatencyPlan, failed: HoldFailed) -> ReadyTimer:
    pairs = Pairs(step, device, plan.queue_depth, cold=plan.cold)
    return ReadyTimer(pairs, method="eager_events", not_filled=failed.missing)


class _Session:
    """Measurement of one step on one device: state that its modes share."""

    def __init__(  # noqa: PLR0913  # what is measured, how, and who watches
        self,
        step: Step,
        device: Device,
        watch: Watcher,
        plan: LatencyPlan,
        on_progress: ProgressCallback,
        clock: Clock | None = None,
    ) -> None:
        self.step, self.device, self.watch, self.plan, self.on_progress = step, device, watch, plan, on_progress
        self.start_s = device.now_s()
        self.cooler = None if plan.cool_s is None else Cooler(watch, plan.cool_s, clock)
        self.first_calls_s: tuple[float, ...] = ()
        self.fastest, self.calls = step, 1

    def run(self) -> MeasuredLatency:
        self.first_calls_s, flags = start(self.step, self.device, self.watch, self.plan, self.on_progress)
        wall = self._mode("wall")
        memory = peak_memory(self.step, self.device)
        latency = Latencies(wall, self._mode("device"), self._mode("graph"))
        return MeasuredLatency(latency, memory, flags, self.fastest, self.calls)

    def _mode(self, mode: LatencyMode) -> Known[Latency]:
        if mode not in self.plan.modes:
            return Missing(NOT_REQUESTED.missing, f"{mode} latency was not requested")
        try:
            match mode:
                case "wall":
                    wall = Wall(self.step, self.device, cold=self.plan.cold)
                    return self._latency(mode, ReadyTimer(wall, self.first_calls_s))
                case "device":
                    return self._device()
                case "graph":
                    return self._graph()
        except (EventsFailed, CaptureFailed, ClockFailed) as failed:
            return failed.missing

    def _device(self) -> Latency:
        try:
            return self._latency("device", device_timer(self.step, self.device, self.plan))
        except HoldFailed as failed:  # only while samples were taken
            return self._latency("device", _eager_timer(self.step, self.device, self.plan, failed))

    def _graph(self) -> Latency:
        self.on_progress("graph: capturing", 0)
        captured = replay(self.step, self.device, self.plan.queue_depth, cold=self.plan.cold)
        latency = self._latency("graph", ReadyTimer(captured.timer, captured.first_calls_s, captured.flags))
        self.fastest, self.calls = captured.timer.step, captured.timer.calls_per_sample
        return latency

    def _latency(self, mode: LatencyMode, ready: ReadyTimer) -> Latency:
        plan, device, timer = self._mode_plan(mode), self.device, ready.timer
        contention = _HostLoad(device)
        warm = warm_up(timer, device, plan.warm_up_rule, lambda share: self.on_progress(f"{mode}: warming up", share))
        self.watch.poll()
        allocations = device.allocations()
        cooler = self.cooler
        before = (cooler.repeated, cooler.spent_s) if cooler else (0, 0.0)
        samples_s, status = sample(
            timer, device, plan.stopping_rule, lambda share: self.on_progress(f"{mode}: sampling", share), cooler
        )
        if statistics.median(samples_s) == 0:
            raise ClockFailed(CLOCK_TOO_COARSE)
        allocated = device.allocations() > allocations
        self.watch.poll()
        host_load = contention.share()
        cooling = cooler.since(*before) if cooler else None
        found: dict[Flag, bool] = {
            "samples_repeated": cooling is not None and cooling.repeated > 0,
            "not_steady": warm.status == "not_steady",
            "warm_up_cut_short": warm.status == "cut_short",
            "allocator_active": allocated,
            "host_busy": not isinstance(host_load, Missing) and rules.cpu_contention(host_load),
        }
        return Latency(
            samples_s=rounded(samples_s),
            first_calls_s=ready.first_calls_s,
            warmup=warm,
            status="quick" if plan.quick else status,
            host_load=host_load,
            calls_per_sample=timer.calls_per_sample,
            flags=(*ready.flags, *(flag for flag, raised in found.items() if raised)),
            method=ready.method,
            not_filled=ready.not_filled,
            cooling=cooling,
        )

    def _mode_plan(self, mode: LatencyMode) -> LatencyPlan:
        """Plan of one mode. The rest of a budget is divided equally among the modes that are left."""
        if self.plan.budget_s is None:
            return self.plan
        modes = [each for each in self.device.modes if each in self.plan.modes]
        left = len(modes) - modes.index(mode) if mode in modes else 1
        left_s = self.plan.budget_s - (self.device.now_s() - self.start_s)
        # At least 0.01 s: the first calls may have used the whole budget, and one sample must still be taken.
        return self.plan.within(max(left_s, 0.01) / left)


def rounded(samples_s: Sequence[float]) -> tuple[float, ...]:
    """The samples to 0.1 ns, which is finer than any clock."""
    return tuple(round(sample_s, 10) for sample_s in samples_s)


class _HostLoad:
    """Share of this process's cores that other processes use from now on."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.start_s, self.others_s = device.now_s(), device.others_s()

    def share(self) -> Known[float]:
        others_s, spent_s = self.device.others_s(), self.device.now_s() - self.start_s
        if isinstance(self.others_s, Missing):
            return self.others_s
        if isinstance(others_s, Missing):
            return others_s
        return max(0.0, others_s - self.others_s) / spent_s if spent_s else CLOCK_TOO_COARSE
