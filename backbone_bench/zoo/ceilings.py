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
    """Every element read once and written once, and no arithmetic."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def example_inputs(self) -> tuple[Tensor]:
        return (torch.empty((1, self.size, self.size), device="meta"),)

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def product(size: int = 2048) -> Product:
    return Product(size)


def copy(size: int = 8192) -> Copy:
    return Copy(size)
