"""Measuring in a process that has other work to do: what it changes there, put back, and what is there already."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from backbone_bench.base.choices import is_host
from backbone_bench.measure.devices import available
from backbone_bench.measure.devices.accelerator import keeps_count


@contextmanager
def as_found(device: str) -> Iterator[bool]:
    """Put the generators of random numbers and the current device back on the way out.

    The value is whether the device holds tensors of others, which its peak of memory then counts in.
    """
    kind, index = available.parse(device, available.probe())
    if is_host(kind):
        with torch.random.fork_rng(devices=()):
            yield False
        return
    current = torch.accelerator.current_device_index()
    seeded = () if kind == "mps" else range(torch.accelerator.device_count())  # that of MPS cannot be asked for
    with torch.random.fork_rng(seeded, device_type=kind):
        try:
            yield keeps_count() and torch.accelerator.memory_allocated(index) > 0
        finally:
            torch.accelerator.set_device_index(current)
