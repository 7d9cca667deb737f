"""MobileNet (Howard et al., 1704.04861, Table 1), its widths, its twin of full convolutions, and SE-MobileNet.

The paper prints 569 M multiply-adds and 4.2 M parameters (Table 6): 568.7 M and
4.232 M here. Its widths 0.75, 0.5 and 0.25 print 325, 149 and 41 M: 325.4, 149.5
and 41.0 M here. The twin of full 3x3 convolutions (Table 4) prints 4866 M and
29.3 M: 4867.3 M and 29.28 M here. SE-MobileNet is of the paper on
squeeze-and-excitation (1709.01507, Table 3).
"""

from typing import NamedTuple

from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, Classifier, ConvNorm, relu
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", "1704.04861", 2017)
SENET = Paper("Squeeze-and-Excitation Networks", "1709.01507", 2017)

REDUCTION = 16  # channels of a squeeze-and-excitation block over those of its hidden layer


class MobileNetBlock(NamedTuple):
    """Blocks of Table 1: output channels, stride of the first, and how many there are."""

    out: int
    stride: int = 1
    blocks: int = 1


TABLE1 = (
    MobileNetBlock(64),
    MobileNetBlock(128, 2),
    MobileNetBlock(128),
    MobileNetBlock(256, 2),
    MobileNetBlock(256),
    MobileNetBlock(512, 2),
    MobileNetBlock(512, blocks=5),
    MobileNetBlock(1024, 2),
    MobileNetBlock(1024),  # the paper prints stride 2 here, and a 7x7 map after it
)


class MobileNetDesign(NamedTuple):
    """What the variants differ in."""

    width: float = 1.0
    separable: bool = True
    squeeze: bool = False  # squeeze-and-excitation at the end of each block


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation: scale channels by a gate, two fully connected layers of the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, inner, 1, bias=False), relu(),
            nn.Conv2d(inner, channels, 1, bias=False), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def _block(ci: int, co: int, stride: int, design: MobileNetDesign) -> nn.Sequential:
    if design.separable:
        block = nn.Sequential(ConvNorm(ci, ci, 3, stride, groups=ci), ConvNorm(ci, co, 1))
    else:
        block = nn.Sequential(ConvNorm(ci, co, 3, stride))
    return block.append(SqueezeExcitation(co)) if design.squeeze else block


def _mobilenet(design: MobileNetDesign, num_classes: int) -> Backbone:
    first = ci = int(32 * design.width)
    body = nn.Sequential()
    for row in TABLE1:
        co = int(row.out * design.width)
        for index in range(row.blocks):
            body.append(_block(ci, co, row.stride if index == 0 else 1, design))
            ci = co
    return Backbone(ConvNorm(3, first, 3, 2), body, Classifier(ci, num_classes))


@register("mobilenetv1", PAPER)
def mobilenetv1(num_classes: int = 1000) -> Backbone:
    return _mobilenet(MobileNetDesign(), num_classes)


@register("mobilenetv1", PAPER)
def mobilenetv1_075(num_classes: int = 1000) -> Backbone:
    return _mobilenet(MobileNetDesign(0.75), num_classes)


@register("mobilenetv1", PAPER)
def mobilenetv1_050(num_classes: int = 1000) -> Backbone:
    return _mobilenet(MobileNetDesign(0.5), num_classes)


@register("mobilenetv1", PAPER)
def mobilenetv1_025(num_classes: int = 1000) -> Backbone:
    return _mobilenet(MobileNetDesign(0.25), num_classes)


@register("mobilenetv1", PAPER)
def mobilenetv1_full(num_classes: int = 1000) -> Backbone:
    return _mobilenet(MobileNetDesign(separable=False), num_classes)


@register("mobilenetv1", SENET)
def se_mobilenetv1(num_classes: int = 1000) -> Backbone:
    return _mobilenet(MobileNetDesign(squeeze=True), num_classes)
