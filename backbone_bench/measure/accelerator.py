"""Any accelerator that torch knows, through its generic interface: CUDA, ROCm, XPU, MPS, out-of-tree ones."""

import time

import torch
from torch import Tensor

from backbone_bench.measure import outputs, procfs
from backbone_bench.measure.protocols import CaptureFailed, Event, EventsFailed, Mode, Step
from backbone_bench.records import Known, Memory, Missing

_UNKNOWN_CACHE = 256 * 1024**2  # bytes to write where the size of the cache is not known: more than any


class TorchEvent:
    """A `torch.Event` with a clock, recorded on the current stream."""

    def __init__(self, device: torch.device) -> None:
        self._event = torch.Event(device, enable_timing=True)
        self.record = self._event.record
        self.wait = self._event.synchronize
        self.done = self._event.query

    def elapsed_s_since(self, earlier: "TorchEvent") -> float:
        return earlier._event.elapsed_time(self._event) / 1e3  # torch counts milliseconds, and from the earlier event


class Accelerator:
    """One device of the current accelerator. It becomes the current device of the process."""

    modes: tuple[Mode, ...] = ("wall", "device")

    def __init__(self, device: torch.device) -> None:
        self.name = str(device)
        self.cache_bytes: Known[int] = Missing("cache_unknown", f"torch does not tell the cache of {device.type}")
        self._device = device
        self._filler: Tensor | None = None
        self._events_work = False
        torch.accelerator.set_device_index(device)

    now_s = staticmethod(time.perf_counter)
    finite = staticmethod(outputs.finite)
    agree = staticmethod(outputs.agree)
    others_s = staticmethod(procfs.others_s)

    def synchronize(self) -> None:
        torch.accelerator.synchronize(self._device)

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

    def capture(self, step: Step) -> Step:
        raise CaptureFailed(Missing("no_graphs", f"graphs are taken on CUDA only, and this is {self.name}"))

    def allocations(self) -> int:
        counts = torch.accelerator.memory_stats(self._device)
        return sum(counts.get(name, 0) for name in ("num_device_alloc", "num_alloc_retries"))

    def flush_cache(self) -> None:
        if self._filler is None:
            size = _UNKNOWN_CACHE if isinstance(self.cache_bytes, Missing) else self.cache_bytes
            self._filler = torch.empty(size, dtype=torch.uint8, device=self._device)
        self._filler.zero_()

    def mark_memory(self) -> None:
        """The allocator counts from nothing, so there is no baseline to remember."""

    def reset_peak(self) -> None:
        torch.accelerator.reset_peak_memory_stats(self._device)

    def memory(self) -> Memory:
        counts = torch.accelerator.memory_stats(self._device)
        untold = Missing("no_memory_stats", f"the allocator of {self.name} keeps no count")
        return Memory(
            counts.get("allocated_bytes.all.peak", untold),
            counts.get("reserved_bytes.all.peak", untold),
            Missing("not_on_host", f"the model is held in the memory of {self.name}"),
        )


def first_line(error: BaseException) -> str:
    """What torch says, without its advice."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
