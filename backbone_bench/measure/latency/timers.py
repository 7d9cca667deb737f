"""Timers of a step: wall time, device time by events, and graph replay. Nothing else runs while samples are taken.

Events around an eager call read the host's time where the host launches more slowly than the device works. So the
device is held first, until all launches of the call wait in its queue (`FilledQueue`); where that is not possible,
`Pairs` takes the events of an eager call, and the latency says so.
"""

import math
import statistics
from collections import deque
from typing import NamedTuple, Protocol

from backbone_bench.base.errors import first_line
from backbone_bench.measure.protocols import CaptureFailed, Device, Event, EventsFailed, HoldFailed, Step
from backbone_bench.records import Flag, Missing


class Timer(Protocol):
    """Timer of a step."""

    calls_per_sample: int

    def take(self, count: int) -> list[float]:
        """Take `count` samples in order, each the seconds of one call."""


class Wall:
    """Wall time of a call: launch, work, and wake-up of the host."""

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
    """Device time of a call: one event before and one after it, read after the device has reached all of them.

    Before each launch the host waits for the call that is `depth` calls older, so
    it runs ahead of the device by at most `depth` calls. If the host is too slow to
    run ahead, the device waits between the two events and this time counts. A
    replayed graph is one launch, so the host always runs ahead of it.
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
        return _checked([end.elapsed_s_since(start) / self.calls_per_sample for start, end in pairs])


def _checked(samples_s: list[float]) -> list[float]:
    """The samples. Raises EventsFailed if the device's clock stands still or runs backwards."""
    if min(samples_s) < 0:
        raise EventsFailed(Missing("events_backwards", "the time of a device event is before that of an earlier event"))
    if max(samples_s) == 0:
        raise EventsFailed(Missing("events_read_zero", f"all {len(samples_s)} pairs of device events read 0 s"))
    return samples_s


class FilledQueue:
    """Device time of a call whose launches all wait in the queue before the first of them runs.

    The device is held by other work, which ends by itself, while the host launches the call between two events. A
    sample counts only if the device had not reached the first event when the last launch was made. Else the hold was
    too short, and the call is taken again with a longer one.
    """

    calls_per_sample = 1

    def __init__(self, step: Step, device: Device, *, cold: bool = False) -> None:
        self.step, self.device, self.cold = step, device, cold
        self._launched_s: deque[float] = deque(maxlen=_RECENT)  # time of the launches of the last calls

    def take(self, count: int) -> list[float]:
        """Take the samples. Raises HoldFailed if a call runs before all of it is launched, however long the hold."""
        start, end = self.device.event(), self.device.event()
        return _checked([self._sample(start, end) for _ in range(count)])

    def _sample(self, start: Event, end: Event) -> float:
        hold_s = 0.0
        for stretch in _STRETCHES:
            hold_s = self._hold_s(stretch)
            self.device.hold(hold_s)
            if self.cold:
                self.device.flush_cache()
            begun_s = self.device.now_s()
            start.record()
            self.step()
            end.record()
            is_filled = not start.done()
            took_s = self.device.now_s() - begun_s
            # A launch that ended too late may have waited for the end of the hold.
            self._launched_s.append(took_s if is_filled else max(0.0, took_s - hold_s))
            end.wait()
            if is_filled:
                return end.elapsed_s_since(start)
        raise HoldFailed(Missing("not_all_waited", _NOT_ALL_WAITED.format(1e3 * hold_s)))

    def _hold_s(self, stretch: int) -> float:
        usual_s = statistics.median(self._launched_s) if self._launched_s else 0.0
        return min(max(stretch * usual_s, _SHORTEST_HOLD_S), _LONGEST_HOLD_S)


_NOT_ALL_WAITED = (
    "the device began the call before all of it was launched, also behind a hold of {:.1f} ms: the call waits for the "
    "device (it reads a value back), or launches more than the device's queue takes"
)
# Holds tried in turn, in times of a usual launch of the whole call: the host is now and then interrupted.
_STRETCHES = (2, 4, 8, 16, 32)
_RECENT = 21  # launches of which the median is the usual one
_SHORTEST_HOLD_S, _LONGEST_HOLD_S = 200e-6, 1.0  # systems end a kernel of some seconds where the GPU draws a desktop


def filled_queue(step: Step, device: Device, *, launches: int | None = None, cold: bool = False) -> FilledQueue:
    """Prepare a timer of the device's work behind a filled queue, and try it. Raises HoldFailed or EventsFailed.

    `launches` is the number of launches of a call, if it is known: no more than the device's queue may be filled.
    """
    if launches is not None and device.launch_queue is not None and launches > device.launch_queue:
        reason = f"the call launches {launches} operations, and about {device.launch_queue} wait in the device's queue"
        raise HoldFailed(Missing("too_many_launches", reason))
    timer = FilledQueue(step, device, cold=cold)
    timer.take(1)
    return timer


SHORTEST_S = 50e-6  # the resolution of events, about 0.5 µs, is 1 % of this


class Replay(NamedTuple):
    """A captured step with its timer."""

    timer: Pairs
    first_calls_s: tuple[float, float]  # the capture and the first replay
    flags: tuple[Flag, ...]


def replay(step: Step, device: Device, depth: int, *, cold: bool) -> Replay:
    """Capture a step as a graph and prepare a timer of its replays. Raises CaptureFailed or EventsFailed.

    A graph shorter than 50 µs is captured again with enough calls to fill 50 µs.
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
    """The same timer, or one that replays enough calls together to fill 50 µs."""
    once_s = statistics.median(once.take(10))
    if once_s >= SHORTEST_S:
        return once
    if once.cold:
        reason = f"a replay of {once_s * 1e6:.1f} µs is too short to time alone, and only the first of several is cold"
        raise CaptureFailed(Missing("cold_graph", reason))
    calls = math.ceil(SHORTEST_S / max(once_s, SHORTEST_S / 1000))
    return Pairs(once.device.capture(_repeat(step, calls)), once.device, once.depth, calls=calls)


def _check(step: Step, device: Device, replayed: object) -> tuple[Flag, ...]:
    """Compare the graph's output with an eager call. Raises CaptureFailed if they differ.

    A step whose own outputs differ from call to call (dropout) cannot be compared: it is flagged.
    """
    try:
        eager = step()
        same = device.agree(eager, replayed)
        repeatable = same or device.agree(eager, step())
    except RuntimeError as error:  # graphs of a compiler overwrite the output of an earlier call
        reason = f"the graph's output cannot be compared with that of an eager call: {first_line(error)}"
        raise CaptureFailed(Missing("graph_unchecked", reason)) from None
    if repeatable and not same:
        raise CaptureFailed(
            Missing("graph_differs", "the graph's output differs from that of the same call run eagerly")
        )
    return () if same else ("output_not_repeatable",)


def _repeat(step: Step, calls: int) -> Step:
    def repeated() -> object:
        output: object = None
        for _ in range(calls):
            output = step()
        return output

    return repeated
