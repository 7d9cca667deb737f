"""A steady load: graph replays back to back, or calls that are waited for, with the power sources polled meanwhile.

The launching thread takes the readings too, so that no second thread competes for
the interpreter. Behind graph replays a queue of launched runs keeps the device
busy during a reading. A caller who waits for each call has no queue: there,
readings fall between two calls.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from backbone_bench.base.choices import EnergyMode
from backbone_bench.measure.energy.integrate import Reading
from backbone_bench.measure.protocols import Clock, Device, Event, EventsFailed, PowerSource, SourceFailed, Step
from backbone_bench.records import Missing

COARSEST_S = 0.025  # poll period while no tick has to be caught
SHORTEST_QUEUE_S = 0.002  # the host may be away so long for reasons other than a reading
FILLS = 2  # a host twice as fast as the device fills an empty queue while it launches so many times its length
LONGEST_QUEUE = 480  # a driver queues about a thousand launches, and a run is two: the replay and its event


@dataclass(frozen=True, slots=True)
class Load:
    """The work that runs during a window."""

    step: Step
    batch: int
    mode: EnergyMode  # graph: back to back behind a queue; wall: each call is waited for before the next one starts
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
        """Take one reading. Raises SourceFailed if the source gives none."""
        begun_s = self.clock.now_s()
        value = self.source.read()
        ended_s = self.clock.now_s()
        self.changes += bool(self.readings) and value != self.readings[-1].value
        self.readings.append(Reading(begun_s, ended_s, value))

    def took_s(self) -> list[float]:
        """Time of each reading."""
        return [reading.ended_s - reading.begun_s for reading in self.readings]


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


def every_s(tick_s: float, poll_s: float) -> float:
    """Poll period of a source with this tick while no tick has to be caught; at least `poll_s`."""
    return min(COARSEST_S, max(tick_s / 4, poll_s))


class Polling(Protocol):
    """A schedule of readings."""

    def wait_s(self) -> float:
        """Seconds until the next reading is due; 0 or less if it is due now."""

    def poll(self) -> None:
        """Take the reading that is due."""


@dataclass(slots=True)
class Poller:
    """Polls its traces at a fixed period."""

    clock: Clock
    traces: Sequence[Trace]
    every_s: float
    due_s: float = 0.0

    def wait_s(self) -> float:
        return self.due_s - self.clock.now_s()

    def poll(self) -> None:
        self.due_s = self.clock.now_s() + self.every_s
        for trace in self.traces:
            trace.read()


@dataclass(slots=True)
class TickPoller:
    """Polls one trace from a moment on, until its reading has changed between two of these polls."""

    clock: Clock
    trace: Trace
    every_s: float
    due_s: float
    polls: int = 0
    caught: bool = False

    def wait_s(self) -> float:
        return self.due_s - self.clock.now_s()

    def poll(self) -> None:
        self.due_s = self.clock.now_s() + self.every_s
        changes = self.trace.changes
        self.trace.read()
        # A change before the first poll may have happened at any time since the last catch.
        self.caught = self.polls > 0 and self.trace.changes > changes
        self.polls += 1
        if self.caught:
            self.due_s = math.inf


@dataclass(frozen=True, slots=True)
class Together:
    """Several schedules as one."""

    pollers: Sequence[Polling]

    def wait_s(self) -> float:
        return min((poller.wait_s() for poller in self.pollers), default=math.inf)

    def poll(self) -> None:
        for poller in self.pollers:
            if poller.wait_s() <= 0:
                poller.poll()


NO_READING = Together(())


class Steady:
    """Runs a load so that its device does nothing else, and polls meanwhile.

    `mode` is that of the load, but `wall` on a device without events: nothing else tells there when a run has ended.
    """

    def __init__(self, load: Load, device: Device, clock: Clock, depth: int) -> None:
        self.runs = 0
        self.run_s = 0.0  # estimate of one run, 0 if unknown; used only to choose how to wait
        self.reading_s = 0.0  # the longest reading so far: the queue holds at least so much work
        self._rests: list[tuple[float, float]] = []  # begin and end of the readings between two calls
        self._load, self._device, self._clock, self._depth = load, device, clock, depth
        self._queue: deque[Event] = deque()
        self._since_full = 0  # runs launched since the queue was full
        self._spare = _first_events(load, device)
        self.mode: EnergyMode = "graph" if self._spare else "wall"

    def run_until(self, is_done: Callable[[], bool], polling: Polling) -> None:
        """Run and poll until `is_done`. Runs that are still in the queue are not waited for."""
        while not is_done():
            self._load.step()
            self.runs += 1
            if self.mode == "wall":
                self._wait_for_call(polling)
            else:
                self._queue_run(polling)

    def drain(self) -> None:
        """Wait for all launched runs."""
        self._device.synchronize()
        self._spare.extend(self._queue)
        self._queue.clear()
        self._since_full = 0

    def rest_s(self, from_s: float, to_s: float) -> float:
        """Time between two moments in which the device rested because its sources were read between two calls."""
        return math.fsum(max(0.0, min(ended_s, to_s) - max(begun_s, from_s)) for begun_s, ended_s in self._rests)

    def _wait_for_call(self, polling: Polling) -> None:
        self._device.synchronize()
        if polling.wait_s() <= 0:
            begun_s = self._clock.now_s()
            polling.poll()
            self._rests.append((begun_s, self._clock.now_s()))

    def _queue_run(self, polling: Polling) -> None:
        event = self._spare.pop() if self._spare else self._device.event()
        event.record()
        self._queue.append(event)
        self._since_full += 1
        if len(self._queue) >= self._full():
            self._await(self._queue.popleft(), polling)
        # Readings wait for a full queue. A device that outruns the host never has one: there they come late.
        if self._since_full >= FILLS * self._full() and polling.wait_s() <= 0:
            polling.poll()
            self._since_full = 0

    def _full(self) -> int:
        queue_s = max(SHORTEST_QUEUE_S, self.reading_s)
        short = math.ceil(queue_s / self.run_s) + 1 if self.run_s else 0  # one of them has already begun
        return max(self._depth, min(short, LONGEST_QUEUE))

    def _await(self, event: Event, polling: Polling) -> None:
        """Wait for the oldest run, and poll. The queue is full if the device is still at work on that run."""
        while not event.done():
            self._since_full = 0
            wait_s = polling.wait_s()
            if wait_s <= 0:
                polling.poll()
            elif wait_s > self.run_s:  # the run ends before the next reading is due
                event.wait()
            else:
                self._clock.sleep_s(min(wait_s, self.run_s / 2))
        self._spare.append(event)


def _first_events(load: Load, device: Device) -> list[Event]:
    """One event, for runs that are queued; none if they are waited for."""
    if load.mode == "wall":
        return []
    try:
        return [device.event()]
    except EventsFailed:
        return []
