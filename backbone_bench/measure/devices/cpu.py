"""The CPU as a device: wall latency only, no events and no graphs."""

import torch

from backbone_bench.base.choices import LatencyMode
from backbone_bench.measure.devices.base import TorchDevice
from backbone_bench.measure.machine import procfs
from backbone_bench.measure.protocols import CaptureFailed, Event, EventsFailed, HoldFailed, Step
from backbone_bench.records import Memory, Missing


class Host(TorchDevice):
    """The CPU. A call returns when its work is done, so there is nothing to synchronize."""

    is_host = True
    modes: tuple[LatencyMode, ...] = ("wall",)

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"), procfs.last_cache_bytes())
        self._resident = procfs.Resident()

    def synchronize(self) -> None:
        """Do nothing: no work is pending after a call."""

    def event(self) -> Event:
        raise EventsFailed(Missing("no_events", "a CPU has no events of its own: use its wall latency"))

    def hold(self, seconds: float) -> None:
        raise HoldFailed(Missing("no_hold", "a call of a CPU returns when its work is done: nothing waits in a queue"))

    def capture(self, step: Step) -> Step:
        raise CaptureFailed(Missing("no_graphs", "a CPU has no graphs to replay: use its wall latency"))

    def allocations(self) -> int:
        return 0

    def leave_out_memory_in_use(self) -> None:
        """Do nothing: there is no allocator that counts."""

    def mark_memory(self) -> None:
        self._resident.mark()

    def reset_peak(self) -> None:
        self._resident.reset()

    def memory(self) -> Memory:
        none = Missing("no_allocator", "the host's allocator keeps no count: see peak_resident_bytes")
        return Memory(none, none, self._resident.peak_bytes())
