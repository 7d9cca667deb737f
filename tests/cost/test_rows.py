"""Shape rules against the recorder, and counts against fvcore's, on the networks of the zoo.

Their FLOPs are compared with torch's own counter in tests/zoo/test_catalogue.py.
"""

import warnings

import pytest
import torch
from torch import Tensor, nn

from backbone_bench.cost import count, rules
from backbone_bench.zoo import catalogue
from tests.zoo.built import DISTINCT, NAMES, on_meta


def images_for(name: str, batch: int) -> Tensor:
    return torch.empty(batch, *catalogue.find(name).input, device="meta")


class Unneeded:
    """Replacement of the recorder: no operation of the zoo should need it."""

    def __init__(self, _ledger: object) -> None:
        raise AssertionError("an operation of the zoo has no shape rule")


@pytest.mark.parametrize("name", NAMES)
def test_no_operation_of_the_zoo_needs_a_kernel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "Recorder", Unneeded)
    assert count(on_meta(name).eval(), [images_for(name, 1)]).path == "meta"


@pytest.mark.parametrize("name", DISTINCT)
def test_the_fast_layer_writes_the_rows_that_the_recorder_writes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = on_meta(name).eval(), images_for(name, 3)
    fast = count(network, [images], batch=3)
    monkeypatch.setattr(rules, "RULES", {})
    assert count(network, [images], batch=3) == fast


@pytest.mark.parametrize("name", ["resnet18", "vovnet39", "densenet121", "mobilenetv2"])
def test_training_writes_the_recorders_rows_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = on_meta(name).train(), images_for(name, 2)
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
    network, images = on_meta(name).eval(), images_for(name, 1)
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
    network, images = on_meta(name).train(training), images_for(name, 2)[..., :64, :64]
    fast = count(network, [images], batch=2)
    real = Reading(network.to_empty(device="cpu"))
    on_cpu = count(real, [images], batch=2)
    assert (fast.path, on_cpu.path) == ("meta", "cpu")
    within = [(row.module.removeprefix("network").removeprefix("."), row) for row in on_cpu.by_op if row.op != "sum"]
    assert [(name, row.op, row.calls, row.flops, row.traffic_elems) for name, row in within] == [
        (row.module, row.op, row.calls, row.flops, row.traffic_elems) for row in fast.by_op
    ]
    assert on_cpu.peak_activation_bytes == fast.peak_activation_bytes


class Reading(nn.Module):
    """A wrapper that reads a value, so that the network runs on the CPU."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        images.sum().item()
        return self.network(images)
