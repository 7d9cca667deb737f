"""A training step is counted as autograd runs it: by hand, against torch's counter and against the CPU's allocator."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity
from torch.profiler import profile as traced
from torch.utils.checkpoint import checkpoint

from backbone_bench.base.errors import UserError
from backbone_bench.cost import count, training
from backbone_bench.cost.aten import BACKWARD_MOVES
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.training import TrainingLedger, TrainingStep
from backbone_bench.records import Missing, ModelCost, OpCost
from backbone_bench.zoo import catalogue, registry
from tests.cost import torchs_counter

STEP = TrainingStep()


def backward(cost: ModelCost) -> dict[str, OpCost]:
    """The rows of the backward pass by operation; every operation in one module."""
    return {row.op: row for row in cost.by_op if row.phase == "backward"}


def by_module(cost: ModelCost) -> dict[str, int]:
    """The FLOPs of the backward pass of every module that has any."""
    found: Counter[str] = Counter()
    for row in cost.by_op:
        if row.phase == "backward" and not isinstance(row.flops, Missing):
            found[row.module] += row.flops
    return {module: flops for module, flops in found.items() if flops}


class TwoConvolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)))


class Undecided(TwoConvolutions):
    """A model that reads a value, so that it is counted with real tensors."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float(x.mean().item() > -100)


IMAGE = torch.empty(1, 3, 8, 8, device="meta")
FIRST, SECOND = 64 * 27 * 4, 64 * 36 * 8  # multiply-adds of the two convolutions


# What is needed, and nothing else.


def test_the_input_needs_no_gradient() -> None:
    cost = count(TwoConvolutions(), [IMAGE], training=STEP)
    assert by_module(cost) == {"first": FIRST, "second": 2 * SECOND}
    assert cost.flops_of("forward") == FIRST + SECOND
    assert cost.flops == 2 * FIRST + 3 * SECOND


def test_frozen_parameters_need_none() -> None:
    model = TwoConvolutions()
    model.second.requires_grad_(False)
    assert by_module(count(model, [IMAGE], training=STEP)) == {"first": FIRST, "second": SECOND}
    model.first.requires_grad_(False)
    with pytest.raises(UserError, match="There is nothing to train"):
        count(model, [IMAGE], training=STEP)


@pytest.mark.parametrize("kind", [TwoConvolutions, Undecided])
def test_an_input_that_requires_a_gradient_is_counted_with_it_and_has_none_afterwards(kind: Any) -> None:
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    assert by_module(count(kind(), [image], training=STEP))["first"] == 2 * FIRST
    assert image.grad is None


@pytest.mark.filterwarnings("ignore:None of the inputs")  # torch's, in the pass without gradients
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_block_is_counted_again(reentrant: bool) -> None:
    class Checkpointed(TwoConvolutions):
        def forward(self, x: Tensor) -> Any:
            return checkpoint(lambda x: F.relu(self.second(x)), F.relu(self.first(x)), use_reentrant=reentrant)

    assert by_module(count(Checkpointed(), [IMAGE], training=STEP)) == {"first": FIRST, "second": 3 * SECOND}


def test_memory_access_and_reduction_depth_are_of_the_forward_pass() -> None:
    forward, step = (count(TwoConvolutions(), [IMAGE], training=training) for training in (None, STEP))
    assert (step.access_elems, step.cio_elems) == (forward.access_elems, forward.cio_elems)
    assert step.reduction_depth == forward.reduction_depth == 27 + 36


def test_the_traffic_of_a_convolutions_gradients() -> None:
    row = backward(count(TwoConvolutions(), [IMAGE], training=STEP))["convolution_backward"]
    assert row.module == "first"  # the later row of two with this name: without a gradient of its input
    assert row.traffic_elems == 4 * 64 + 3 * 64 + (4 * 3 * 9 + 4)  # its output's gradient, input; weight and bias


# Layers that are one operation.


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        return self.heads(x, x, x, need_weights=False)[0]


def test_fused_attention_makes_its_scores_again() -> None:
    cost = count(Attention(), [torch.empty(3, 10, 16, device="meta")], training=STEP)
    row = backward(cost)["scaled_dot_product_attention_backward"]
    assert row.flops == 5 * 3 * 2 * 10 * 10 * 8
    maps, weights_kept = 3 * 10 * 16, 3 * 2 * 10
    assert row.traffic_elems == (3 + 1 + 1) * maps + weights_kept + 3 * maps  # q, k, v, output, its gradient; gradients
    assert row.module == "heads"


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_recurrent_layer_has_one_backward_pass(kind: Any) -> None:
    model = kind(8, 16, num_layers=2, bidirectional=True)
    cost = count(model, [torch.empty(5, 3, 8, device="meta")], training=STEP)
    first = 5 * 3 * sum(p.numel() for name, p in model.named_parameters() if name.startswith("weight_ih_l0"))
    (row,) = (row for row in cost.by_op if row.op.endswith("_backward"))
    assert row.flops == 2 * cost.flops_of("forward") - first
    assert not {"mm", "addmm", "bmm"} & {other.op for other in cost.by_op}


def test_dropout_keeps_a_byte_for_an_element() -> None:
    row = backward(count(nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5)), [torch.empty(2, 4)], training=STEP))
    assert row["dropout_backward"].traffic_elems == 3 * 16
    assert row["dropout_backward"].traffic_bytes == (4 + 1 + 4) * 16


# Operations of the backward pass that only move.

x, line, cube = torch.rand(2, 4, 6, 6), torch.rand(2, 4, 6), torch.rand(2, 4, 6, 6, 6)
words, starts = torch.tensor([0, 2, 1, 3]), torch.tensor([0, 2])
half, plus = torch.tensor([0, 3]), torch.ones(2, 6)


def grad(tensor: Tensor) -> Tensor:
    return tensor.clone().requires_grad_()


MOVED: Mapping[str, Callable[[], Any]] = {
    "embedding_dense_backward": lambda: F.embedding(words, grad(plus.T.repeat(1, 2))),
    "_embedding_bag_backward": lambda: F.embedding_bag(words, grad(line[0]), starts),
    "_embedding_bag_per_sample_weights_backward": lambda: F.embedding_bag(
        words, line[0], starts, mode="sum", per_sample_weights=grad(torch.rand(4))
    ),
    "batch_norm_backward": lambda: torch.ops.aten._batch_norm_with_update(
        grad(x), torch.rand(4), torch.rand(4), torch.rand(4), torch.rand(4), 0.1, 1e-5
    ),
    "fractional_max_pool3d_backward": lambda: F.fractional_max_pool3d(grad(cube), 2, output_size=3),
    "rrelu_with_noise_backward": lambda: F.rrelu(grad(x), training=True),
    "multi_margin_loss_backward": lambda: F.multi_margin_loss(grad(plus), half),
    "multilabel_margin_loss_backward": lambda: F.multilabel_margin_loss(grad(plus), plus.long()),
    "soft_margin_loss_backward": lambda: F.soft_margin_loss(grad(plus), plus),
}
NOT_ON_A_CPU = {"_fused_rms_norm_backward"}


def test_every_backward_pass_that_moves_has_been_tried() -> None:
    assert MOVED.keys() | NOT_ON_A_CPU == BACKWARD_MOVES


@pytest.mark.parametrize("name", MOVED)
def test_a_backward_pass_that_moves_has_no_flops(name: str) -> None:
    ledger = TrainingLedger([], list, 1)
    training.run(MOVED[name], STEP, ledger, Recorder(ledger))
    rows = {row.op: row for row in ledger.rows()}
    assert rows[name].flops == 0
    assert rows[name].phase == "backward"


# Against torch's counter.


NETWORKS = (
    "resnet18",
    "vgg11_bn",
    "googlenet",
    "cifar_densenet40_k12",
    "vovnet27_slim",
    "resnext50_32x4d",
    "mobilenetv2",
)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_backward_pass_has_torchs_flops(name: str) -> None:
    model = registry.build(registry.load_all()[name], {}, on_meta=True).train()
    image = torch.empty(2, 3, *(min(96, size) for size in catalogue.find(name).input[1:]), device="meta")
    cost = count(model, [image], training=STEP)
    assert not cost.uncounted
    ours = cost.flops_of("forward"), cost.flops_of("backward") + torchs_counter.explained(model, cost)
    assert ours == torchs_counter.multiply_adds(model, [image])


def test_resnet18_as_published() -> None:
    model = registry.build(registry.load_all()["resnet18"], {}, on_meta=True).train()
    cost = count(model, [torch.empty(1, 3, 224, 224, device="meta")], training=STEP)
    assert cost.flops_of("forward") == 1_814_073_344
    assert cost.flops_of("backward") == 2 * 1_814_073_344 - 112 * 112 * 64 * 3 * 49  # the image needs no gradient


# Peaks, against the allocator of the CPU.


def allocated(model: nn.Module, image: Tensor) -> int:
    """The most bytes that one step allocates at once."""

    def step() -> None:
        output = model(image)
        torch.autograd.backward([output], [torch.ones_like(output)])

    step()
    model.zero_grad(set_to_none=True)  # what is freed in the trace would be subtracted
    with traced(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        step()
    live = peak = 0
    for event in trace.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


def test_the_peak_of_linear_layers_is_the_allocators() -> None:
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    image = torch.rand(128, 64)
    peak = count(model, [image], training=STEP).peak_activation_bytes
    # The trace begins after the image was made. Versions of torch differ by the 512 bytes of a bias.
    assert peak == pytest.approx(allocated(model, image) + image.numel() * 4, abs=512)


def test_the_peak_of_a_network_is_the_allocators_but_for_the_kernels_buffers() -> None:
    model = registry.build(registry.load_all()["resnet18"], {}, on_meta=False).train()
    image = torch.rand(4, 3, 64, 64)
    peak = count(model, [image], training=STEP).peak_activation_bytes
    assert peak == pytest.approx(allocated(model, image) + image.numel() * 4, rel=0.03)


# The optimizer.


@pytest.mark.parametrize(
    ("optimizer", "moved"),
    # Multiples of the parameters that are read and written. SGD: weight decay into a new gradient (3), the momentum
    # scaled (2) and added to (3), the weights (3). AdamW: decay (2), the mean (3), the square scaled (2) and added to
    # (4), its root (2), divided (2), epsilon (2), the weights (4).
    [("sgd", 3 + 2 + 3 + 3), ("adamw", 2 + 3 + 2 + 4 + 2 + 2 + 2 + 4)],
)
def test_an_optimizer_moves_its_state(optimizer: Any, moved: int) -> None:
    model = TwoConvolutions()
    cost = count(model, [IMAGE], training=TrainingStep(optimizer))
    rows = [row for row in cost.by_op if row.phase == "optimizer"]
    assert {row.module for row in rows} == {""}
    assert sum(row.flops for row in rows if not isinstance(row.flops, Missing)) == 0
    assert not cost.uncounted
    assert sum(row.traffic_elems for row in rows) / cost.params == pytest.approx(moved)


def test_the_step_of_frozen_parameters_is_not_counted() -> None:
    model = TwoConvolutions()
    model.first.requires_grad_(False)
    trained = sum(parameter.numel() for parameter in model.second.parameters())
    cost = count(model, [IMAGE], training=TrainingStep("sgd"))
    assert sum(row.traffic_elems for row in cost.by_op if row.phase == "optimizer") == 11 * trained


# The model stays as it was.


def test_the_cpu_counts_what_meta_counts() -> None:
    on_meta, on_cpu = (
        count(model, [IMAGE], training=TrainingStep("sgd")) for model in (TwoConvolutions(), Undecided())
    )
    assert (on_meta.path, on_cpu.path) == ("meta", "cpu")
    assert by_module(on_meta) == by_module(on_cpu)


def test_attention_on_the_cpu_is_one_operation_too() -> None:
    class Decided(Attention):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x) if x.sum().item() == x.sum().item() else x

    cost = count(Decided(), [torch.rand(3, 10, 16)], training=STEP)
    assert cost.path == "cpu"
    assert backward(cost)["scaled_dot_product_attention_backward"].flops == 5 * 3 * 2 * 10 * 10 * 8


@pytest.mark.parametrize("kind", [TwoConvolutions, Undecided])
def test_weights_gradients_and_statistics_are_as_before(kind: Any) -> None:
    model = nn.Sequential(kind(), nn.BatchNorm2d(8)).train()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    count(model, [IMAGE], training=TrainingStep("adamw"))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and bool((gradient == 1).all()) for gradient in gradients)


def test_attention_is_torchs_own_afterwards() -> None:
    count(Attention(), [torch.empty(3, 10, 16, device="meta")], training=STEP)
    q = torch.rand(1, 2, 4, 8, requires_grad=True)
    F.scaled_dot_product_attention(q, q, q).sum().backward()
    assert q.grad is not None
    assert float(q.grad.abs().sum()) > 0
