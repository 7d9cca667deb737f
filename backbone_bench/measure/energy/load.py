"""A steady load: runs back to back, with the sensors polled in between.

The readings are taken by the thread that launches, so that nothing competes for
the interpreter. A queue of launched runs keeps the device busy meanwhile.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backbone_bench.measure.energy.integrate import Reading
from backbone_bench.measure.protocols import Clock, Device, Event, EventsFailed, PowerSource, SourceFailed, Step
from backbone_bench.records import Missing

SLOW_READ_S, READ_TRIES = 0.005, 3  # a reading that took longer has no good place in time
COARSEST_S = 0.025  # between two looks where nothing has to be caught
QUEUE_S, LONGEST_QUEUE = 0.002, 256  # short runs queue deeper, so that one reading does not starve the device


@dataclass(frozen=True, slots=True)
class Load:
    """What runs during a window."""

    step: Step
    batch: int
    launch_bound: float | None = None  # share of a run that the device waits for the host: 0 for a replayed graph
    calls: int = 1  # of the model in one step: a graph of a short model holds several


@dataclass(slots=True)
class Trace:
    """What one source said, in order; duplicates are kept."""

    source: PowerSource
    clock: Clock
    readings: list[Reading] = field(default_factory=list)
    changes: int = 0

    def read(self) -> None:
        """Take one reading, again if it was slow; raise SourceFailed where there is no answer."""
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
    """A trace that the measurement can do without: it ends where its source fails."""

    failure: Missing | None = None

    def read(self) -> None:
        if self.failure is None:
            try:
                Trace.read(self)
            except SourceFailed as failed:
                self.failure = failed.missing


@dataclass(slots=True)
class Poller:
    """Reads its traces whenever the next reading is due."""

    clock: Clock
    traces: Sequence[Trace]
    every_s: float
    due_s: float = 0.0

    def wait_s(self) -> float:
        """Seconds until the next reading is due; not above 0 when it is."""
        return self.due_s - self.clock.now_s()

    def poll(self) -> None:
        self.due_s = self.clock.now_s() + self.every_s
        for trace in self.traces:
            trace.read()


class Steady:
    """Keeps a device busy with runs of a load."""

    def __init__(self, load: Load, device: Device, clock: Clock, depth: int) -> None:
        self.runs = 0
        self.run_s = 0.0  # as far as known; only to choose how to wait
        self._load, self._device, self._clock, self._depth = load, device, clock, depth
        self._queue: deque[Event] = deque()
        self._spare: list[Event] = []
        self._queued = True

    def run_until(self, enough: Callable[[], bool], poller: Poller) -> None:
        """Run and look until there is enough; the load goes on where it was, and is left in the queue."""
        while not enough():
            self._turn(poller)

    def drain(self) -> None:
        """Wait for what was launched."""
        self._device.synchronize()
        self._spare.extend(self._queue)
        self._queue.clear()

    def _turn(self, poller: Poller) -> None:
        self._load.step()
        self.runs += 1
        if not self._mark():
            self._device.synchronize()
        elif len(self._queue) >= max(self._depth, self._deep()):
            self._await(self._queue.popleft(), poller)
        if poller.wait_s() <= 0:
            poller.poll()

    def _deep(self) -> float:
        return min(QUEUE_S / self.run_s, LONGEST_QUEUE) if self.run_s else 0

    def _mark(self) -> bool:
        """Put an event behind the run; False where the device has none, and every run is waited for."""
        if self._queued:
            try:
                event = self._spare.pop() if self._spare else self._device.event()
            except EventsFailed:
                self._queued = False
            else:
                event.record()
                self._queue.append(event)
        return self._queued

    def _await(self, event: Event, poller: Poller) -> None:
        while not event.done():
            wait_s = poller.wait_s()
            if wait_s <= 0:
                poller.poll()
            elif wait_s > self.run_s:  # over before the next reading is due
                event.wait()
            else:
                self._clock.sleep_s(min(wait_s, self.run_s / 2))
        self._spare.append(event)
