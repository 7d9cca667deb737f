"""Models that ask for the device of their input, and models that were built on the meta device but need values."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from backbone_bench import profiler
from backbone_bench.base.errors import UserError
from backbone_bench.jobs.job import Job
from backbone_bench.measure.devices import fitting
from backbone_bench.records import ModelCost
from backbone_bench.zoo.sources import InMemoryModel

FLOPS = 2 * 8 * 4


@contextmanager
def rotary(x: Tensor) -> Iterator[None]:
    with torch.autocast(x.device.type, enabled=False):
        yield


@contextmanager
def in_half(x: Tensor) -> Iterator[None]:
    with torch.amp.autocast(device_type=x.device.type, dtype=torch.bfloat16):
        yield


@contextmanager
def if_available(x: Tensor) -> Iterator[None]:
    kind = x.device.type
    with torch.autocast(kind, torch.float16, enabled=torch.amp.is_autocast_available(kind)):
        yield


@contextmanager
def by_name(x: Tensor) -> Iterator[None]:
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.autocast("cuda", enabled=False):
        yield


@contextmanager
def on_its_device(x: Tensor) -> Iterator[None]:
    assert not x.is_cuda
    with torch.device(x.device):
        yield


@contextmanager
def generator(x: Tensor) -> Iterator[None]:
    torch.Generator(device=x.device).manual_seed(0)
    yield


@contextmanager
def known_device(x: Tensor) -> Iterator[None]:
    assert x.device.type in ("cpu", "cuda"), "a device of mine"
    yield


@contextmanager
def reads_values(x: Tensor) -> Iterator[None]:
    if x.sum().item() < float("inf"):
        yield


class Within(nn.Module):
    def __init__(self, ask: Any) -> None:
        super().__init__()
        self.ask, self.linear = ask, nn.Linear(8, 4)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        with self.ask(x):
            return self.linear(x) * self.scale

    def example_inputs(self) -> Tensor:
        return torch.zeros(2, 8)


def counted(model: nn.Module) -> ModelCost:
    found = profiler.count(Job("object:net", {}), InMemoryModel(model)).cost
    assert isinstance(found, ModelCost)
    return found


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("ask", [rotary, in_half, if_available, by_name, on_its_device])
def test_a_model_that_asks_for_the_device_of_its_input_is_counted_from_shapes(ask: Any, device: str) -> None:
    with torch.device(device):
        model = Within(ask)
    found = counted(model)
    assert (found.flops, found.path) == (FLOPS, "meta")
    assert model.linear.weight.device.type == device


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("ask", [generator, known_device, reads_values])
def test_a_model_that_needs_values_gets_them_also_if_it_was_built_without(ask: Any, device: str) -> None:
    with torch.device(device):
        model = Within(ask)
    found = counted(model)
    assert (found.flops, found.path) == (FLOPS, "cpu")
    assert model.linear.weight.device.type == device


def test_no_values_are_given_to_a_model_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "host_has_bytes", lambda _: False)
    with torch.device("meta"):
        model = Within(known_device)
    with pytest.raises(UserError, match="a device of mine"):
        counted(model)


def test_autocast_is_torchs_own_again_after_the_count() -> None:
    before = torch.autocast.__init__
    counted(Within(rotary))
    assert torch.autocast.__init__ is before


class Detector(Within):
    """Stands for torchvision's detectors, whose constructor and forward pass need values."""

    pretrained_cfg = {"input_size": (3, 8, 8)}  # noqa: RUF012  # as timm has it

    def __init__(self) -> None:
        super().__init__(reads_values)
        self.boxes = nn.Conv2d(3, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        with self.ask(image):
            found = self.boxes(image)
            return self.linear(found[found > found.mean()][:64].reshape(8, 8))


def test_a_model_of_a_library_is_built_again_with_values_where_shapes_were_not_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """As `torchvision:fasterrcnn_mobilenet_v3_large_320_fpn`, which counted from a file but not by its name."""
    library = SimpleNamespace(is_model=lambda _: True, create_model=lambda *_, **__: Detector())
    monkeypatch.setitem(sys.modules, "timm", library)
    by_name = profiler.count(Job("timm:detector", {}))
    in_file = counted_in_file(tmp_path)
    assert by_name.cost == in_file
    assert isinstance(by_name.cost, ModelCost)
    assert (by_name.cost.path, by_name.cost.flops) == ("cpu", 64 * 3 * 4 + 8 * 8 * 4)


def counted_in_file(folder: Any) -> object:
    net = folder / "net.py"
    net.write_text("from tests.cost.test_devices import Detector\n")
    return profiler.count(Job(f"{net}:Detector", {}, input_size=8)).cost
