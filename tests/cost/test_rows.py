"""The fast layer against the recorder, and counts against torch's and fvcore's, on the networks of the zoo."""

import re
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.cost import count, rules
from backbone_bench.zoo import catalogue, registry

DEEP = re.compile(r"1001|1202|1[0-9][0-9]|2[0-9][0-9]")  # hundreds of layers: a real kernel for each takes its time


def networks() -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow if DEEP.search(name) else ()) for name in catalogue.entries()]


def built(name: str, batch: int) -> tuple[nn.Module, Tensor]:
    """The network on meta, in eval mode, and images for it."""
    entry = catalogue.find(name)
    model = registry.load(entry.name, entry.module)
    return registry.build(model, {}, on_meta=True).eval(), torch.empty(batch, *model.input_shape, device="meta")


class Unneeded:
    """In the recorder's place: nothing of the zoo should come this far."""

    def __init__(self, _ledger: object) -> None:
        raise AssertionError("an operation of the zoo has no shape rule")


@pytest.mark.parametrize("name", networks())
def test_the_fast_layer_writes_the_rows_that_the_recorder_writes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = built(name, 3)
    with monkeypatch.context() as patch:
        patch.setattr(rules, "Recorder", Unneeded)
        fast = count(network, [images], batch=3)
    monkeypatch.setattr(rules, "RULES", {})
    assert count(network, [images], batch=3) == fast


@pytest.mark.parametrize("name", networks())
def test_a_networks_flops_are_half_of_what_torch_counts(name: str) -> None:
    network, images = built(name, 1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    assert 2 * count(network, [images]).flops == counter.get_total_flops()


@pytest.mark.parametrize("name", ["resnet18", "vovnet39", "densenet121", "mobilenetv2"])
def test_training_writes_the_recorders_rows_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = built(name, 2)
    network.train()
    fast = count(network, [images], batch=2)
    monkeypatch.setattr(rules, "RULES", {})
    assert count(network, [images], batch=2) == fast


SMALL = [
    "resnet18",
    "resnext50_32x4d",
    "darknet19",
    "vovnet27_slim",
    "cspresnet50",
    "googlenet",
    "cifar_densenet40_k12",
]


@pytest.mark.parametrize("name", SMALL)
def test_a_networks_convolutions_and_linear_layers_are_what_fvcore_counts(name: str) -> None:
    network, images = built(name, 1)
    ours = count(network, [images[..., :64, :64]])
    real = network.to_empty(device="cpu")
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        from fvcore.nn import FlopCountAnalysis

        theirs = FlopCountAnalysis(real, torch.zeros(1, *images.shape[1:])[..., :64, :64])
        theirs.unsupported_ops_warnings(False)
        by_operator = theirs.by_operator()
    assert ours.flops == by_operator["conv"] + by_operator["linear"]
    assert ours.conv_flops == by_operator["conv"]


@pytest.mark.parametrize("name", ["resnet18", "vovnet27_slim", "cifar_densenet40_k12", "darknet19", "cspmobilenetv2"])
@pytest.mark.parametrize("training", [False, True])
def test_the_pass_on_the_cpu_writes_the_rows_of_the_pass_on_meta(name: str, training: bool) -> None:
    network, images = built(name, 2)
    images = images[..., :64, :64]
    network.train(training)
    on_meta = count(network, [images], batch=2)
    real = Reading(network.to_empty(device="cpu"))
    on_cpu = count(real, [images], batch=2)
    assert (on_meta.path, on_cpu.path) == ("meta", "cpu")
    within = [(row.module.removeprefix("network").removeprefix("."), row) for row in on_cpu.by_op if row.op != "sum"]
    assert [(name, row.op, row.calls, row.flops, row.traffic_elems) for name, row in within] == [
        (row.module, row.op, row.calls, row.flops, row.traffic_elems) for row in on_meta.by_op
    ]
    assert on_cpu.peak_activation_bytes == on_meta.peak_activation_bytes


class Reading(nn.Module):
    """It reads a value, so that it has to run for real."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        images.sum().item()
        return self.network(images)
