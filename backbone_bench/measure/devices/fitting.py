"""Search for the largest batch that fits on a device: each batch is run, and its memory is freed."""

import gc
from collections.abc import Callable

import torch

from backbone_bench.base.errors import OutOfMemory
from backbone_bench.measure.devices.accelerator import keeps_count
from backbone_bench.measure.machine import system
from backbone_bench.measure.protocols import Device
from backbone_bench.records import Known, Missing, ModelCost

MAX_BATCH = 1 << 16


def free_memory() -> None:
    """Free unreferenced memory and return it to the driver."""
    gc.collect()
    if torch.accelerator.is_available() and keeps_count():
        torch.accelerator.empty_cache()


def largest(fits: Callable[[int], bool], free_memory: Callable[[], None] = free_memory) -> int | None:
    """Largest power of two up to `MAX_BATCH` that fits, found by doubling from 1; None if 1 does not fit.

    Out of memory means that a batch does not fit; other errors are not caught.
    """
    batch, found = 1, None
    while batch <= MAX_BATCH and _fits(fits, batch):
        free_memory()
        batch, found = 2 * batch, batch
    free_memory()  # only after the error is gone: its frames keep the tensors alive
    return found


def _fits(fits: Callable[[int], bool], batch: int) -> bool:
    try:
        return fits(batch)
    except OutOfMemory:
        return False


def free_bytes(device: Device) -> Known[int]:
    """Memory that a device has left, for all processes together."""
    if device.is_host:
        return system.available_bytes()
    kind = torch.device(device.name).type
    if kind == "cuda":
        return torch.cuda.mem_get_info(torch.device(device.name))[0]
    return Missing("no_free_memory", f"the free memory of {kind} is not known")


def least_bytes(cost: ModelCost) -> Known[int]:
    """The least memory that a model needs: its weights, and the activations that are alive at once."""
    if isinstance(cost.peak_activation_bytes, Missing):
        return cost.peak_activation_bytes
    return cost.params_bytes + cost.peak_activation_bytes


def host_has_room(cost: ModelCost) -> bool:
    """Whether the free memory of the host is enough for the minimum that a model needs.

    A host grants more memory than it has and kills the process that uses it, so
    there is no error to catch.
    """
    needed = least_bytes(cost)
    return isinstance(needed, Missing) or host_has_bytes(needed)


def host_has_bytes(needed: int) -> bool:
    """Whether so much memory of the host is free, as far as that is known."""
    free = system.available_bytes()
    return isinstance(free, Missing) or needed < free
