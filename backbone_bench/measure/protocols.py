"""The seam between the measuring and the hardware.

Everything above these protocols is tested with scripted clocks and devices;
the adapters below them are thin. Torch's own generic API cannot be the seam:
a CPU has no events there.
"""

from collections.abc import Callable
from typing import Literal, Protocol, Self

from backbone_bench import records
from backbone_bench.base.choices import SourceName

Step = Callable[[], object]
LatencyMode = Literal["wall", "device", "graph"]


class Unavailable(Exception):
    """Something cannot be had of this device; `missing` says why."""

    def __init__(self, missing: records.Missing) -> None:
        super().__init__(missing.message)
        self.missing = missing


class EventsFailed(Unavailable):
    """The device has no events, or events that do not count."""


class CaptureFailed(Unavailable):
    """The step cannot be captured into a graph."""


class ClockFailed(Unavailable):
    """The clock does not move within a call."""


class SourceFailed(Unavailable):
    """A power source does not answer."""


class Event(Protocol):
    """A mark on the device's own time line."""

    def record(self) -> None: ...

    def wait(self) -> None:
        """Block the host until the device has passed the mark."""

    def done(self) -> bool:
        """Whether the device has passed the mark; never blocks, so that a sensor can be read while the device works."""

    def elapsed_s_since(self, earlier: Self) -> float:
        """Seconds from `earlier` to this mark: the one place where milliseconds and argument order are known."""


class Device(Protocol):
    """Where a step runs. `name` is what torch calls it: `cpu`, `cuda:0`."""

    name: str
    is_host: bool  # the CPU itself
    modes: tuple[LatencyMode, ...]  # those that this kind of device can have at all
    cache_bytes: records.Known[int]  # of the last-level cache: a model that fits in it stays warm

    def now_s(self) -> float:
        """The host's monotonic clock."""

    def synchronize(self) -> None: ...

    def event(self) -> Event:
        """A new event; raise EventsFailed where the device has none."""

    def allocations(self) -> int:
        """How often the allocator has gone to the driver; it stands still in a steady state."""

    def flush_cache(self) -> None:
        """Push everything out of the last-level cache."""

    def capture(self, step: Step) -> Step:
        """The step as one replayable graph, which returns its output; raise CaptureFailed where it cannot be had."""

    def finite(self, output: object) -> bool:
        """Whether every number of an output is finite."""

    def agree(self, one: object, other: object) -> bool:
        """Whether two outputs are the same up to rounding."""

    def mark_memory(self) -> None:
        """Remember what is held now: the baseline of `memory`."""

    def reset_peak(self) -> None:
        """Forget the highest use so far."""

    def memory(self) -> records.Memory:
        """The highest use since `reset_peak`."""

    def others_s(self) -> records.Known[float]:
        """How long others have kept this process's cores busy, averaged over the cores, since some fixed moment."""


class Watcher(Protocol):
    """Looks at clocks, heat and company before, between and after timed parts, never inside one."""

    def poll(self) -> None:
        """Take one snapshot."""

    def verdict(self) -> records.Known[records.Watch]:
        """What the snapshots say together."""


class Clock(Protocol):
    """The host's time, and a way to let it pass; a test's clock moves without waiting."""

    def now_s(self) -> float:
        """The host's monotonic clock."""

    def sleep_s(self, seconds: float) -> None: ...


class PowerSource(Protocol):
    """One way to read what a device draws: a counter of joules, or a sensor of watts."""

    @property
    def name(self) -> SourceName: ...

    @property
    def unit(self) -> Literal["J", "W"]: ...

    @property
    def period_s(self) -> float | None:
        """How often the reading is known to change; None where only the probe can tell."""

    @property
    def averaging_s(self) -> float | None:
        """How much of the past one reading is known to average; None where unknown."""

    @property
    def relative_error(self) -> records.Known[float]:
        """The sensor's own proportional error."""

    def read(self) -> float:
        """Joules since some fixed moment, or watts, as `unit` says; raise SourceFailed where there is no answer."""
