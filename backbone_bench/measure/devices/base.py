"""What every device of torch has: the host's clock and load, a look at outputs, a cache to be emptied."""

import time

import torch
from torch import Tensor

from backbone_bench.measure.devices import outputs
from backbone_bench.measure.machine import procfs
from backbone_bench.records import Known, Missing

_UNKNOWN_CACHE_BYTES = 256 * 1024**2  # what is written where the size of the cache is not known: more than any


class TorchDevice:
    """A device by torch's name for it."""

    is_host = False

    def __init__(self, device: torch.device, cache_bytes: Known[int]) -> None:
        self.name, self.cache_bytes = str(device), cache_bytes
        self._device = device
        self._filler: Tensor | None = None

    now_s = staticmethod(time.perf_counter)
    finite = staticmethod(outputs.finite)
    agree = staticmethod(outputs.agree)
    others_s = staticmethod(procfs.others_s)

    def flush_cache(self) -> None:
        """Write as much as the cache holds, into memory that is taken once."""
        if self._filler is None:
            size = _UNKNOWN_CACHE_BYTES if isinstance(self.cache_bytes, Missing) else self.cache_bytes
            self._filler = torch.empty(size, dtype=torch.uint8, device=self._device)
        self._filler.zero_()
