"""Stacks of equal layers that ask a clock one question each: what a large map, pieces or a 1x1 bottleneck cost.

Like ShuffleNet V2's stacks they are no backbones and stand in no catalogue: `bench versus
backbone_bench.zoo.micro:split --a arg=pieces=1 --b arg=pieces=4`. Convolutions are bare, on the 56x56 maps of
those stacks where no other size is asked for.
"""

from torch import nn

from backbone_bench.zoo.families.blocks import Branches, conv
from backbone_bench.zoo.shufflenet_micro import BlockStack


def plain(channels: int = 128, kernel: int = 3, layers: int = 10) -> BlockStack:
    """Ten convolutions; `--input-size` changes how much each has to do and nothing else."""
    return BlockStack(channels, *(conv(channels, channels, kernel) for _ in range(layers)))


def split(pieces: int, channels: int = 128, kernel: int = 3, layers: int = 10) -> BlockStack:
    """The same convolutions, each cut into pieces by its output channels: as many weights, FLOPs and results."""

    def layer() -> nn.Module:
        return Branches(*(conv(channels, channels // pieces, kernel) for _ in range(pieces)))

    return BlockStack(channels, *(layer() for _ in range(layers)))


def bottleneck(channels: int = 128, shrink: int = 2, layers: int = 10) -> BlockStack:
    """The same 3x3 convolutions behind a 1x1 that leaves one in `shrink` of their input channels."""
    inner = channels // shrink
    return BlockStack(
        channels, *(nn.Sequential(conv(channels, inner, 1), conv(inner, channels)) for _ in range(layers))
    )
