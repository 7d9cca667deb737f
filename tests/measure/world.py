"""A simulated machine with virtual time: a host that launches calls and a device that runs them asynchronously."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backbone_bench.base.choices import LatencyMode
from backbone_bench.measure.protocols import CaptureFailed, EventsFailed, HoldFailed, Step
from backbone_bench.records import Known, Memory, Missing

NOTHING = Missing("scripted", "the simulated machine does not have this")


@dataclass
class World:
    """Simulated device, step and watcher in one, with one clock.

    A call launches `kernels` one by one: each takes `launch_s` on the host and
    `work_s(now)` on the device, which runs them in order. The output of a call is
    arbitrary: `output` for an eager call, `replayed` for a graph.
    """

    work_s: Callable[[float], float] = lambda now_s: 0.001
    kernels: int = 1
    launch_s: float = 1e-6
    launch_queue: int | None = None  # launches that wait for the device before the host has to
    can_hold: bool = True
    waits: bool = False  # the call waits for its first kernel before it launches the others, as `.item()` does
    wake_s: float = 0.0  # wake-up time of the host after it has waited
    first_s: Sequence[float] = ()  # extra work of the first calls

    now: float = 100.0
    busy_until: float = 0.0
    calls: int = 0
    worked_s: list[float] = field(default_factory=list)  # true device time of each call
    log: list[str] = field(default_factory=list)
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=100))  # end of the last calls on the device
    starts: deque[float] = field(default_factory=deque)  # when the device begins each kernel that was launched
    deepest: int = 0  # largest number of calls that the host was ahead of the device
    recording: bool = False
    recorded: int = 0

    # The device protocol.
    name: str = "scripted:0"
    is_host = False
    modes: tuple[LatencyMode, ...] = ("wall", "device", "graph")
    cache_bytes: Known[int] = NOTHING
    allocated: Callable[[int], int] = lambda calls: 0  # count of the allocator after so many calls
    flush_s: float = 0.0
    capture_error: str | None = None
    events: Callable[[float], float] | None = lambda mark_s: mark_s  # reading of an event, by its true time
    output: Callable[[int], object] = lambda calls: 1.0
    replayed: object = 1.0
    load: Known[float] = 0.0  # share of the host that other processes use
    heat: Sequence[tuple[float, float]] | None = None  # when the clocks are held back; None: the device does not say

    def now_s(self) -> float:
        return self.now

    def synchronize(self) -> None:
        self.now = max(self.now, self.busy_until) + self.wake_s

    def event(self) -> "Mark":
        if self.events is None:
            raise EventsFailed(Missing("no_events", "the simulated machine has no events"))
        return Mark(self, self.events)

    def hold(self, seconds: float) -> None:
        if not self.can_hold:
            raise HoldFailed(Missing("no_hold", "the simulated machine cannot be held"))
        self.now += self.launch_s
        self.log.append("hold")
        self.enqueue(seconds)

    def allocations(self) -> int:
        return self.allocated(self.calls)

    def flush_cache(self) -> None:
        self.log.append("flush")
        self.enqueue(self.flush_s)

    def capture(self, step: Step) -> Step:
        if self.capture_error is not None:
            raise CaptureFailed(Missing("capture_failed", self.capture_error))
        self.recording, self.recorded = True, 0
        step()
        self.recording, calls = False, self.recorded

        def replay() -> object:
            self.now += self.launch_s
            for _ in range(calls):
                self._work()
            return self.replayed

        return replay

    def finite(self, output: object) -> bool:
        return output == output

    def agree(self, one: object, other: object) -> bool:
        return one == other

    def leave_out_memory_in_use(self) -> None:
        self.log.append("leave out memory")

    def mark_memory(self) -> None:
        self.log.append("mark memory")

    def reset_peak(self) -> None:
        self.log.append("reset peak")

    def memory(self) -> Memory:
        return Memory(10, 20, NOTHING)

    def others_s(self) -> Known[float]:
        return self.load if isinstance(self.load, Missing) else self.load * self.now

    # The step and the watcher.

    def step(self) -> object:
        if self.recording:
            self.recorded += 1
            return self.replayed
        self.deepest = max(self.deepest, sum(end > self.now for end in self.ends))
        self._work(launch_s=self.launch_s)
        return self.output(self.calls)

    def poll(self) -> None:
        assert self.busy_until <= self.now, "polled while the device was working"
        self.log.append("poll")

    def verdict(self) -> Missing:
        return NOTHING

    def held_back_s(self) -> Known[float]:
        if self.heat is None:
            return NOTHING
        return sum(max(0.0, min(self.now, end_s) - start_s) for start_s, end_s in self.heat)

    def holds_back(self) -> bool:
        return any(start_s <= self.now < end_s for start_s, end_s in self.heat or ())

    def sleep_s(self, seconds: float) -> None:
        """Sleep of the host, as a clock's."""
        self.now += seconds
        self.log.append("sleep")

    def _work(self, launch_s: float = 0.0) -> None:
        """Run one call; a replayed one needs no launch of each kernel."""
        first = self.first_s[self.calls] if self.calls < len(self.first_s) else 0.0
        worked_s = 0.0
        for _ in range(self.kernels):
            self._launch(launch_s)
            work_s = self.work_s(max(self.now, self.busy_until)) + first / self.kernels
            self.enqueue(work_s)
            worked_s += work_s
            if self.waits:
                self.now = max(self.now, self.busy_until)
        self.calls += 1
        self.worked_s.append(worked_s)
        self.ends.append(self.busy_until)
        self.log.append("call")

    def _launch(self, launch_s: float) -> None:
        """Launch a kernel; if the queue is full, wait until the device begins the oldest one in it."""
        self.now += launch_s
        if self.launch_queue is None or not launch_s:
            return
        while self.starts and self.starts[0] <= self.now:
            self.starts.popleft()
        if len(self.starts) >= self.launch_queue:
            self.now = self.starts.popleft()
        self.starts.append(max(self.busy_until, self.now))

    def enqueue(self, work_s: float) -> None:
        self.busy_until = max(self.busy_until, self.now) + work_s


class Mark:
    """Simulated event."""

    def __init__(self, world: World, reading: Callable[[float], float]) -> None:
        self.world, self.reading, self.at_s = world, reading, 0.0

    def record(self) -> None:
        self.at_s = max(self.world.busy_until, self.world.now)

    def wait(self) -> None:
        self.world.now = max(self.world.now, self.at_s)

    def done(self) -> bool:
        return self.world.now >= self.at_s

    def elapsed_s_since(self, earlier: "Mark") -> float:
        return self.reading(self.at_s) - self.reading(earlier.at_s)
