"""ResNet v2: residual networks with pre-activation (He et al., 1603.05027, Figure 4e and the appendix).

Batch norm and ReLU come before each convolution, the shortcut has neither, and
a final batch norm and ReLU end the network. FLOPs equal ResNet's exactly;
parameters differ by the batch norms only. Table 4 prints 1.7, 1.7 and 10.2 M
parameters for CIFAR's 110, 164 and 1001 layers: 1.728, 1.703 and 10.328 M here,
of which 1.720, 1.679 and 10.178 M are weights, so the paper's last figure is
without batch norm. As in the authors' code, a bottleneck strides in its 3x3 and
projects the activated map if the width changes; basic units pad (option A).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, Classifier, NormAct, conv
from backbone_bench.zoo.families.resnet import (
    CIFAR_WIDTHS,
    DEPTHS,
    IDENTITY,
    WIDTHS,
    PaddedShortcut,
    ResNetDesign,
    stages,
)
from backbone_bench.zoo.registry import register


class PreActivation(nn.Module):
    """Pre-activation unit: `body(y) + x`, or `body(y) + shortcut(y)` if the shape changes; `y` is the activated `x`."""

    def __init__(self, ci: int, body: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.first, self.body, self.shortcut = NormAct(ci), body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.body(y) + (x if self.shortcut is None else self.shortcut(y))


def unit(ci: int, width: int, stride: int, design: ResNetDesign) -> PreActivation:
    """Build a pre-activation unit: two 3x3 convolutions, or 1x1, 3x3 and 1x1, each after batch norm and ReLU."""
    co = width * 4 if design.bottleneck else width
    layers = [conv(ci, width, 3, stride), NormAct(width), conv(width, width)]
    if design.bottleneck:
        layers = [conv(ci, width, 1), NormAct(width), conv(width, width, 3, stride), NormAct(width), conv(width, co, 1)]
    body = nn.Sequential(*layers)
    if ci == co and stride == 1:
        return PreActivation(ci, body, None)
    return PreActivation(
        ci, body, PaddedShortcut(ci, co, stride) if design.padded_shortcut else conv(ci, co, 1, stride)
    )


class ResNetV2(Backbone):
    """ResNet v2: the stem has no batch norm or ReLU, because the first unit starts with them."""

    def __init__(self, stem: nn.Module, body: nn.Module, channels: int, num_classes: int) -> None:
        super().__init__(stem, body, nn.Sequential(NormAct(channels), Classifier(channels, num_classes)))


def _imagenet(depths: Sequence[int], num_classes: int) -> ResNetV2:
    stem = nn.Sequential(conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, padding=1))
    return ResNetV2(stem, stages(64, WIDTHS, depths, ResNetDesign(), unit), 2048, num_classes)


def _cifar(depth: int, num_classes: int, design: ResNetDesign) -> ResNetV2:
    body = stages(16, CIFAR_WIDTHS, [depth] * 3, design, unit)
    return ResNetV2(conv(3, 16), body, 256 if design.bottleneck else 64, num_classes)


@register("resnetv2", IDENTITY)
def resnetv2_50(num_classes: int = 1000) -> ResNetV2:
    return _imagenet(DEPTHS[50], num_classes)


@register("resnetv2", IDENTITY)
def resnetv2_101(num_classes: int = 1000) -> ResNetV2:
    return _imagenet(DEPTHS[101], num_classes)


@register("resnetv2", IDENTITY)
def resnetv2_152(num_classes: int = 1000) -> ResNetV2:
    return _imagenet(DEPTHS[152], num_classes)


@register("resnetv2", IDENTITY)
def resnetv2_200(num_classes: int = 1000) -> ResNetV2:
    return _imagenet(DEPTHS[200], num_classes)


@register("resnetv2", IDENTITY, size=32)
def cifar_resnetv2_110(num_classes: int = 10) -> ResNetV2:
    return _cifar(18, num_classes, ResNetDesign(bottleneck=False, padded_shortcut=True))


@register("resnetv2", IDENTITY, size=32)
def cifar_resnetv2_164(num_classes: int = 10) -> ResNetV2:
    return _cifar(18, num_classes, ResNetDesign())


@register("resnetv2", IDENTITY, size=32)
def cifar_resnetv2_1001(num_classes: int = 10) -> ResNetV2:
    return _cifar(111, num_classes, ResNetDesign())
