"""Micro-benchmarks: stacks of equal layers that show the latency of large maps, of split layers and of 1x1 bottlenecks.

Like ShuffleNet V2's stacks (`zoo.shufflenet_micro`) they are not backbones and not in the catalogue. Compare two with
`bench versus backbone_bench.zoo.micro:split --a arg=pieces=1 --b arg=pieces=4`. Convolutions have no batch norm or
activation; the default input is the 56x56 map of those stacks.
"""

from torch import nn

from backbone_bench.zoo.families.blocks import Branches, conv
from backbone_bench.zoo.shufflenet_micro import BlockStack


def plain(channels: int = 128, kernel: int = 3, layers: int = 10, groups: int = 1) -> BlockStack:
    """Ten equal convolutions; `--input-size` changes the work of each and nothing else."""
    return BlockStack(channels, *(conv(channels, channels, kernel, groups=groups) for _ in range(layers)))


def split(pieces: int, channels: int = 128, kernel: int = 3, layers: int = 10) -> BlockStack:
    """The convolutions of `plain`, each split by output channels into pieces: equal weights, FLOPs and results."""

    def layer() -> nn.Module:
        return Branches(*(conv(channels, channels // pieces, kernel) for _ in range(pieces)))

    return BlockStack(channels, *(layer() for _ in range(layers)))


def bottleneck(channels: int = 128, shrink: int = 2, layers: int = 10) -> BlockStack:
    """The 3x3 convolutions of `plain`, each after a 1x1 convolution that divides the channels by `shrink`."""
    inner = channels // shrink
    return BlockStack(
        channels, *(nn.Sequential(conv(channels, inner, 1), conv(inner, channels)) for _ in range(layers))
    )
