"""Micro-benchmarks of ShuffleNet V2's guidelines G1 to G4, as stacks of blocks (Ma et al., 1807.11164, Tables 1 to 4).

They are not backbones and not in the catalogue. Each builder takes the widths
of a row of its table, and `example_inputs` gives the paper's 56x56 map.
Convolutions have no batch norm or activation unless the table says so. Memory
access relative to the first row: G1 1, 1.05, 1.41, 1.81; G2 1, 1.40, 1.98,
2.78; G3 1, 1.40, 1.98, equal in series and in parallel, so that G3 cannot
separate the effect of fragments from that of memory access. G1's FLOPs are 0,
1.1, 1.0 and 5.1 % below its first row. The paper prints neither the batch nor
the inner width of G4's bottleneck: here it is a quarter of the channels, as in
ResNet.
"""

import torch
from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import conv, relu

SIZE = 56  # the maps of all four tables

# For the smallest networks: rows of Table 1 (c1, c2), Table 2 (groups, channels) and Table 3 (pieces, parallel), and
# columns of Table 4 (channels).
G1 = ((128, 128), (90, 180), (52, 312), (36, 432))
G2 = ((1, 128), (2, 180), (4, 256), (8, 360))
G3 = ((1, False), (2, False), (4, False), (2, True), (4, True))
G4 = (32, 64, 128)


class BlockStack(nn.Sequential):
    """Equal blocks in series."""

    def __init__(self, channels: int, *blocks: nn.Module) -> None:
        super().__init__(*blocks)
        self.channels = channels

    def example_inputs(self) -> tuple[Tensor]:
        """The map of one image at the size of the tables."""
        return (torch.zeros(1, self.channels, SIZE, SIZE),)


class Sum(nn.Module):
    """Parallel branches of one input; their outputs are added."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (branch(x) for branch in self.branches)
        for other in others:
            first = first + other
        return first


def unequal_widths(c1: int, c2: int, blocks: int = 10) -> BlockStack:
    """G1: ten blocks of two 1x1 convolutions, from `c1` to `c2` channels and back."""
    return BlockStack(c1, *(nn.Sequential(conv(c1, c2, 1), conv(c2, c1, 1)) for _ in range(blocks)))


def grouped(groups: int, channels: int, layers: int = 10) -> BlockStack:
    """G2: ten grouped 1x1 convolutions."""
    return BlockStack(channels, *(conv(channels, channels, 1, groups=groups) for _ in range(layers)))


def fragmented(channels: int, pieces: int, *, parallel: bool = False, blocks: int = 10) -> BlockStack:
    """G3: ten blocks of `pieces` 1x1 convolutions, narrowed so that a block has the FLOPs of one with `channels`."""
    width = int(channels / pieces**0.5)

    def block() -> nn.Module:
        convolutions = [conv(width, width, 1) for _ in range(pieces)]
        return Sum(*convolutions) if parallel else nn.Sequential(*convolutions)

    return BlockStack(width, *(block() for _ in range(blocks)))


def elementwise(channels: int, *, relus: bool, shortcut: bool, blocks: int = 10) -> BlockStack:
    """G4: ten bottlenecks with and without their ReLUs and their shortcut."""
    inner = channels // 4

    def block() -> nn.Module:
        body = nn.Sequential()
        for layer in (conv(channels, inner, 1), conv(inner, inner), conv(inner, channels, 1)):
            body.append(layer)
            if relus:
                body.append(relu())
        return Sum(body, nn.Identity()) if shortcut else body

    return BlockStack(channels, *(block() for _ in range(blocks)))
