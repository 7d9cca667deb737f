"""Helpers: networks and their costs, built once for all tests of the zoo."""

import re
from functools import cache

import torch
from torch import nn

from backbone_bench.cost import count
from backbone_bench.records import ModelCost, Scalar
from backbone_bench.zoo import catalogue, registry

NAMES = tuple(catalogue.entries())


def _kind(name: str) -> str:
    """The name without its numbers: networks that differ only in depth and width have one kind."""
    return re.sub(r"\d+", "", name)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


_SHALLOWEST = {_kind(name): name for name in sorted(NAMES, key=_numbers, reverse=True)}
# Networks with hundreds of layers repeat the blocks of the shallowest network of their kind.
DISTINCT = tuple(name for name in NAMES if max(_numbers(name), default=0) < 100 or _SHALLOWEST[_kind(name)] == name)


def on_meta(name: str, **arguments: Scalar) -> nn.Module:
    """The network on the meta device: shapes and no values."""
    entry = catalogue.find(name)
    return registry.build(registry.load(name, entry.module), arguments, on_meta=True)


def with_values(name: str) -> nn.Module:
    """The network on the CPU. The values of a layer are equal and keep the signal's scale: random ones take minutes."""
    network = on_meta(name).to_empty(device="cpu")
    for tensor in network.state_dict().values():
        tensor.fill_(tensor.shape[0] / tensor.numel() if tensor.dim() > 1 else 1)
    return network


@cache
def cost(name: str, size: int, arguments: tuple[tuple[str, Scalar], ...] = ()) -> ModelCost:
    """Cost of the network for a square image of that size."""
    return count(on_meta(name, **dict(arguments)).eval(), (torch.empty((1, 3, size, size), device="meta"),))


def weights(name: str, **arguments: Scalar) -> int:
    """Parameters of convolutions and linear layers, without biases and batch norm."""
    return sum(parameter.numel() for parameter in on_meta(name, **arguments).parameters() if parameter.dim() > 1)
