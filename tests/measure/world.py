"""A machine whose time is a number: a host that launches, a device that works behind it, nothing that waits."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backbone_bench.measure.protocols import CaptureFailed, EventsFailed, LatencyMode, Step
from backbone_bench.records import Known, Memory, Missing

NOTHING = Missing("scripted", "there is no such thing in this world")


@dataclass
class World:
    """Device, step and watch in one, sharing one clock.

    A call launches `kernels` one by one: each costs the host `launch_s` and
    the device `work_s(now)`. The device does one after the other. Nothing is
    said about the numbers that a call computes: `output` and `replayed` are any.
    """

    work_s: Callable[[float], float] = lambda now_s: 0.001
    kernels: int = 1
    launch_s: float = 1e-6
    wake_s: float = 0.0  # of the host, after it has waited
    first_s: Sequence[float] = ()  # extra work of the first calls

    now: float = 100.0
    busy_until: float = 0.0
    calls: int = 0
    worked_s: list[float] = field(default_factory=list)  # of each call, as it really was
    log: list[str] = field(default_factory=list)
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=100))  # of the last calls, on the device
    deepest: int = 0  # calls that the host was ahead of the device
    recording: bool = False
    recorded: int = 0

    # The device protocol.
    name: str = "scripted:0"
    is_host = False
    modes: tuple[LatencyMode, ...] = ("wall", "device", "graph")
    cache_bytes: Known[int] = NOTHING
    allocated: Callable[[int], int] = lambda calls: 0  # by the number of calls so far
    flush_s: float = 0.0
    capture_error: str | None = None
    events: Callable[[float], float] | None = lambda mark_s: mark_s  # what an event says of its true time
    output: Callable[[int], object] = lambda calls: 1.0
    replayed: object = 1.0
    load: Known[float] = 0.0  # share of the host that others take

    def now_s(self) -> float:
        return self.now

    def synchronize(self) -> None:
        self.now = max(self.now, self.busy_until) + self.wake_s

    def event(self) -> "Mark":
        if self.events is None:
            raise EventsFailed(Missing("no_events", "no events in this world"))
        return Mark(self, self.events)

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

    def mark_memory(self) -> None:
        self.log.append("mark memory")

    def reset_peak(self) -> None:
        self.log.append("reset peak")

    def memory(self) -> Memory:
        return Memory(10, 20, NOTHING)

    def others_s(self) -> Known[float]:
        return self.load if isinstance(self.load, Missing) else self.load * self.now

    # The step and the watch.

    def step(self) -> object:
        if self.recording:
            self.recorded += 1
            return self.replayed
        self.deepest = max(self.deepest, sum(end > self.now for end in self.ends))
        self._work(launch_s=self.launch_s)
        return self.output(self.calls)

    def poll(self) -> None:
        assert self.busy_until <= self.now, "looked while the device was working"
        self.log.append("look")

    def verdict(self) -> Missing:
        return NOTHING

    def _work(self, launch_s: float = 0.0) -> None:
        """One call; a replayed one needs no launch of each kernel."""
        first = self.first_s[self.calls] if self.calls < len(self.first_s) else 0.0
        worked_s = 0.0
        for _ in range(self.kernels):
            self.now += launch_s
            work_s = self.work_s(max(self.now, self.busy_until)) + first / self.kernels
            self.enqueue(work_s)
            worked_s += work_s
        self.calls += 1
        self.worked_s.append(worked_s)
        self.ends.append(self.busy_until)
        self.log.append("call")

    def enqueue(self, work_s: float) -> None:
        self.busy_until = max(self.busy_until, self.now) + work_s


class Mark:
    """An event of the world."""

    def __init__(self, world: World, told: Callable[[float], float]) -> None:
        self.world, self.told, self.at_s = world, told, 0.0

    def record(self) -> None:
        self.at_s = max(self.world.busy_until, self.world.now)

    def wait(self) -> None:
        self.world.now = max(self.world.now, self.at_s)

    def done(self) -> bool:
        return self.world.now >= self.at_s

    def elapsed_s_since(self, earlier: "Mark") -> float:
        return self.told(self.at_s) - self.told(earlier.at_s)
