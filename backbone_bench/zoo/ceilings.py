"""Ceilings of a roofline: two models that measure a device's peak throughput and bandwidth.

They are a matrix product and a copy, and are profiled like any other model:
`bench run backbone_bench.zoo.ceilings:product backbone_bench.zoo.ceilings:copy`
on the device of other records gives those a roofline. A large GPU needs a larger
product (`--arg size=8192`); a copy must be larger than the caches.
"""

import torch
from torch import Tensor, nn


class Product(nn.Module):
    """Product of two square matrices: `size`³ multiply-adds."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size, bias=False)

    def example_inputs(self) -> tuple[Tensor]:
        size = self.linear.in_features
        return (torch.empty((1, size, size), device="meta"),)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class Copy(nn.Module):
    """Copy of a matrix: reads and writes every element once, 0 FLOPs; for batch 1 only.

    It always writes to the same memory: the system would have to allocate and
    clear new memory at every call, which takes several times as long as the copy.
    """

    target: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("target", torch.zeros((1, size, size)), persistent=False)

    def example_inputs(self) -> tuple[Tensor]:
        return (torch.empty_like(self.target, device="meta"),)

    def forward(self, x: Tensor) -> Tensor:
        return self.target.copy_(x)


def product(size: int = 2048) -> Product:
    return Product(size)


def copy(size: int = 8192) -> Copy:
    return Copy(size)
