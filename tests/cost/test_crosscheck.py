"""fvcore as a second opinion: every difference has a cause and a size, and what is left is zero."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backbone_bench import cost
from backbone_bench.cost import crosscheck
from backbone_bench.records import CrossCheck, Difference, Missing
from backbone_bench.zoo import catalogue, registry


def second(model: nn.Module, *args: Tensor, **kwargs: Tensor) -> CrossCheck:
    found = crosscheck.check(model, args, kwargs, cost.count(model, args, kwargs), {})
    assert isinstance(found, CrossCheck)
    return found


# The cheapest of each family: fvcore's trace of a large network takes seconds.
CHEAPEST = {entry.family: entry.name for entry in sorted(catalogue.entries().values(), key=lambda entry: -entry.flops)}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHEAPEST.values())
def test_no_family_leaves_a_residue(name):
    entry = catalogue.find(name)
    model = registry.build(registry.load(name, entry.module), {}, on_meta=False).eval()
    size = min(96, entry.input[1])
    assert second(model, torch.randn(1, 3, size, size)).residue_flops == 0


def test_the_differences_of_resnet50_are_those_worked_out_by_hand():
    """Two per batch-norm element (11113984 of them) and the elements that the global pool reads."""
    entry = catalogue.find("resnet50")
    model = registry.build(registry.load("resnet50", entry.module), {}, on_meta=False).eval()
    assert second(model, torch.randn(1, 3, 224, 224)).differences == (
        Difference("counts batch norm", 22227968),
        Difference("counts adaptive pooling", 100352),
    )


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize(
    ("model", "shape", "difference"),
    [
        (
            nn.Conv2d(3, 4, 3, padding="same"),
            (1, 3, 8, 8),
            Difference("misses convolutions with padding='same'", -6912),
        ),
        (Attention(), (1, 2, 5, 8), Difference("misses fused attention", -800)),
        (nn.LSTM(8, 12), (5, 2, 8), Difference("misses the LSTM", -9600)),
        (nn.GRU(8, 12), (5, 2, 8), Difference("misses the GRU", -7200)),
    ],
    ids=["same", "attention", "lstm", "gru"],
)
def test_what_fvcore_misses_is_named_with_its_size(model, shape, difference):
    found = second(model.eval(), torch.randn(shape))
    assert found.differences == (difference,)
    assert found.residue_flops == 0


class Keywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, *, scale: Tensor) -> Tensor:
        return self.linear(x) * scale


def test_keywords_reach_the_model():
    assert second(Keywords(), torch.randn(2, 4), scale=torch.randn(4)).flops == 32


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = copy.deepcopy(model.state_dict())
    second(model, torch.randn(2, 3, 8, 8))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class ReadsValues(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("this model cannot be traced\nfor a long reason")


def test_a_failure_of_fvcore_is_a_reason_and_no_crash():
    model = nn.Linear(2, 2)
    found = crosscheck.check(ReadsValues(), [torch.randn(1, 2)], {}, cost.count(model, [torch.randn(1, 2)]), {})
    assert found == Missing("fvcore_failed", "fvcore cannot count this model: this model cannot be traced")


def test_nothing_of_fvcore_reaches_the_users_terminal(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardswish()), torch.randn(1, 3, 8, 8))
    assert capfd.readouterr() == ("", "")
