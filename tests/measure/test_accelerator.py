"""The generic accelerator where there is none: torch's answers are put in its mouth."""

import pytest
import torch

from backbone_bench.measure.accelerator import Accelerator
from backbone_bench.measure.protocols import CaptureFailed, EventsFailed
from backbone_bench.records import Missing


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "set_device_index", lambda device: None)
    return Accelerator(torch.device("cpu"))


def test_events_that_fail_are_told_in_torchs_words(device):
    with pytest.raises(EventsFailed, match="events of cpu fail: cpu backend doesn't support events"):
        device.event()


def test_graphs_are_cudas(device):
    with pytest.raises(CaptureFailed, match="CUDA only"):
        device.capture(lambda: None)


def test_going_to_the_driver_counts_and_so_does_trying_again(device, monkeypatch):
    told = {"num_device_alloc": 7, "num_alloc_retries": 2, "num_device_free": 5}
    monkeypatch.setattr(torch.accelerator, "memory_stats", lambda device: told)
    assert device.allocations() == 9


def test_memory_is_the_allocators_peak_and_not_nothing_where_it_keeps_no_count(device, monkeypatch):
    told = {"allocated_bytes.all.peak": 10, "reserved_bytes.all.peak": 20, "allocated_bytes.all.current": 3}
    monkeypatch.setattr(torch.accelerator, "memory_stats", lambda device: told)
    assert (device.memory().peak_allocated_bytes, device.memory().peak_reserved_bytes) == (10, 20)
    monkeypatch.setattr(torch.accelerator, "memory_stats", lambda device: {})
    assert isinstance(device.memory().peak_allocated_bytes, Missing)
    assert device.allocations() == 0
