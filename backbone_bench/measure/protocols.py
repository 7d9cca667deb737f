"""Protocols between the measurement code and the hardware.

All code above these protocols is tested with scripted clocks and devices; the
adapters below them are thin. Torch's own generic API cannot take this place:
it has no events for a CPU.
"""

from collections.abc import Callable
from typing import Literal, Protocol, Self

from backbone_bench import records
from backbone_bench.base.choices import LatencyMode, SourceName

Step = Callable[[], object]


class Unavailable(Exception):
    """A feature that this device does not offer; `missing` gives the reason."""

    def __init__(self, missing: records.Missing) -> None:
        super().__init__(missing.message)
        self.missing = missing


class EventsFailed(Unavailable):
    """The device has no events, or its events give no usable time."""


class CaptureFailed(Unavailable):
    """The step cannot be captured into a graph."""


class HoldFailed(Unavailable):
    """The device cannot be held until all launches of a call wait in its queue."""


class ClockFailed(Unavailable):
    """The host clock does not advance during one call."""


class SourceFailed(Unavailable):
    """A power source gives no reading."""


class Event(Protocol):
    """An event: a mark in the device's own order of work."""

    def record(self) -> None: ...

    def wait(self) -> None:
        """Block the host until the device has reached the event."""

    def done(self) -> bool:
        """Whether the device has reached the event. Never blocks: a sensor can be read while the device works."""

    def elapsed_s_since(self, earlier: Self) -> float:
        """Seconds from `earlier` to this event. Only this method knows torch's milliseconds and argument order."""


class Device(Protocol):
    """A device that runs a step. `name` is torch's name for it: `cpu`, `cuda:0`."""

    name: str
    is_host: bool  # the CPU itself
    modes: tuple[LatencyMode, ...]  # latency modes that this kind of device supports
    cache_bytes: records.Known[int]  # size of the last-level cache: a model that fits in it stays in cache
    launch_queue: int | None  # launches that wait for the device before the host has to; None if unknown

    def now_s(self) -> float:
        """The host's monotonic clock."""

    def synchronize(self) -> None: ...

    def event(self) -> Event:
        """Create an event. Raises EventsFailed if the device has none."""

    def hold(self, seconds: float) -> None:
        """Keep the device busy for about so many seconds, without waiting for it. Raises HoldFailed if it cannot."""

    def allocations(self) -> int:
        """Number of times the allocator has asked the driver for memory; constant in a steady state."""

    def flush_cache(self) -> None:
        """Evict everything from the last-level cache."""

    def capture(self, step: Step) -> Step:
        """Capture the step as a graph; its replay returns the step's output. Raises CaptureFailed if it cannot."""

    def finite(self, output: object) -> bool:
        """Whether all numbers of an output are finite."""

    def agree(self, one: object, other: object) -> bool:
        """Whether two outputs are equal up to rounding."""

    def leave_out_memory_in_use(self) -> None:
        """Leave what the accelerator's allocator has in use now out of `memory`: it is not the model's."""

    def mark_memory(self) -> None:
        """Leave what the process holds on the host now out of `memory`."""

    def reset_peak(self) -> None:
        """Reset the peak of memory use."""

    def memory(self) -> records.Memory:
        """Peak memory use since `reset_peak`."""

    def others_s(self) -> records.Known[float]:
        """Seconds that other processes used this process's cores since a fixed moment, averaged over the cores."""


class Watcher(Protocol):
    """Polls clocks, temperature, throttling and other processes, before and after timed parts, never during one."""

    def poll(self) -> None:
        """Take one snapshot."""

    def verdict(self) -> records.Known[records.Watch]:
        """Summary of all snapshots."""

    def held_back_s(self) -> records.Known[float]:
        """Seconds, since a fixed moment, in which a limit of power or temperature reduced the clocks."""

    def holds_back(self) -> bool:
        """Whether such a limit, or the hardware's protection, reduces the clocks now."""


class Clock(Protocol):
    """The host's clock and sleep. A test's clock advances without waiting."""

    def now_s(self) -> float:
        """The host's monotonic clock."""

    def sleep_s(self, seconds: float) -> None: ...


class WindowCounters(Protocol):
    """Counters of what the parts of a card do during a window."""

    def begin(self) -> None: ...

    def end(self) -> records.Known[records.CardActivity]:
        """What the card did since `begin`."""


class PowerSource(Protocol):
    """A source of power readings: an energy counter in joules, or a power sensor in watts."""

    @property
    def name(self) -> SourceName: ...

    @property
    def unit(self) -> Literal["J", "W"]: ...

    @property
    def period_s(self) -> float | None:
        """Known refresh period of the reading; None if it must be measured."""

    @property
    def averaging_s(self) -> float | None:
        """Known length of time that one reading averages; None if unknown."""

    @property
    def relative_error(self) -> records.Known[float]:
        """Proportional error of the sensor."""

    def read(self) -> float:
        """Joules since a fixed moment, or watts: see `unit`. Raises SourceFailed if there is no reading."""
