"""Any accelerator of torch, through torch's generic interface: CUDA, ROCm, XPU, MPS and out-of-tree ones."""

from collections.abc import Mapping

import torch

from backbone_bench.base.choices import LatencyMode
from backbone_bench.base.errors import first_line
from backbone_bench.measure.devices.base import TorchDevice
from backbone_bench.measure.protocols import CaptureFailed, Event, EventsFailed, HoldFailed, Step
from backbone_bench.records import Known, Memory, Missing


class TorchEvent:
    """A `torch.Event` with timing, recorded on the current stream."""

    def __init__(self, device: torch.device) -> None:
        self._event = torch.Event(device, enable_timing=True)
        self.record = self._event.record
        self.wait = self._event.synchronize
        self.done = self._event.query
        self.record()  # the driver creates an event at its first record: not allowed while something is timed

    def elapsed_s_since(self, earlier: "TorchEvent") -> float:
        return earlier._event.elapsed_time(self._event) / 1e3  # torch gives milliseconds, from the earlier event


class Accelerator(TorchDevice):
    """One accelerator of torch. It becomes the current device of the process."""

    modes: tuple[LatencyMode, ...] = ("wall", "device")

    def __init__(self, device: torch.device) -> None:
        super().__init__(device, Missing("cache_unknown", f"torch does not report the cache size of {device.type}"))
        self._index = device.index  # a number, because torch looks up a device object at every call
        self._events_work = False
        self._counting = keeps_count()
        self._others: Mapping[str, int] = {}  # bytes of others, by the names of `_counts`
        torch.accelerator.set_device_index(device)

    def synchronize(self) -> None:
        torch.accelerator.synchronize(self._index)

    def event(self) -> Event:
        if not self._events_work:
            self._try_events()
            self._events_work = True
        return TorchEvent(self._device)

    def _try_events(self) -> None:
        try:
            start, end = TorchEvent(self._device), TorchEvent(self._device)
            start.record()
            end.record()
            end.wait()
            end.elapsed_s_since(start)
        except RuntimeError as error:
            raise EventsFailed(Missing("no_events", f"events of {self.name} fail: {first_line(error)}")) from None

    def hold(self, seconds: float) -> None:
        raise HoldFailed(Missing("no_hold", f"torch has no kernel that holds {self._device.type}"))

    def capture(self, step: Step) -> Step:
        raise CaptureFailed(Missing("no_graphs", f"graphs are captured on CUDA only, and this is {self.name}"))

    def allocations(self) -> int:
        counts = self._counts()
        return sum(counts.get(name, 0) for name in ("num_device_alloc", "num_alloc_retries"))

    def leave_out_memory_in_use(self) -> None:
        """Give cached memory back to the driver, and remember what is in use: earlier rows left it behind."""
        if self._counting:
            torch.accelerator.empty_cache()
        self._others = {name: bytes_ for name, bytes_ in self._counts().items() if name.endswith(".current")}

    def mark_memory(self) -> None:
        """Do nothing: the model is not in the memory of the host."""

    def reset_peak(self) -> None:
        if self._counting:
            torch.accelerator.reset_peak_memory_stats(self._device)

    def memory(self) -> Memory:
        in_driver = Missing("not_on_host", f"the model is in the memory of {self.name}")
        return Memory(self._peak_bytes("allocated_bytes.all"), self._peak_bytes("reserved_bytes.all"), in_driver)

    def _peak_bytes(self, name: str) -> Known[int]:
        counts = self._counts()
        if f"{name}.peak" not in counts:
            return Missing("no_memory_stats", f"the allocator of {self.name} keeps no count")
        return max(0, counts[f"{name}.peak"] - self._others.get(f"{name}.current", 0))

    def _counts(self) -> Mapping[str, int]:
        return torch.accelerator.memory_stats(self._device) if self._counting else {}


def keeps_count() -> bool:
    """Whether the allocator reports memory statistics. That of MPS did not for a long time (pytorch#186430)."""
    try:
        torch.accelerator.memory_stats()
    except RuntimeError:
        return False
    return True
