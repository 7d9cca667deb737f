"""DenseNet (Huang et al., 1608.06993, Tables 1 and 2).

Table 2 prints, for CIFAR, 1.0, 7.0 and 27.2 M parameters for 40 layers of growth
12, 100 of 12 and 100 of 24, and 0.8, 15.3 and 25.6 M for the networks with
bottleneck and compression (BC): 1.020, 6.980, 27.249, 0.769, 15.324 and
25.624 M here. The right half of Figure 3 counts a multiply-add twice; counted
once, DenseNet-121, -169, -201 and -264 are 2.834, 3.360, 4.291 and 5.752 G
FLOPs. DenseNet-161 (growth 48) is the released one. VoVNet's "3.7 M" memory
access of DenseNet-40 is 3684442 elements with the classifier, 3679504 without.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, Classifier, ConvNorm, NormAct, conv
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("Densely Connected Convolutional Networks", "1608.06993", 2016)

# Layers of each dense block: the columns of Table 1; 161 is the authors' release.
DEPTHS = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}


class DenseNetDesign(NamedTuple):
    """Parameters of a DenseNet, except its depth."""

    growth: int
    stem: int  # channels before the first block
    bottleneck: bool = True  # B: a 1x1 convolution to 4 times the growth before each 3x3
    compression: int = 2  # C: a transition divides the channels by it


def dense_layer(ci: int, design: DenseNetDesign) -> nn.Sequential:
    """Batch norm, ReLU and 3x3 convolution; with `bottleneck`, batch norm, ReLU and 1x1 convolution before them."""
    if not design.bottleneck:
        return nn.Sequential(NormAct(ci), conv(ci, design.growth))
    inner = 4 * design.growth
    return nn.Sequential(NormAct(ci), conv(ci, inner, 1), NormAct(inner), conv(inner, design.growth))


class DenseBlock(nn.Sequential):
    """Dense block: every layer reads the block's input and the outputs of all layers before it."""

    def __init__(self, ci: int, layers: int, design: DenseNetDesign) -> None:
        super().__init__(*(dense_layer(ci + layer * design.growth, design) for layer in range(layers)))
        self.co = ci + layers * design.growth

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = torch.cat((x, layer(x)), dim=1)
        return x


def transition(ci: int, co: int) -> nn.Sequential:
    """Transition between two blocks: batch norm, ReLU, 1x1 convolution, average pool."""
    return nn.Sequential(NormAct(ci), conv(ci, co, 1), nn.AvgPool2d(2))


class DenseNet(Backbone):
    """Dense blocks with transitions between them, and a final batch norm and ReLU."""

    def __init__(self, stem: nn.Module, depths: Sequence[int], num_classes: int, design: DenseNetDesign) -> None:
        body, ci = nn.Sequential(), design.stem
        for number, layers in enumerate(depths, start=1):
            block = DenseBlock(ci, layers, design)
            body.add_module(f"block{number}", block)
            ci = block.co
            if number < len(depths):
                body.add_module(f"transition{number}", transition(ci, ci // design.compression))
                ci //= design.compression
        super().__init__(stem, body, nn.Sequential(NormAct(ci), Classifier(ci, num_classes)))


def imagenet_stem(channels: int) -> nn.Sequential:
    """ImageNet stem: a 7x7 convolution with batch norm and ReLU, and a pool, from 224x224 to 56x56."""
    return nn.Sequential(ConvNorm(3, channels, 7, 2), nn.MaxPool2d(3, 2, padding=1))


def _imagenet(layers: int, num_classes: int, growth: int = 32) -> DenseNet:
    design = DenseNetDesign(growth, stem=2 * growth)
    return DenseNet(imagenet_stem(design.stem), DEPTHS[layers], num_classes, design)


def _cifar(layers: int, growth: int, num_classes: int) -> DenseNet:
    design = DenseNetDesign(growth, stem=16, bottleneck=False, compression=1)
    return DenseNet(conv(3, 16), [(layers - 4) // 3] * 3, num_classes, design)


def _cifar_bc(layers: int, growth: int, num_classes: int) -> DenseNet:
    design = DenseNetDesign(growth, stem=2 * growth)
    return DenseNet(conv(3, design.stem), [(layers - 4) // 6] * 3, num_classes, design)


@register("densenet", PAPER)
def densenet121(num_classes: int = 1000) -> DenseNet:
    return _imagenet(121, num_classes)


@register("densenet", PAPER)
def densenet169(num_classes: int = 1000) -> DenseNet:
    return _imagenet(169, num_classes)


@register("densenet", PAPER)
def densenet201(num_classes: int = 1000) -> DenseNet:
    return _imagenet(201, num_classes)


@register("densenet", PAPER)
def densenet161(num_classes: int = 1000) -> DenseNet:
    return _imagenet(161, num_classes, growth=48)


@register("densenet", PAPER)
def densenet264(num_classes: int = 1000) -> DenseNet:
    return _imagenet(264, num_classes)


@register("densenet", PAPER, size=32)
def cifar_densenet40_k12(num_classes: int = 10) -> DenseNet:
    return _cifar(40, 12, num_classes)


@register("densenet", PAPER, size=32)
def cifar_densenet100_k12(num_classes: int = 10) -> DenseNet:
    return _cifar(100, 12, num_classes)


@register("densenet", PAPER, size=32)
def cifar_densenet100_k24(num_classes: int = 10) -> DenseNet:
    return _cifar(100, 24, num_classes)


@register("densenet", PAPER, size=32)
def cifar_densenet_bc_100_k12(num_classes: int = 10) -> DenseNet:
    return _cifar_bc(100, 12, num_classes)


@register("densenet", PAPER, size=32)
def cifar_densenet_bc_250_k24(num_classes: int = 10) -> DenseNet:
    return _cifar_bc(250, 24, num_classes)


@register("densenet", PAPER, size=32)
def cifar_densenet_bc_190_k40(num_classes: int = 10) -> DenseNet:
    return _cifar_bc(190, 40, num_classes)
