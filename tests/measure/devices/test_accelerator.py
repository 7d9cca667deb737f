"""The generic accelerator on a machine without one: torch's functions are replaced."""

import pytest
import torch

from backbone_bench.measure.devices.accelerator import Accelerator
from backbone_bench.measure.protocols import CaptureFailed, EventsFailed, HoldFailed
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


@pytest.fixture
def counting(monkeypatch):
    """A device whose allocator reports these counts."""

    def of(**counts):
        monkeypatch.setattr(torch.accelerator, "set_device_index", lambda device: None)
        monkeypatch.setattr(torch.accelerator, "memory_stats", lambda device=None: counts)
        return Accelerator(torch.device("cpu"))

    return of


def test_going_to_the_driver_counts_and_so_does_trying_again(counting):
    assert counting(num_device_alloc=7, num_alloc_retries=2, num_device_free=5).allocations() == 9


def test_memory_is_the_allocators_peak(counting):
    counts = {"allocated_bytes.all.peak": 10, "reserved_bytes.all.peak": 20, "allocated_bytes.all.current": 3}
    memory = counting(**counts).memory()
    assert (memory.peak_allocated_bytes, memory.peak_reserved_bytes) == (10, 20)


def test_what_was_in_use_before_the_model_is_left_out(counting, monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.accelerator, "empty_cache", lambda: emptied.append(True))
    counts = {"allocated_bytes.all.current": 3, "reserved_bytes.all.current": 8}
    peaks = {"allocated_bytes.all.peak": 10, "reserved_bytes.all.peak": 20}
    device = counting(**counts, **peaks)
    device.leave_out_memory_in_use()
    memory = device.memory()
    assert (memory.peak_allocated_bytes, memory.peak_reserved_bytes) == (7, 12)
    assert emptied == [True]


def test_an_accelerator_without_a_kernel_for_it_cannot_be_held(device):
    with pytest.raises(HoldFailed, match="no kernel that holds cpu"):
        device.hold(0.001)


def test_an_allocator_that_keeps_no_count_has_a_reason_and_not_nothing(counting):
    device = counting()
    assert isinstance(device.memory().peak_allocated_bytes, Missing)
    assert device.allocations() == 0


def test_an_allocator_that_cannot_be_asked_keeps_no_count(monkeypatch):
    def refuse(_device=None):
        raise RuntimeError("Allocator for mps is not a DeviceAllocator.")  # as on MPS for a long time

    monkeypatch.setattr(torch.accelerator, "set_device_index", lambda device: None)
    monkeypatch.setattr(torch.accelerator, "memory_stats", refuse)
    monkeypatch.setattr(torch.accelerator, "reset_peak_memory_stats", refuse)
    device = Accelerator(torch.device("cpu"))
    device.reset_peak()
    assert isinstance(device.memory().peak_allocated_bytes, Missing)
    assert device.allocations() == 0
