"""The seam between the measuring and the hardware.

Everything above these protocols is tested with scripted clocks and devices;
the adapters below them are thin. Torch's own generic API cannot be the seam:
a CPU has no events there.
"""

from collections.abc import Callable
from typing import Literal, Protocol

from backbone_bench import records

Step = Callable[[], object]


class EventsFailed(Exception):
    """The device has no events, or events that do not count; the reason is the message."""


class CaptureFailed(Exception):
    """The step cannot be captured into a graph; the reason is the message."""


class Event(Protocol):
    """A mark on the device's own time line."""

    def record(self) -> None: ...

    def wait(self) -> None:
        """Block the host until the device has passed the mark."""

    def done(self) -> bool:
        """Whether the device has passed the mark; never blocks, so that a sensor can be read while the device works."""

    def elapsed_s_since(self, earlier: "Event") -> float:
        """Seconds from `earlier` to this mark: the one place where milliseconds and argument order are known."""


class Device(Protocol):
    """Where a step runs. `name` is what torch calls it: `cpu`, `cuda:0`."""

    name: str

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
        """The step as one replayable graph; raise CaptureFailed where that cannot be had."""


class Watch(Protocol):
    """Looks at clocks, heat and company before, between and after timed parts, never inside one."""

    def look(self) -> None:
        """Take one snapshot."""

    def verdict(self) -> records.Known[records.Watch]:
        """What the snapshots say together."""


class Clock(Protocol):
    """The host's time, and a way to let it pass; a test's clock moves without waiting."""

    def now_s(self) -> float:
        """The host's monotonic clock."""

    def sleep_s(self, seconds: float) -> None: ...


class SourceFailed(Exception):
    """A power source does not answer; `missing` says why."""

    def __init__(self, missing: records.Missing) -> None:
        super().__init__(missing.message)
        self.missing = missing


class PowerSource(Protocol):
    """One way to read what a device draws: a counter of joules, or a sensor of watts."""

    name: records.SourceName
    unit: Literal["J", "W"]
    period_s: float | None  # how often the reading is known to change; None where only the probe can tell
    averaging_s: float | None  # how much of the past one reading is known to average; None where unknown
    relative_error: records.Known[float]  # the sensor's own proportional error

    def read(self) -> float:
        """Joules since some fixed moment, or watts, as `unit` says; raise SourceFailed where there is no answer."""
