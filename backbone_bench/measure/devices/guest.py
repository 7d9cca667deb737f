"""Measurement inside a caller's own process: restore the global state that it changes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from backbone_bench.base.choices import is_host
from backbone_bench.measure.devices import available
from backbone_bench.measure.devices.accelerator import keeps_count


@contextmanager
def as_found(device: str) -> Iterator[bool]:
    """Restore the random number generators and the current device on exit.

    Yields whether the device already holds tensors of the caller: they are part of its peak memory.
    """
    kind, index = available.parse(device, available.probe())
    if is_host(kind):
        with torch.random.fork_rng(devices=()):
            yield False
        return
    current = torch.accelerator.current_device_index()
    # fork_rng cannot read the generator of MPS.
    seeded = () if kind == "mps" else range(torch.accelerator.device_count())
    with torch.random.fork_rng(seeded, device_type=kind):
        try:
            yield keeps_count() and torch.accelerator.memory_allocated(index) > 0
        finally:
            torch.accelerator.set_device_index(current)
