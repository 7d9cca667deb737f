"""ResNeXt (Xie et al., 1611.05431, Tables 1, 2 and 7): a ResNet with grouped 3x3 convolutions.

Table 1 prints 25.0 M parameters and 4.2 G FLOPs for ResNeXt-50 32x4d: 25.029 M
and 4.230 G here, against 25.557 M and 4.089 G for ResNet-50 (4.1 G in this
paper, which strides in the 3x3; 3.8 G in ResNet's own). Figure 5 and Table 4
print about 7.8 G for ResNeXt-101 32x4d (7.970 here) and 15 G for 2x64d and 64x4d
(15.123, 15.460). Table 7's 34.4 and 68.1 M parameters of ResNeXt-29 reproduce
(34.427, 68.155), and so do the 70 k parameters and 0.22 G of Table 2's
templates. 32x8d is from torchvision.
"""

from backbone_bench.zoo.families.blocks import Backbone, Classifier, ConvNorm
from backbone_bench.zoo.families.resnet import DEPTHS, Residual, ResNet, ResNetDesign, residual, stages
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("Aggregated Residual Transformations for Deep Neural Networks", "1611.05431", 2016)

# Table 2: (cardinality, width of a group) of templates with equal cost. Eq. 4: c·(256·d + 9·d² + d·256) weights.
TEMPLATES = ((1, 64), (2, 40), (4, 24), (8, 14), (32, 4))


def template(cardinality: int, width: int) -> Residual:
    """One residual unit of conv2_x, with 256 input and output channels; the paper's map is 56x56."""
    return residual(256, 64, 1, ResNetDesign(groups=cardinality, base_width=width))


class CifarResNeXt(Backbone):
    """ResNeXt-29 for CIFAR (Section 5.3): a 3x3 stem of 64 channels and three stages of three units."""

    def __init__(self, cardinality: int, num_classes: int) -> None:
        design = ResNetDesign(groups=cardinality, base_width=64)
        super().__init__(ConvNorm(3, 64), stages(64, (64, 128, 256), (3, 3, 3), design), Classifier(1024, num_classes))


@register("resnext", PAPER)
def resnext50_32x4d(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[50], num_classes, ResNetDesign(groups=32, base_width=4))


@register("resnext", PAPER)
def resnext101_32x4d(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[101], num_classes, ResNetDesign(groups=32, base_width=4))


@register("resnext", PAPER)
def resnext101_32x8d(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[101], num_classes, ResNetDesign(groups=32, base_width=8))


@register("resnext", PAPER)
def resnext101_64x4d(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[101], num_classes, ResNetDesign(groups=64, base_width=4))


@register("resnext", PAPER)
def resnext101_2x64d(num_classes: int = 1000) -> ResNet:
    return ResNet(DEPTHS[101], num_classes, ResNetDesign(groups=2))


@register("resnext", PAPER, size=32)
def cifar_resnext29_8x64d(num_classes: int = 10) -> CifarResNeXt:
    return CifarResNeXt(8, num_classes)


@register("resnext", PAPER, size=32)
def cifar_resnext29_16x64d(num_classes: int = 10) -> CifarResNeXt:
    return CifarResNeXt(16, num_classes)
