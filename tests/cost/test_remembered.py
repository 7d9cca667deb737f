"""What no rule answers runs torch's kernel once for each signature, and is the same and booked the same afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backbone_bench.cost import count
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules import ShapeRules, remembered
from tests.cost.test_rules import Call, agrees, meta, under


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    remembered.forget()


@pytest.fixture
def kernels(monkeypatch) -> list[Any]:
    """One recorder for each function that ran torch's kernel; it enters itself again within a function."""
    ran: list[Any] = []
    through = Recorder.__enter__

    def enter(self: Recorder) -> Any:
        ran.append(self)
        return through(self)

    monkeypatch.setattr(Recorder, "__enter__", enter)
    return ran


def channels_last(*shape: int) -> Tensor:
    return meta(*shape).to(memory_format=torch.channels_last)


TAIL = {
    "einsum": Call(torch.einsum, lambda: ("bhwc,hkc->bhwk", meta(2, 3, 4, 5), meta(3, 6, 5))),
    "a channels-last convolution": Call(torch.conv2d, lambda: (channels_last(2, 4, 5, 5), meta(6, 4, 3, 3))),
    "a channels-last pool": Call(F.max_pool2d, lambda: (channels_last(2, 4, 6, 6), 2)),
    "interpolate": Call(F.interpolate, lambda: (meta(2, 4, 5, 5),), {"scale_factor": 2.0, "mode": "bilinear"}),
    "normalize": Call(F.normalize, lambda: (meta(2, 4, 5),), {"dim": -1}),
    "group_norm": Call(F.group_norm, lambda: (meta(2, 4, 5, 5), 2, meta(4), meta(4))),
    "rms_norm": Call(F.rms_norm, lambda: (meta(2, 3, 8), (8,), meta(8))),
    "a place by indices": Call(Tensor.__getitem__, lambda: (meta(9, 3), meta(12, dtype=torch.int64))),
    "stack": Call(torch.stack, lambda: ([meta(2, 3), meta(2, 3)], 1)),
    "a broadcast product": Call(torch.matmul, lambda: (meta(2, 3, 4), meta(1, 4, 5))),
    "another type": Call(Tensor.add, lambda: (meta(2, 3), meta(2, 3, dtype=torch.float16))),
    "a slice as argument": Call(torch.sum, lambda: (meta(2, 3, 4),), {"dim": (0, 2), "keepdim": True}),
}


@pytest.mark.parametrize("what", TAIL)
def test_a_second_call_runs_no_kernel_and_is_the_same(what, kernels):
    agrees(TAIL[what])
    assert len(set(kernels)) == 2  # of the recorder alone, and of the first call


def test_several_results_are_remembered_as_the_tuple_that_they_are(kernels):
    weights = [meta(4 * 6, size) for size in (5, 6)] + [meta(24), meta(24)]
    given = meta(2, 7, 5), [meta(1, 2, 6)] * 2, weights, True, 1, 0.0, False, False, True
    shapes = []
    for _ in range(2):
        ledger = Ledger([], list, 1)
        with torch.inference_mode(), ShapeRules(ledger):
            shapes.append(([(x.shape, x.stride()) for x in torch.lstm(*given)], ledger.rows(), ledger.peak_bytes))
    assert shapes[0] == shapes[1]
    assert len(set(kernels)) == 1


EACH_TIME: dict[str, Call] = {
    "a result that is an argument": Call(torch.clamp, lambda: (meta(2, 3), 0.0, 1.0), {"out": meta(2, 3)}),
    "a change in place": Call(Tensor.clamp_, lambda: (meta(2, 3), 0.0, 1.0)),
    "a view": Call(torch.narrow_copy, lambda: (torch.zeros(4, 3), 0, 1, 2)),
    "values": Call(torch.exp, lambda: (torch.zeros(2, 3),)),
    "a callable": Call(torch.vmap(torch.exp), lambda: (meta(2, 3),)),
}


@pytest.mark.parametrize("what", EACH_TIME)
def test_what_may_differ_is_not_remembered(what):
    under(ShapeRules, EACH_TIME[what])
    assert not remembered._memories


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: (meta(2, 3), 1), lambda: (meta(2, 3).t().contiguous().t(), 1)),
        (lambda: (meta(2, 3), 1), lambda: (meta(2, 3, dtype=torch.float16), 1)),
        (lambda: (meta(2, 3), 1), lambda: (meta(2, 3), 0)),
    ],
)
def test_what_differs_is_told_apart(one: Callable[[], Any], other: Callable[[], Any], kernels):
    for build in (one, other, one, other):
        under(ShapeRules, Call(torch.amax, build))
    assert len(set(kernels)) == 2
    assert len(remembered._memories) == 2


def test_equal_numbers_of_other_types_are_told_apart():
    with torch.inference_mode(), ShapeRules(Ledger([], list, 1)):
        for _ in range(2):
            made = [torch.full((2,), value, device="meta").dtype for value in (1, 1.0, True)]
            assert made == [torch.int64, torch.float32, torch.bool]


class Layer(nn.Module):
    """A product with a parameter: a layer, with memory access."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(meta(1, 4, 5))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.matmul(x, self.weight) + torch.matmul(x, y)


def test_a_product_with_a_weight_is_not_one_of_activations():
    x, y = meta(2, 3, 4), meta(1, 4, 5)
    first, second = (count(Layer(), (x, y)) for _ in range(2))
    assert first == second
    assert first.flops == 2 * 2 * 3 * 4 * 5
    assert first.access_elems == 2 * 3 * 4 + 2 * 3 * 5 + 4 * 5


def test_an_error_is_torchs_each_time():
    for _ in range(2):
        agrees(Call(torch.einsum, lambda: ("ab,bc->ac", meta(2, 3), meta(4, 5))))


def test_the_peak_within_a_function_is_repeated():
    """`normalize` holds its norm and the clamped norm beside its input and its result."""
    call = TAIL["normalize"]
    first, second = under(ShapeRules, call), under(ShapeRules, call)
    assert first.peak_bytes == second.peak_bytes > 2 * 4 * meta(2, 4, 5).numel()
