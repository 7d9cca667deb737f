"""HarDNet (Chao et al., 1909.00948), after the authors' code: harmonic blocks, which join only some earlier layers.

Layer l of a block reads layer l - 2^n for every power 2^n that divides l, and
has more channels the more powers do. Table 4 prints 4.3 and 9.1 G FLOPs and
17.6 and 36.7 M parameters for HarDNet-68 and -85: 4.246 and 9.074 G, 17.57 and
36.67 M here; its CIO of HarDNet-68, 11.5 M, is 11.47 M here. The depthwise
39DS and 68DS print 0.44 and 0.79 G, 3.5 and 4.2 M: 0.430 and 0.775 G, 3.488
and 4.181 M here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, Classifier, ConvNorm
from backbone_bench.zoo.families.mobilenetv2 import relu6
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("HarDNet: A Low Memory Traffic Network", "1909.00948", 2019)


class HarmonicStage(NamedTuple):
    """A harmonic block and the 1x1 convolution after it."""

    layers: int
    growth: int
    out: int
    halves: bool = False  # the map is halved after the 1x1 convolution


class HarDNetDesign(NamedTuple):
    """The two convolutions of the stem, the stages, and what the variants differ in."""

    stem: tuple[int, int]
    stages: tuple[HarmonicStage, ...]
    widening: float = 1.7  # m: a layer has m times the channels for each further power of two that divides its number
    depthwise: bool = False


HARDNET68 = HarDNetDesign(
    (32, 64),
    (
        HarmonicStage(8, 14, 128, halves=True),
        HarmonicStage(16, 16, 256),
        HarmonicStage(16, 20, 320, halves=True),
        HarmonicStage(16, 40, 640, halves=True),
        HarmonicStage(4, 160, 1024),
    ),
)
HARDNET85 = HarDNetDesign(
    (48, 96),
    (
        HarmonicStage(8, 24, 192, halves=True),
        HarmonicStage(16, 24, 256),
        HarmonicStage(16, 28, 320, halves=True),
        HarmonicStage(16, 36, 480),
        HarmonicStage(16, 48, 720, halves=True),
        HarmonicStage(4, 256, 1280),
    ),
)
HARDNET39DS = HarDNetDesign(
    (24, 48),
    (
        HarmonicStage(4, 16, 96, halves=True),
        HarmonicStage(16, 20, 320, halves=True),
        HarmonicStage(8, 64, 640, halves=True),
        HarmonicStage(4, 160, 1024),
    ),
    widening=1.6,
    depthwise=True,
)
HARDNET68DS = HARDNET68._replace(depthwise=True)


def _links(layer: int) -> list[int]:
    """The earlier layers that a layer reads; 0 is the block's input."""
    powers = [2**n for n in range(layer.bit_length())]
    return [layer - power for power in powers if layer % power == 0]


def _width(layer: int, ci: int, stage: HarmonicStage, widening: float) -> int:
    """Output channels of a layer, rounded to an even number as the authors' code does."""
    if layer == 0:
        return ci
    channels = stage.growth * widening ** (len(_links(layer)) - 1)
    return int(int(channels + 1) / 2) * 2


class HarmonicBlock(nn.Module):
    """Harmonic block: its output joins every second layer and the last one."""

    def __init__(self, ci: int, stage: HarmonicStage, design: HarDNetDesign) -> None:
        super().__init__()
        widths = [_width(layer, ci, stage, design.widening) for layer in range(stage.layers + 1)]
        self.links = [_links(layer) for layer in range(1, stage.layers + 1)]
        self.layers = nn.ModuleList(
            _layer(sum(widths[link] for link in links), widths[layer], depthwise=design.depthwise)
            for layer, links in enumerate(self.links, start=1)
        )
        self.joined = [layer for layer in range(1, stage.layers + 1) if layer % 2 == 1 or layer == stage.layers]
        self.out = sum(widths[layer] for layer in self.joined)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer, links in zip(self.layers, self.links, strict=True):
            maps.append(layer(_join([maps[link] for link in links])))
        return _join([maps[layer] for layer in self.joined])


def _join(maps: Sequence[Tensor]) -> Tensor:
    return maps[0] if len(maps) == 1 else torch.cat(list(maps), dim=1)


def _layer(ci: int, co: int, *, depthwise: bool) -> nn.Module:
    if not depthwise:
        return ConvNorm(ci, co, 3, act=relu6)
    return nn.Sequential(ConvNorm(ci, co, 1, act=relu6), _strided(co, 1))


def _strided(channels: int, stride: int) -> nn.Module:
    """A depthwise 3x3 convolution with batch norm and no activation."""
    return ConvNorm(channels, channels, 3, stride, groups=channels, act=None)


def _halved(channels: int, design: HarDNetDesign) -> nn.Module:
    return _strided(channels, 2) if design.depthwise else nn.MaxPool2d(2)


def _hardnet(design: HarDNetDesign, num_classes: int, dropout: float) -> Backbone:
    first, ci = design.stem
    second = ConvNorm(first, ci, 1 if design.depthwise else 3, act=relu6)
    pool = _strided(ci, 2) if design.depthwise else nn.MaxPool2d(3, 2, padding=1)
    body = nn.Sequential()
    for stage in design.stages:
        block = HarmonicBlock(ci, stage, design)
        body.append(block).append(ConvNorm(block.out, stage.out, 1, act=relu6))
        if stage.halves:
            body.append(_halved(stage.out, design))
        ci = stage.out
    stem = nn.Sequential(ConvNorm(3, first, 3, 2, act=relu6), second, pool)
    return Backbone(stem, body, Classifier(ci, num_classes, dropout=dropout))


@register("hardnet", PAPER)
def hardnet39ds(num_classes: int = 1000) -> Backbone:
    return _hardnet(HARDNET39DS, num_classes, 0.05)


@register("hardnet", PAPER)
def hardnet68ds(num_classes: int = 1000) -> Backbone:
    return _hardnet(HARDNET68DS, num_classes, 0.05)


@register("hardnet", PAPER)
def hardnet68(num_classes: int = 1000) -> Backbone:
    return _hardnet(HARDNET68, num_classes, 0.1)


@register("hardnet", PAPER)
def hardnet85(num_classes: int = 1000) -> Backbone:
    return _hardnet(HARDNET85, num_classes, 0.2)
