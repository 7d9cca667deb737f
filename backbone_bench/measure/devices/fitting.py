"""The largest batch that fits on a device: tried for real, the memory of each attempt given back."""

import gc
from collections.abc import Callable

import torch

from backbone_bench.base.errors import OutOfMemory
from backbone_bench.measure.devices.accelerator import keeps_count
from backbone_bench.measure.machine import system
from backbone_bench.records import Missing, ModelCost

MOST = 1 << 16


def give_back() -> None:
    """Free what nobody holds any more, and return it to the driver."""
    gc.collect()
    if torch.accelerator.is_available() and keeps_count():
        torch.accelerator.empty_cache()


def largest(fits: Callable[[int], bool], give_back: Callable[[], None] = give_back) -> int | None:
    """The largest power of two up to `MOST` that fits, doubling from one; None where not even one does.

    Running out of memory is an answer, what else goes wrong is not caught.
    """
    batch, found = 1, None
    while batch <= MOST and _holds(fits, batch):
        give_back()
        batch, found = 2 * batch, batch
    give_back()  # not before the error is gone, since its frames hold on to what filled the memory
    return found


def _holds(fits: Callable[[int], bool], batch: int) -> bool:
    try:
        return fits(batch)
    except OutOfMemory:
        return False


def host_has_room(cost: ModelCost) -> bool:
    """Whether the free memory holds what a model needs at least.

    A host lends memory that it does not have, and kills whoever uses it: there
    is no error to catch.
    """
    free = system.available_bytes()
    if isinstance(free, Missing) or isinstance(cost.peak_activation_bytes, Missing):
        return True
    return cost.params_bytes + cost.peak_activation_bytes < free
