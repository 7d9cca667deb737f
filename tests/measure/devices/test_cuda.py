"""CUDA graphs on a machine without CUDA: torch's capture functions are replaced."""

import weakref
from contextlib import contextmanager
from functools import partial

import pytest
import torch

from backbone_bench.measure.devices.cuda import Cuda
from backbone_bench.measure.protocols import CaptureFailed, HoldFailed


class Stream:
    """Simulated CUDA stream."""

    def __init__(self, device: object = None) -> None: ...

    def wait_stream(self, other: "Stream") -> None: ...


class Driver:
    """Torch's calls around a capture. Ending a broken capture raises a second error and leaves its stream current."""

    def __init__(self) -> None:
        self.current = self.first = Stream()
        self.replays = 0
        self.spun_cycles: list[int] = []

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream
        yield
        self.current = before

    @contextmanager
    def graph(self, graph, stream):
        self.current = stream
        try:
            yield
        except BaseException:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture\nadvice")  # noqa: B904
        self.current = self.first

    def replay(self):
        self.replays += 1


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setattr(torch.accelerator, "set_device_index", lambda device: None)
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: type("P", (), {"L2_cache_size": 50 << 20}))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: driver)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", driver.stream)
    monkeypatch.setattr(torch.cuda, "graph", driver.graph)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: driver.current)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: setattr(driver, "current", stream))
    return driver


class SpinningEvent:
    """An event of a stream whose clock counts 500 million cycles a second."""

    def __init__(self, driver: Driver) -> None:
        self.driver, self.at_s = driver, 0.0

    def record(self) -> None:
        self.at_s = sum(self.driver.spun_cycles) / 5e8

    def wait(self) -> None: ...

    def elapsed_s_since(self, earlier: "SpinningEvent") -> float:
        return self.at_s - earlier.at_s


def test_a_hold_spins_for_as_many_cycles_as_the_device_counts_in_that_time(device, driver, monkeypatch):
    monkeypatch.setattr(device, "event", lambda: SpinningEvent(driver))
    monkeypatch.setattr(torch.cuda, "_sleep", driver.spun_cycles.append)
    device.hold(0.003)
    device.hold(0.001)
    assert driver.spun_cycles[-2:] == [1_500_000, 500_000]
    assert len(driver.spun_cycles) == 4  # the rate was measured once, behind a first spin


def test_a_torch_without_a_spinning_kernel_cannot_hold(device, monkeypatch):
    monkeypatch.delattr(torch.cuda, "_sleep")
    with pytest.raises(HoldFailed) as failed:
        device.hold(0.001)
    assert failed.value.missing.missing == "no_hold"


@pytest.fixture
def device(driver):
    return Cuda(torch.device("cuda", 0))


def test_the_cache_is_as_large_as_the_driver_says(device):
    assert device.cache_bytes == 50 << 20


def test_a_replay_runs_the_graph_and_hands_out_what_was_captured(device, driver):
    outputs = iter(range(10))
    run = device.capture(lambda: torch.full((2,), next(outputs)))
    assert driver.replays == 0
    assert run().tolist() == run().tolist() == [1, 1]  # output 0 was the warm-up call on the capture stream
    assert driver.replays == 2


def test_what_a_graph_reads_lives_as_long_as_its_replay(device):
    model = torch.nn.Linear(2, 2)
    alive = weakref.ref(model)
    run = device.capture(partial(model, torch.ones(1, 2)))
    del model
    assert alive() is not None
    del run
    assert alive() is None


def test_a_capture_that_breaks_says_what_broke_it_and_leaves_the_stream_as_it_was(device, driver):
    calls = iter(range(10))

    def step():
        if next(calls):
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nadvice")

    with pytest.raises(CaptureFailed) as failed:
        device.capture(step)
    assert failed.value.missing.missing == "capture_failed"
    assert str(failed.value) == "not capturable: CUDA error: operation not permitted when stream is capturing"
    assert driver.current is driver.first


def test_what_was_captured_holds_on_to_no_autograd_graph(device):
    weight = torch.ones(2, requires_grad=True)
    run = device.capture(lambda: {"out": (weight * 2,)})
    (out,) = run()["out"]
    assert not out.requires_grad
    assert out.tolist() == [2, 2]
