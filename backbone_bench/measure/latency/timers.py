"""Three ways to time a step; each takes a number of samples in a row and nothing else happens meanwhile."""

import math
import statistics
from typing import NamedTuple, Protocol

from backbone_bench.base.errors import first_line
from backbone_bench.measure.protocols import CaptureFailed, Device, Event, EventsFailed, Step
from backbone_bench.records import Flag, Missing


class Timer(Protocol):
    """Times a step."""

    calls_per_sample: int

    def take(self, count: int) -> list[float]:
        """So many samples, each the seconds of one call, in order."""


class Wall:
    """What a caller waits: launch, work, and the wake-up after it."""

    calls_per_sample = 1

    def __init__(self, step: Step, device: Device, *, cold: bool = False) -> None:
        self.step, self.device, self.cold = step, device, cold

    def take(self, count: int) -> list[float]:
        step, synchronize, now_s = self.step, self.device.synchronize, self.device.now_s
        samples_s = []
        for _ in range(count):
            if self.cold:
                self.device.flush_cache()
                synchronize()
            start_s = now_s()
            step()
            synchronize()
            samples_s.append(now_s() - start_s)
        return samples_s


class Pairs:
    """Device time: an event before and after each call, read when the device has passed them all.

    The host waits for the call `depth` back, so that it runs ahead of the
    device, and by no more than that. Where it cannot run ahead, the device
    waits between the two events and that counts: the step is launch-bound.
    """

    def __init__(self, step: Step, device: Device, depth: int, *, cold: bool = False, calls: int = 1) -> None:
        self.step, self.device, self.depth, self.cold = step, device, depth, cold
        self.calls_per_sample = calls
        self._events: list[tuple[Event, Event]] = []

    def take(self, count: int) -> list[float]:
        while len(self._events) < count:
            self._events.append((self.device.event(), self.device.event()))
        pairs = self._events[:count]
        for place, (start, end) in enumerate(pairs):
            if place >= self.depth:
                pairs[place - self.depth][1].wait()
            if self.cold:
                self.device.flush_cache()
            start.record()
            self.step()
            end.record()
        self.device.synchronize()
        return _believed([end.elapsed_s_since(start) / self.calls_per_sample for start, end in pairs])


def _believed(samples_s: list[float]) -> list[float]:
    """Raise EventsFailed for a clock that stands still or runs backwards."""
    if min(samples_s) < 0:
        raise EventsFailed(Missing("events_backwards", "an event of the device came before an earlier one"))
    if max(samples_s) == 0:
        raise EventsFailed(Missing("events_read_zero", f"{len(samples_s)} pairs of the device's events all read 0 s"))
    return samples_s


SHORTEST_S = 50e-6  # events resolve about 0.5 µs: 1 % of this


class Replay(NamedTuple):
    """A captured step that can be timed."""

    timer: Pairs
    first_calls_s: tuple[float, float]  # the capture, and the first replay
    flags: tuple[Flag, ...]


def replay(step: Step, device: Device, depth: int, *, cold: bool) -> Replay:
    """Capture a step into a graph and prepare to time its replays; raise CaptureFailed or EventsFailed.

    A graph shorter than 50 µs is captured again with as many calls as fill that.
    """
    start_s = device.now_s()
    run = device.capture(step)
    device.synchronize()
    captured_s = device.now_s()
    output = run()
    device.synchronize()
    first_calls_s = captured_s - start_s, device.now_s() - captured_s
    flags = _check(step, device, output)
    timer = Pairs(run, device, depth, cold=cold)
    if first_calls_s[1] < SHORTEST_S * 100:
        timer = _lengthened(step, timer)
    return Replay(timer, first_calls_s, flags)


def _lengthened(step: Step, once: Pairs) -> Pairs:
    """The same timer, or one that replays as many calls together as fill 50 µs."""
    once_s = statistics.median(once.take(10))
    if once_s >= SHORTEST_S:
        return once
    if once.cold:
        reason = f"a replay of {once_s * 1e6:.1f} µs is too short to time alone, and of several only one is cold"
        raise CaptureFailed(Missing("cold_graph", reason))
    calls = math.ceil(SHORTEST_S / max(once_s, SHORTEST_S / 1000))
    return Pairs(once.device.capture(_repeat(step, calls)), once.device, once.depth, calls=calls)


def _check(step: Step, device: Device, replayed: object) -> tuple[Flag, ...]:
    """Raise CaptureFailed where the graph computes something else than the step does.

    A step that does not agree with itself (dropout) cannot be compared, and is flagged.
    """
    try:
        eager = step()
        alike = device.agree(eager, replayed)
        repeatable = alike or device.agree(eager, step())
    except RuntimeError as error:  # a compiler's own graphs take back what an earlier call has returned
        reason = f"the graph's output cannot be held against that of an eager call: {first_line(error)}"
        raise CaptureFailed(Missing("graph_unchecked", reason)) from None
    if repeatable and not alike:
        raise CaptureFailed(Missing("graph_differs", "the graph's output is not that of the same call run eagerly"))
    return () if alike else ("output_not_repeatable",)


def _repeat(step: Step, calls: int) -> Step:
    def several() -> object:
        output: object = None
        for _ in range(calls):
            output = step()
        return output

    return several
