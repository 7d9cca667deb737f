"""A steady load: runs back to back, with the power sources polled in between.

The launching thread takes the readings too, so that no second thread competes for
the interpreter. A queue of launched runs keeps the device busy meanwhile.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backbone_bench.measure.energy.integrate import Reading
from backbone_bench.measure.protocols import Clock, Device, Event, EventsFailed, PowerSource, SourceFailed, Step
from backbone_bench.records import Missing

SLOW_READ_S, READ_TRIES = 0.005, 3  # the time of a slower reading is too uncertain
COARSEST_S = 0.025  # poll period while no tick has to be caught
QUEUE_S, LONGEST_QUEUE = 0.002, 256  # short runs get a deeper queue, so that the device has work during a reading


@dataclass(frozen=True, slots=True)
class Load:
    """The work that runs during a window."""

    step: Step
    batch: int
    launch_bound: float | None = None  # share of a run that the device waits for the host: 0 for a replayed graph
    calls: int = 1  # calls of the model in one step: the graph of a short model holds several


@dataclass(slots=True)
class Trace:
    """Trace of one source: its readings in order, duplicates included."""

    source: PowerSource
    clock: Clock
    readings: list[Reading] = field(default_factory=list)
    changes: int = 0

    def read(self) -> None:
        """Take one reading, and repeat a slow one. Raises SourceFailed if the source gives no reading."""
        for _ in range(READ_TRIES):
            begun_s = self.clock.now_s()
            value = self.source.read()
            ended_s = self.clock.now_s()
            if ended_s - begun_s <= SLOW_READ_S:
                break
        self.changes += bool(self.readings) and value != self.readings[-1].value
        self.readings.append(Reading(begun_s, ended_s, value))


@dataclass(slots=True)
class OptionalTrace(Trace):
    """A trace that is not required: it records the failure of its source and stops, but does not raise."""

    failure: Missing | None = None

    def read(self) -> None:
        if self.failure is None:
            try:
                Trace.read(self)
            except SourceFailed as failed:
                self.failure = failed.missing


@dataclass(slots=True)
class Poller:
    """Polls its traces at a fixed period."""

    clock: Clock
    traces: Sequence[Trace]
    every_s: float
    due_s: float = 0.0

    def wait_s(self) -> float:
        """Seconds until the next reading is due; 0 or less if it is due now."""
        return self.due_s - self.clock.now_s()

    def poll(self) -> None:
        self.due_s = self.clock.now_s() + self.every_s
        for trace in self.traces:
            trace.read()


class Steady:
    """Runs a load back to back, so that the device stays busy."""

    def __init__(self, load: Load, device: Device, clock: Clock, depth: int) -> None:
        self.runs = 0
        self.run_s = 0.0  # estimate of one run, 0 if unknown; used only to choose how to wait
        self._load, self._device, self._clock, self._depth = load, device, clock, depth
        self._queue: deque[Event] = deque()
        self._spare: list[Event] = []
        self._has_events = True

    def run_until(self, is_done: Callable[[], bool], poller: Poller) -> None:
        """Run and poll until `is_done`. Runs that are still in the queue are not waited for."""
        while not is_done():
            self._run_once(poller)

    def drain(self) -> None:
        """Wait for all launched runs."""
        self._device.synchronize()
        self._spare.extend(self._queue)
        self._queue.clear()

    def _run_once(self, poller: Poller) -> None:
        self._load.step()
        self.runs += 1
        if not self._record_event():
            self._device.synchronize()
        elif len(self._queue) >= max(self._depth, self._depth_of_short_runs()):
            self._await(self._queue.popleft(), poller)
        if poller.wait_s() <= 0:
            poller.poll()

    def _depth_of_short_runs(self) -> float:
        return min(QUEUE_S / self.run_s, LONGEST_QUEUE) if self.run_s else 0

    def _record_event(self) -> bool:
        """Record an event after the run; False if the device has no events, so that each run must be waited for."""
        if self._has_events:
            try:
                event = self._spare.pop() if self._spare else self._device.event()
            except EventsFailed:
                self._has_events = False
            else:
                event.record()
                self._queue.append(event)
        return self._has_events

    def _await(self, event: Event, poller: Poller) -> None:
        while not event.done():
            wait_s = poller.wait_s()
            if wait_s <= 0:
                poller.poll()
            elif wait_s > self.run_s:  # the run ends before the next reading is due
                event.wait()
            else:
                self._clock.sleep_s(min(wait_s, self.run_s / 2))
        self._spare.append(event)
