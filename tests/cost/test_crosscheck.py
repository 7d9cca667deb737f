"""Cross-check with fvcore: every difference has a cause and a size, and the residue is zero."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backbone_bench import cost
from backbone_bench.cost import crosscheck
from backbone_bench.records import CrossCheck, Difference, Missing
from backbone_bench.zoo import catalogue
from tests.zoo.built import with_values


def cross_check(model: nn.Module, *args: Tensor, **kwargs: Tensor) -> CrossCheck:
    found = crosscheck.check(model, args, kwargs, cost.count(model, args, kwargs), {})
    assert isinstance(found, CrossCheck)
    return found


# The one of each family with the fewest operations: fvcore's trace of a deep network takes seconds.
SHORTEST = {
    entry.family: entry.name
    for entry in sorted(catalogue.entries().values(), key=lambda entry: entry.counts["ops"], reverse=True)
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORTEST.values())
def test_no_family_leaves_a_residue(name):
    entry = catalogue.find(name)
    model = with_values(name).eval()
    size = min(96, entry.input[1])
    assert cross_check(model, torch.randn(1, 3, size, size)).residue_flops == 0


def test_the_differences_of_resnet50_are_those_worked_out_by_hand():
    """Two FLOPs per batch-norm element (11113984 of them), and one per element that the global pool reads."""
    assert cross_check(with_values("resnet50").eval(), torch.randn(1, 3, 224, 224)).differences == (
        Difference("counts batch norm", 22227968),
        Difference("counts adaptive pooling", 100352),
    )


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


class Functional(nn.Module):
    """Two functional convolutions; fvcore knows one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(x, self.weight, padding="valid"), self.weight)


class Product(nn.Module):
    def __init__(self, work: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.work = work

    def forward(self, x: Tensor) -> Tensor:
        return self.work(x)


STRING_PADDING = "misses convolutions with string padding"


@pytest.mark.parametrize(
    ("model", "shape", "differences"),
    [
        (nn.Conv2d(3, 4, 3, padding="same"), (1, 3, 8, 8), {STRING_PADDING: -6912}),
        (Functional(), (1, 3, 8, 8), {STRING_PADDING: -36 * 81}),
        (Attention(), (1, 2, 5, 8), {"misses fused attention": -800}),
        (nn.LSTM(8, 12), (5, 2, 8), {"misses the LSTM": -9600}),
        (nn.GRU(8, 12), (5, 2, 8), {"misses the GRU": -7200}),
        (nn.RNN(8, 12), (5, 2, 8), {"misses the RNN": -2400}),
        (nn.GRUCell(8, 12), (2, 8), {}),
        (Product(lambda x: torch.baddbmm(x, x, x)), (2, 4, 4), {"misses batched products with an added term": -128}),
        (Product(lambda x: x[0].mv(x[0, 0]).dot(x[0, 1])), (2, 4, 4), {"misses matrix-vector and dot products": -20}),
        (Product(lambda x: torch.inner(x[0], x[1])), (2, 4, 4), {"misses inner, tensordot and multi_dot": -64}),
        (
            nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
            (2, 5, 16),
            {"counts layer norm": 2 * 5 * 160, "misses fused attention": -1600},
        ),
        (nn.DataParallel(nn.Sequential(Attention())), (1, 2, 5, 8), {"misses fused attention": -800}),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), (2, 3, 8, 8), {"counts batch norm": 5 * 512}),
        (nn.Sequential(nn.BatchNorm2d(3, affine=False)), (2, 3, 8, 8), {"counts batch norm": 384}),
        (
            nn.Sequential(nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="bilinear")),
            (1, 3, 4, 4),
            {"counts upsampling": 3 * 64 + 4 * 3 * 256},
        ),
        (nn.Conv2d(3, 4, 3), (1, 3, 8, 8), {}),
    ],
)  # fmt: skip
def test_a_difference_is_named_with_its_size_worked_out_by_hand(model, shape, differences):
    if not any(isinstance(part, nn.BatchNorm2d) and part.affine for part in model.modules()):
        model.eval()
    found = cross_check(model, torch.randn(shape))
    assert {difference.cause: difference.flops for difference in found.differences} == differences
    assert found.residue_flops == 0


class Compiled(nn.Module):
    """A compiled model, as torch wraps it."""

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self._orig_mod = original


def test_a_compiled_model_is_traced_as_it_was_written():
    assert cross_check(Compiled(nn.Conv2d(3, 4, 3)), torch.randn(1, 3, 8, 8)).flops == 36 * 4 * 27


def test_what_no_cause_explains_is_left_as_the_residue():
    class Solves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bij,bjk,bkl->bil", x, x, x)  # fvcore uses numpy's cheapest order of contraction

    found = cross_check(Solves(), torch.rand(2, 4, 4))
    assert found.flops == found.residue_flops + 2 * 2 * 4**3


class Keywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, *, scale: Tensor) -> Tensor:
        return self.linear(x) * scale


def test_keywords_reach_the_model():
    assert cross_check(Keywords(), torch.randn(2, 4), scale=torch.randn(4)).flops == 32


class Nested(nn.Module):
    """Nested inputs and outputs: dictionaries with values that are no tensors, and one tensor twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, given: dict[str, Any]) -> dict[str, Any]:
        assert given["again"] is given["x"]
        return {"made": self.linear(given["x"]), "name": given["name"], "nothing": None}


def test_however_a_model_nests_its_inputs_it_is_traced():
    x = torch.randn(2, 4)
    given = {"x": x, "again": x, "name": "x"}
    found = crosscheck.check(Nested(), [given], {}, cost.count(Nested(), [given]), {})
    assert isinstance(found, CrossCheck)
    assert (found.flops, found.residue_flops) == (32, 0)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = copy.deepcopy(model.state_dict())
    cross_check(model, torch.randn(2, 3, 8, 8))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class ReadsValues(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("this model cannot be traced\nfor a long reason")


def test_a_failure_of_fvcore_leaves_no_hook_behind():
    model = nn.Sequential(nn.Linear(2, 2), ReadsValues())
    crosscheck.check(model, [torch.randn(1, 2)], {}, cost.count(nn.Linear(2, 2), [torch.randn(1, 2)]), {})
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_failure_of_fvcore_is_a_reason_and_no_crash():
    model = nn.Linear(2, 2)
    found = crosscheck.check(ReadsValues(), [torch.randn(1, 2)], {}, cost.count(model, [torch.randn(1, 2)]), {})
    assert found == Missing("fvcore_failed", "fvcore cannot count this model: this model cannot be traced")


def test_attentions_fast_path_is_as_it_was():
    cross_check(nn.Linear(2, 2), torch.randn(1, 2))
    assert torch.backends.mha.get_fastpath_enabled()


def test_nothing_of_fvcore_reaches_the_users_terminal(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cross_check(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardswish()), torch.randn(1, 3, 8, 8))
    assert capfd.readouterr() == ("", "")
