"""Emptying a last-level cache: by writing as much as it holds."""

import torch
from torch import Tensor

from backbone_bench.records import Known, Missing

UNKNOWN_CACHE_BYTES = 256 * 1024**2  # what is written where the size is not known: more than any


class Flush:
    """Writes over the cache of a device, from memory that is taken once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._filler: Tensor | None = None

    def __call__(self, cache_bytes: Known[int]) -> None:
        if self._filler is None:
            size = UNKNOWN_CACHE_BYTES if isinstance(cache_bytes, Missing) else cache_bytes
            self._filler = torch.empty(size, dtype=torch.uint8, device=self._device)
        self._filler.zero_()
