"""Peak activation bytes: by hand, and against the liveness of a flattened graph."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from backbone_bench.cost import count
from backbone_bench.zoo import catalogue, registry

X = 1 * 4 * 8 * 8 * 4  # bytes of the input below, and of every map of as many channels


class Apply(nn.Module):
    """A function as a module, with a buffer."""

    def __init__(self, work: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.work = work
        self.buffer: Tensor
        self.register_buffer("buffer", torch.rand(4, 4, 8, 8))

    def forward(self, x: Tensor) -> Any:
        return self.work(x)


def _view_outlives_its_base(x: Tensor) -> Tensor:
    part = (x * 2)[:, :1]  # a quarter of a map keeps the whole map alive
    return part * 2


def _copy_does_not(x: Tensor) -> Tensor:
    part = (x * 2)[:, :1].clone()
    return part * 2


def _three_in_a_row(x: Tensor) -> Tensor:
    y = x * 2
    y = y * 2
    return y * 2


def _three_at_once(x: Tensor) -> Tensor:
    a, b, c = x * 2, x * 3, x * 4
    return torch.cat([a, b, c], 1)


@pytest.mark.parametrize(
    ("work", "maps"),
    [
        (lambda x: x, 1.0), (lambda x: x * 2, 2.0), (lambda x: x.relu_(), 1.0), (lambda x: x[:, :2].add_(1), 1.0),
        (lambda x: x.view(-1).view_as(x), 1.0), (_three_in_a_row, 3.0), (_three_at_once, 1 + 3 + 3),
        (_view_outlives_its_base, 1 + 1 + 0.25), (_copy_does_not, 1 + 1 + 0.25),
        (lambda x: (x * 2).sigmoid_().reshape(1, -1), 2.0), (lambda x: x.transpose(1, 2).contiguous(), 2.0),
    ],
)  # fmt: skip
def test_what_is_alive_is_what_somebody_holds(work: Callable[[Tensor], Any], maps: float) -> None:
    assert count(Apply(work), [torch.rand(1, 4, 8, 8)]).peak_activation_bytes == maps * X


def test_what_the_model_holds_is_no_activation() -> None:
    model = Apply(lambda x: x + model.buffer[:1].mul_(1))
    assert count(model, [torch.rand(1, 4, 8, 8)]).peak_activation_bytes == 2 * X


def test_one_tensor_given_twice_is_there_once() -> None:
    class Sum(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return a.add_(b)

    x = torch.rand(1, 4, 8, 8)
    assert count(Sum(), [x, x]).peak_activation_bytes == X
    assert count(Sum(), [x, x.clone()]).peak_activation_bytes == 2 * X


def test_a_chain_of_layers_holds_its_input_what_a_layer_reads_and_what_it_writes() -> None:
    chain = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 2, 3, padding=1)
    ).eval()
    positions = 2 * 9 * 9
    assert count(chain, [torch.rand(2, 3, 9, 9)], batch=2).peak_activation_bytes == 4 * positions * (3 + 8 + 8)


def liveness_bytes(graph: fx.GraphModule, image: Tensor) -> int:
    """Largest sum of live storages over the steps of the graph; the image stays alive."""
    made: dict[fx.Node, Tensor] = {}

    class Keeping(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            out = super().run_node(n)
            if isinstance(out, Tensor):
                made[n] = out
            return out

    with torch.inference_mode():
        Keeping(graph).run(image)
    steps = list(graph.graph.nodes)
    storage = {node: out.untyped_storage()._cdata for node, out in made.items()}
    size = {storage[node]: out.untyped_storage().nbytes() for node, out in made.items()}
    born: dict[int, int] = {}
    dies: dict[int, int] = {}
    for place, node in enumerate(steps):
        for used in [node, *node.all_input_nodes]:
            if used in storage:
                born.setdefault(storage[used], place)
                dies[storage[used]] = len(steps) if used.op == "placeholder" else place
    dies[storage[steps[0]]] = len(steps)
    return max(sum(size[key] for key in size if born[key] <= place <= dies[key]) for place in range(len(steps)))


@pytest.mark.parametrize(
    "name", ["resnet18", "vovnet27_slim", "googlenet", "darknet19", "cifar_densenet40_k12", "vgg11"]
)
def test_of_a_flat_graph_it_is_the_liveness_and_nested_calls_hold_no_less(name: str) -> None:
    entry = catalogue.find(name)
    model = registry.load(entry.name, entry.module)
    network = registry.build(model, {}, on_meta=True).eval()
    image = torch.empty(2, *model.input_shape, device="meta")
    graph = fx.symbolic_trace(network)
    flat = count(graph, [image], batch=2).peak_activation_bytes
    assert flat == liveness_bytes(graph, image)
    assert count(network, [image], batch=2).peak_activation_bytes >= flat  # type: ignore[operator]  # it is known


FIRST = """
import torch
from torch import nn
from backbone_bench.cost import count
layer, x = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval(), torch.rand(2, 5, 16)
print(*(count(layer, [x]).peak_activation_bytes for _ in range(2)))
"""


def test_the_first_count_of_a_process_holds_no_more_than_the_second() -> None:
    """Torch loads modules at its first operation under a mode; errors that it catches meanwhile keep frames alive.

    Torch 2.10 does so again at its first `addmm`.
    """
    output = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True).stdout
    first, second = map(int, output.split())
    assert first == second
