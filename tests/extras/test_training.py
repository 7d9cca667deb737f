"""The backward pass of the zoo and of a hundred models of timm has torch's FLOPs, or a cause for each difference."""

import pytest
import torch
from torch import nn

from backbone_bench.cost import count
from backbone_bench.cost.training import TrainingStep
from backbone_bench.zoo import catalogue, registry
from tests.cost import torchs_counter

timm = pytest.importorskip("timm", reason="timm is not installed: make test-extras")

TITLES = ("model", "forward", "backward", "by torch", "note")
NAMES = timm.list_models()
SPREAD = NAMES[:: len(NAMES) // 100]
LARGEST = 500_000_000  # parameters


def compare(name: str, model: nn.Module, image: torch.Tensor, row) -> None:
    cost = count(model.train(), [image], training=TrainingStep())
    forward, backward = torchs_counter.multiply_adds(model, [image])
    unknown = ", ".join(operation.op for operation in cost.uncounted)
    row(name, cost.flops_of("forward"), cost.flops_of("backward"), backward, unknown and f"uncounted: {unknown}")
    assert cost.flops_of("forward") == forward
    ours = cost.flops_of("backward") + torchs_counter.explained(model, cost)
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):  # torch: no gradient of the first state
        assert backward == pytest.approx(ours, rel=0.01)
    else:
        assert backward == ours


@pytest.mark.parametrize("name", catalogue.entries())
def test_a_network_of_the_zoo(name, row):
    model = registry.build(registry.load_all()[name], {}, on_meta=True)
    compare(name, model, torch.empty(2, *catalogue.entries()[name].input, device="meta"), row)


@pytest.mark.parametrize("name", SPREAD)
def test_a_model_of_timm(name, row):
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False)
    if sum(parameter.numel() for parameter in model.parameters()) > LARGEST:
        pytest.skip("a model of this size takes minutes to build")
    compare(f"timm:{name}", model, torch.empty(2, *model.pretrained_cfg["input_size"], device="meta"), row)
