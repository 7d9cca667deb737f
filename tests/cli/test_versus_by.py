"""What `bench versus` compares if nothing is asked for: the device's work where it can be told from the host's time."""

import pytest

from backbone_bench.cli.versus import usual
from backbone_bench.measure.devices import available
from backbone_bench.measure.devices.available import TorchBuild


@pytest.mark.parametrize(
    ("device", "by"), [("cpu", "wall"), ("cuda", "work"), ("cuda:1", "work"), ("xpu", "wall"), ("mps:0", "wall")]
)
def test_a_named_device_is_not_built_to_find_out(device, by):
    assert usual(device) == by


@pytest.mark.parametrize(
    ("build", "by"),
    [
        (TorchBuild("2.13.0", None, 0), "wall"),
        (TorchBuild("2.13.0+cu130", "cuda", 1), "work"),
        (TorchBuild("2.13.0+cu130", "cuda", 0), "wall"),
        (TorchBuild("2.13.0", "xpu", 1), "wall"),
    ],
)
def test_auto_is_the_device_that_torch_has(monkeypatch, build, by):
    monkeypatch.setattr(available, "probe", lambda: build)
    monkeypatch.setattr(available, "resolve", lambda name, build=None: pytest.fail("a device was built"))
    assert usual("auto") == by
