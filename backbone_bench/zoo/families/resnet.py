"""ResNet (He et al., 1512.03385, Tables 1 and 6) and Wide ResNet (1605.07146).

Table 1 prints 1.8, 3.6, 3.8, 7.6 and 11.3 G FLOPs. The paper strides in the
first 1x1 convolution of a bottleneck (the `_v1` names: 3.858, 7.570 and
11.282 G). The networks in common use, torchvision's and timm's, stride in its
3x3 convolution: 4.089, 7.801 and 11.514 G. ResNet-18 and -34 are 1.814 and
3.664 G with projection shortcuts, and 1.795 and 3.645 G with the paper's option
A (the `_a` names), which pads the identity with zeros. Table 6's parameters
reproduce. ResNet-200 is that of the ResNeXt paper (its Table 4), 15.007 G.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Activation, Backbone, Classifier, ConvNorm, relu
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("Deep Residual Learning for Image Recognition", "1512.03385", 2015)
WIDE = Paper("Wide Residual Networks", "1605.07146", 2016)
IDENTITY = Paper("Identity Mappings in Deep Residual Networks", "1603.05027", 2016)

# Blocks in conv2_x … conv5_x: the columns of Table 1; 200 is from the ResNet v2 paper.
DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
WIDTHS = (64, 128, 256, 512)
CIFAR_WIDTHS = (16, 32, 64)


class ResNetDesign(NamedTuple):
    """Parameters of a residual network, except its depth."""

    bottleneck: bool = True
    stride_in_1x1: bool = False  # as in the paper; False strides in the 3x3, as torchvision and ResNeXt do
    padded_shortcut: bool = False  # option A
    groups: int = 1
    base_width: int = 64  # width of the 3x3 convolution per group in conv2_x
    act: Activation = relu


class PaddedShortcut(nn.Module):
    """Shortcut of option A, without parameters: every second pixel, and zeros for the new channels."""

    def __init__(self, ci: int, co: int, stride: int) -> None:
        super().__init__()
        self.new, self.stride = co - ci, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))


class Residual(nn.Module):
    """Residual unit: `act(body(x) + shortcut(x))`."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, act: Activation = relu) -> None:
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut, act()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


ResidualBuilder = Callable[[int, int, int, ResNetDesign], nn.Module]


def residual(ci: int, width: int, stride: int, design: ResNetDesign) -> Residual:
    """One unit of Table 1: two 3x3 convolutions, or the bottleneck of 1x1, 3x3 and 1x1."""
    co = width * 4 if design.bottleneck else width
    body = _bottleneck(ci, width, stride, design) if design.bottleneck else _basic(ci, width, stride, design)
    if ci == co and stride == 1:
        return Residual(body, nn.Identity(), design.act)
    if design.padded_shortcut:
        return Residual(body, PaddedShortcut(ci, co, stride), design.act)
    return Residual(body, ConvNorm(ci, co, 1, stride, act=None), design.act)


def _basic(ci: int, width: int, stride: int, design: ResNetDesign) -> nn.Sequential:
    return nn.Sequential(ConvNorm(ci, width, 3, stride, act=design.act), ConvNorm(width, width, 3, act=None))


def _bottleneck(ci: int, width: int, stride: int, design: ResNetDesign) -> nn.Sequential:
    inner = width * design.base_width // 64 * design.groups
    first, second = (stride, 1) if design.stride_in_1x1 else (1, stride)
    return nn.Sequential(
        ConvNorm(ci, inner, 1, first, act=design.act),
        ConvNorm(inner, inner, 3, second, groups=design.groups, act=design.act),
        ConvNorm(inner, width * 4, 1, act=None),
    )


def stages(
    ci: int, widths: Sequence[int], depths: Sequence[int], design: ResNetDesign, unit: ResidualBuilder = residual
) -> nn.Sequential:
    """Build the residual stages; every stage except the first halves the map."""
    body = nn.Sequential()
    for number, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        units = []
        for index in range(depth):
            units.append(unit(ci, width, 2 if number > 1 and index == 0 else 1, design))
            ci = width * 4 if design.bottleneck else width
        body.add_module(f"stage{number}", nn.Sequential(*units))
    return body


class ResNet(Backbone):
    """ResNet of Table 1: a 7x7 stem and a pool, four stages, global pooling, a classifier."""

    def __init__(self, depths: Sequence[int], num_classes: int, design: ResNetDesign) -> None:
        super().__init__(
            nn.Sequential(ConvNorm(3, 64, 7, 2), nn.MaxPool2d(3, 2, padding=1)),
            stages(64, WIDTHS, depths, design),
            Classifier(2048 if design.bottleneck else 512, num_classes),
        )


class CifarResNet(Backbone):
    """ResNet for CIFAR (Section 4.2): a 3x3 stem and three stages of n basic units with option A; 6n + 2 layers."""

    def __init__(self, layers: int, num_classes: int) -> None:
        design = ResNetDesign(bottleneck=False, padded_shortcut=True)
        super().__init__(
            ConvNorm(3, 16), stages(16, CIFAR_WIDTHS, [(layers - 2) // 6] * 3, design), Classifier(64, num_classes)
        )


@register("resnet", PAPER)
def resnet18(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[18], num_classes, ResNetDesign(bottleneck=False))


@register("resnet", PAPER)
def resnet34(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[34], num_classes, ResNetDesign(bottleneck=False))


@register("resnet", PAPER)
def resnet50(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[50], num_classes, ResNetDesign())


@register("resnet", PAPER)
def resnet101(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[101], num_classes, ResNetDesign())


@register("resnet", PAPER)
def resnet152(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[152], num_classes, ResNetDesign())


@register("resnet", IDENTITY)
def resnet200(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[200], num_classes, ResNetDesign())


@register("resnet", PAPER)
def resnet18_a(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[18], num_classes, ResNetDesign(bottleneck=False, padded_shortcut=True))


@register("resnet", PAPER)
def resnet34_a(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[34], num_classes, ResNetDesign(bottleneck=False, padded_shortcut=True))


@register("resnet", PAPER)
def resnet50_v1(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[50], num_classes, ResNetDesign(stride_in_1x1=True))


@register("resnet", PAPER)
def resnet101_v1(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[101], num_classes, ResNetDesign(stride_in_1x1=True))


@register("resnet", PAPER)
def resnet152_v1(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[152], num_classes, ResNetDesign(stride_in_1x1=True))


@register("resnet", WIDE)
def wide_resnet50_2(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[50], num_classes, ResNetDesign(base_width=128))


@register("resnet", PAPER, size=32)
def cifar_resnet20(num_classes: int = 10) -> CifarResNet:
    return CifarResNet(20, num_classes)


@register("resnet", PAPER, size=32)
def cifar_resnet32(num_classes: int = 10) -> CifarResNet:
    return CifarResNet(32, num_classes)


@register("resnet", PAPER, size=32)
def cifar_resnet44(num_classes: int = 10) -> CifarResNet:
    return CifarResNet(44, num_classes)


@register("resnet", PAPER, size=32)
def cifar_resnet56(num_classes: int = 10) -> CifarResNet:
    return CifarResNet(56, num_classes)


@register("resnet", PAPER, size=32)
def cifar_resnet110(num_classes: int = 10) -> CifarResNet:
    return CifarResNet(110, num_classes)


@register("resnet", PAPER, size=32)
def cifar_resnet1202(num_classes: int = 10) -> CifarResNet:
    return CifarResNet(1202, num_classes)
