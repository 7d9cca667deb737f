"""What a device can do at most, as two models that are profiled like any other: a matrix product and a copy.

`bench run backbone_bench.zoo.ceilings:product backbone_bench.zoo.ceilings:copy`
on the device of other records gives them a roofline. Larger sizes (`--arg
size=8192`) fill a large GPU; a copy must be larger than the caches.
"""

import torch
from torch import Tensor, nn


class Product(nn.Module):
    """A square matrix by a square matrix: `size`³ multiply-adds."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size, bias=False)

    def example_inputs(self) -> tuple[Tensor]:
        size = self.linear.in_features
        return (torch.empty((1, size, size), device="meta"),)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class Copy(nn.Module):
    """Every element read once and written once, and no arithmetic; at batch 1.

    It writes where it wrote before: fresh memory, which the system has to find
    and clear at every call, takes several times as long as the copy.
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
