"""ResNet v2: pre-activation (He et al., 1603.05027, Figure 4e and the appendix).

Batch norm and ReLU come before each convolution, the shortcut stays clean, and
a last batch norm and ReLU close the network. FLOPs are ResNet's to the unit;
parameters differ by the batch norms alone. Table 4 prints 1.7, 1.7 and 10.2 M
for CIFAR's 110, 164 and 1001 layers: 1.728, 1.703 and 10.328 M here, of which
1.720, 1.679 and 10.178 M are weights, so the paper left batch norm out of the
last. As in the authors' code, a bottleneck strides in its 3x3 and projects where
the width changes (reading the activated map), basic units pad (option A).
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
    """`body(y) + shortcut(y or x)` with `y` the activated `x`: only a shortcut that changes the shape reads `y`."""

    def __init__(self, ci: int, body: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.first, self.body, self.shortcut = NormAct(ci), body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.body(y) + (x if self.shortcut is None else self.shortcut(y))


def unit(ci: int, width: int, stride: int, design: ResNetDesign) -> PreActivation:
    """Two 3x3 convolutions, or 1x1, 3x3 and 1x1, each but the first after a batch norm and ReLU of its own."""
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
    """ResNet's outline; the stem is a bare convolution, since the first unit activates."""

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
