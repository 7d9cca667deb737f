"""Networks and their costs, built once for all tests of the zoo."""

from functools import cache

import torch
from torch import nn

from backbone_bench.cost import count
from backbone_bench.records import ModelCost, Scalar
from backbone_bench.zoo import catalogue, registry

NAMES = tuple(catalogue.entries())


def on_meta(name: str, **arguments: Scalar) -> nn.Module:
    """The network, with shapes and no values."""
    entry = catalogue.find(name)
    return registry.build(registry.load(name, entry.module), arguments, on_meta=True)


def with_values(name: str) -> nn.Module:
    """The network on the CPU. A layer's values are all equal and keep the signal's size: drawing them takes minutes."""
    network = on_meta(name).to_empty(device="cpu")
    for tensor in network.state_dict().values():
        tensor.fill_(tensor.shape[0] / tensor.numel() if tensor.dim() > 1 else 1)
    return network


@cache
def cost(name: str, size: int, arguments: tuple[tuple[str, Scalar], ...] = ()) -> ModelCost:
    """What a square image of that size costs."""
    return count(on_meta(name, **dict(arguments)).eval(), (torch.empty((1, 3, size, size), device="meta"),))


def weights(name: str, **arguments: Scalar) -> int:
    """Parameters of convolutions and linear layers, without biases and batch norm."""
    return sum(parameter.numel() for parameter in on_meta(name, **arguments).parameters() if parameter.dim() > 1)
