"""Parts common to all torch devices: host clock, load of the host, checks of outputs, cache flush."""

import time

import torch
from torch import Tensor

from backbone_bench.measure.devices import outputs
from backbone_bench.measure.machine import procfs
from backbone_bench.records import Known, Missing

_UNKNOWN_CACHE_BYTES = 256 * 1024**2  # written to flush a cache of unknown size: larger than any last-level cache


class TorchDevice:
    """Base class of the devices that torch runs on."""

    is_host = False
    launch_queue: int | None = None

    def __init__(self, device: torch.device, cache_bytes: Known[int]) -> None:
        self.name, self.cache_bytes = str(device), cache_bytes
        self._device = device
        self._flush_buffer: Tensor | None = None

    now_s = staticmethod(time.perf_counter)
    finite = staticmethod(outputs.finite)
    agree = staticmethod(outputs.agree)
    others_s = staticmethod(procfs.others_s)

    def flush_cache(self) -> None:
        """Flush the last-level cache: write a buffer of its size, allocated once."""
        if self._flush_buffer is None:
            size = _UNKNOWN_CACHE_BYTES if isinstance(self.cache_bytes, Missing) else self.cache_bytes
            self._flush_buffer = torch.empty(size, dtype=torch.uint8, device=self._device)
        self._flush_buffer.zero_()
