"""Small models with FLOPs by hand; each has a case in which counters often miss operations or count them twice."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.cost import count

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch says it once a process


class Attention(nn.Module):
    """Fused self-attention."""

    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(x, x, x, need_weights=False)[0]


class Gram(nn.Module):
    """A product of two activations."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ x.mT


class Twice(nn.Module):
    """One linear layer, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.linear(x))


class Functional(nn.Module):
    """A functional convolution, without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight)


class Case(NamedTuple):
    """A model, the shape of its input, and its FLOPs by hand."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    flops: int
    access: int | None = None


CASES = {
    "convolutions and a classifier": Case(
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3, stride=2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
        ),
        (1, 3, 9, 9),
        81 * 9 * 3 * 8 + 16 * 9 * 8 * 4 + 4 * 10,
        81 * 11 + 9 * 24 + 16 * 12 + 9 * 32 + 14 + 40,
    ),
    "depthwise": Case(lambda: nn.Conv2d(8, 8, 3, groups=8), (1, 8, 9, 9), 49 * 9 * 8, 49 * 16 + 72),
    "transposed": Case(lambda: nn.ConvTranspose2d(8, 4, 2, stride=2), (1, 8, 7, 7), 49 * 4 * 8 * 4, 196 * 12 + 128),
    "fused attention": Case(Attention, (1, 2, 5, 8), 2 * (2 * 5 * 5 * 8), 0),
    "MultiheadAttention": Case(SelfAttention, (2, 5, 16), 4 * 10 * 16 * 16 + 2 * (2 * 4 * 5 * 5 * 4)),
    "encoder layer": Case(
        lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
        (2, 5, 16),
        4 * 10 * 16 * 16 + 2 * (2 * 4 * 5 * 5 * 4) + 2 * 10 * 16 * 32,
    ),
    "x @ x": Case(Gram, (2, 5, 8), 2 * 5 * 5 * 8, 0),
    "LSTM": Case(
        lambda: nn.LSTM(8, 12, 2, bidirectional=True, batch_first=True), (2, 5, 8),
        10 * 2 * (4 * 12 * (8 + 12) + 4 * 12 * (24 + 12)),
    ),
    "shared linear": Case(Twice, (3, 16), 2 * 3 * 16 * 16, 2 * (3 * 32 + 256)),
    "F.conv2d": Case(Functional, (1, 3, 8, 8), 36 * 9 * 3 * 4, 36 * 7 + 108),
}  # fmt: skip

MORE = {
    "1d": Case(lambda: nn.Conv1d(3, 4, 3), (2, 3, 9), 2 * 7 * 3 * 3 * 4),
    "3d, dilated": Case(lambda: nn.Conv3d(2, 4, 3, dilation=2), (1, 2, 9, 9, 9), 5**3 * 27 * 2 * 4),
    "transposed 1d": Case(lambda: nn.ConvTranspose1d(2, 4, 3), (1, 2, 5), 5 * 3 * 2 * 4),
    "transposed 3d": Case(lambda: nn.ConvTranspose3d(2, 4, 2), (1, 2, 5, 5, 5), 125 * 8 * 2 * 4),
    "padding='same'": Case(lambda: nn.Conv2d(3, 4, 4, padding="same"), (1, 3, 8, 8), 64 * 16 * 3 * 4),
    "circular padding": Case(lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (1, 3, 8, 8), 64 * 27 * 4),
    "GRU": Case(lambda: nn.GRU(8, 12), (5, 2, 8), 10 * 3 * 12 * (8 + 12), 3 * 12 * 20 + 10 * (8 + 36 + 12 + 36)),
    "RNN": Case(lambda: nn.RNN(8, 12, nonlinearity="relu"), (5, 2, 8), 10 * 12 * 20),
    "RNN, one sequence": Case(lambda: nn.RNN(8, 12), (5, 8), 5 * 12 * 20),
    "LSTM with projection": Case(lambda: nn.LSTM(8, 12, proj_size=4), (5, 2, 8), 10 * (48 * (8 + 4) + 12 * 4)),
    "an unbatched image": Case(lambda: nn.Conv2d(3, 4, 3), (3, 8, 8), 36 * 27 * 4),
}


@pytest.mark.parametrize("case", [*CASES.values(), *MORE.values()], ids=[*CASES, *MORE])
def test_a_small_model_is_counted_as_by_hand(case: Case) -> None:
    cost = count(case.build().eval(), [torch.rand(case.shape)])
    assert cost.flops == case.flops
    assert cost.uncounted == ()
    assert cost.path == "meta"
    if case.access is not None:
        assert cost.access_elems == case.access


@pytest.mark.parametrize("case", [*CASES.values(), *MORE.values()], ids=[*CASES, *MORE])
def test_torchs_counter_on_meta_agrees(case: Case) -> None:
    model = case.build().eval().to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(case.shape, device="meta"))
    assert counter.get_total_flops() == 2 * case.flops


class ReadsFirst(nn.Module):
    """A wrapper that reads a value first, so that the model is counted on the CPU."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model(x) if x.sum().isfinite().item() else None


@pytest.mark.parametrize("case", [*CASES.values(), *MORE.values()], ids=[*CASES, *MORE])
def test_a_small_model_is_counted_on_the_cpu_as_on_meta(case: Case) -> None:
    on_meta = count(case.build().eval(), [torch.rand(case.shape)])
    on_cpu = count(ReadsFirst(case.build().eval()), [torch.rand(case.shape)])
    assert on_cpu.path == "cpu"
    assert (on_cpu.flops, on_cpu.access_elems, on_cpu.cio_elems) == (
        case.flops,
        on_meta.access_elems,
        on_meta.cio_elems,
    )
    rows = [(row.op, row.calls, row.traffic_elems) for row in on_cpu.by_op if row.op not in ("sum", "isfinite", "abs")]
    ignored = {"mul", "ne", "eq"}  # parts of isfinite
    assert [row for row in rows if row[0] not in ignored] == [
        (row.op, row.calls, row.traffic_elems) for row in on_meta.by_op if row.op not in ignored
    ]


class Packed(nn.Module):
    """Packed sequences of different length."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 12)

    def forward(self, x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 2]))
        return self.lstm(packed)[0].data


def test_packed_sequences_cost_what_they_hold_not_what_they_are_padded_to() -> None:
    assert count(Packed(), [torch.rand(5, 2, 8)], batch=2).flops == (5 + 2) * 48 * 20


def test_a_cell_is_one_step_of_its_layer() -> None:
    assert count(nn.LSTMCell(8, 12), [torch.rand(2, 8)]).flops == 2 * 48 * 20
    assert count(nn.GRUCell(8, 12), [torch.rand(2, 8)]).flops == 2 * 36 * 20
