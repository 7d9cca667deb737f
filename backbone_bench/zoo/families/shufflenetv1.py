"""ShuffleNet (Zhang et al., 1707.01083, Table 1), after the authors' code, with 3 and 8 groups.

The authors' README prints 38, 138, 292 and 524 M FLOPs and 0.7, 1.9, 3.4 and
5.4 M parameters for 3 groups: 37.6, 137.5, 292.4 and 524.0 M, and 0.717, 1.865,
3.441 and 5.450 M here.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, ConvNorm, relu
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices", "1707.01083", 2017)

UNITS = (4, 8, 4)  # of stages 2, 3 and 4


class ShuffleNetDesign(NamedTuple):
    """Groups of the 1x1 convolutions, and output channels of the stem and of stage 2; each later stage doubles them."""

    groups: int
    stem: int
    out: int


class ShuffleUnit(nn.Module):
    """Figure 2b and 2c: a grouped 1x1, a shuffle, a depthwise 3x3 and a grouped 1x1; its input is added, or joined."""

    def __init__(self, ci: int, co: int, groups: int, *, strides: bool, first: bool) -> None:
        super().__init__()
        inner, own = co // 4, co - ci if strides else co
        self.reduce = ConvNorm(ci, inner, 1, groups=1 if first else groups)
        self.shuffle = nn.ChannelShuffle(groups)
        self.depthwise = ConvNorm(inner, inner, 3, 2 if strides else 1, groups=inner, act=None)
        self.expand = ConvNorm(inner, own, 1, groups=groups, act=None)
        self.act = relu()
        self.pool = nn.AvgPool2d(3, 2, padding=1) if strides else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(self.depthwise(self.shuffle(self.reduce(x))))
        return self.act(x + y if self.pool is None else torch.cat([self.pool(x), y], dim=1))


def _shufflenet(design: ShuffleNetDesign, num_classes: int) -> Backbone:
    stem = nn.Sequential(ConvNorm(3, design.stem, 3, 2), nn.MaxPool2d(3, 2, padding=1))
    body, ci, co = nn.Sequential(), design.stem, design.out
    for number, units in enumerate(UNITS, start=2):
        for unit in range(units):
            first = number == 2 and unit == 0  # its input is too narrow for groups
            body.append(ShuffleUnit(ci, co, design.groups, strides=unit == 0, first=first))
            ci = co
        co *= 2
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(ci, num_classes, bias=False))
    return Backbone(stem, body, classifier)


@register("shufflenetv1", PAPER)
def shufflenetv1_050_g3(num_classes: int = 1000) -> Backbone:
    return _shufflenet(ShuffleNetDesign(3, 12, 120), num_classes)


@register("shufflenetv1", PAPER)
def shufflenetv1_g3(num_classes: int = 1000) -> Backbone:
    return _shufflenet(ShuffleNetDesign(3, 24, 240), num_classes)


@register("shufflenetv1", PAPER)
def shufflenetv1_150_g3(num_classes: int = 1000) -> Backbone:
    return _shufflenet(ShuffleNetDesign(3, 24, 360), num_classes)


@register("shufflenetv1", PAPER)
def shufflenetv1_200_g3(num_classes: int = 1000) -> Backbone:
    return _shufflenet(ShuffleNetDesign(3, 48, 480), num_classes)


@register("shufflenetv1", PAPER)
def shufflenetv1_g8(num_classes: int = 1000) -> Backbone:
    return _shufflenet(ShuffleNetDesign(8, 24, 384), num_classes)


@register("shufflenetv1", PAPER)
def shufflenetv1_200_g8(num_classes: int = 1000) -> Backbone:
    return _shufflenet(ShuffleNetDesign(8, 48, 768), num_classes)
