"""MobileNetV2 (Sandler et al., 1801.04381, Table 2), and the two versions in CSPNet (1911.11929).

`mobilenetv2` is the paper's and torchvision's: 3.505 M parameters and 300.8 M
FLOPs (3.4 M and 300 M printed). For the CSPNet paper's two, a multiply-add
counts twice and parameters are convolution weights only. `darknet_mobilenetv2`
is its mobilenet-v2.cfg, which strides later, so that 64 channels have a 28x28
map, and expands in the first unit too: 0.858 G and 3.471 M (0.858 G, 3.47 M
printed). `cspmobilenetv2` is its csmobilenet-v2.cfg, which expands by three and
doubles the channels in the grouped 3x3 convolution: 0.764 G and 2.513 M
(0.764 G, 2.51 M printed).
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Activation, Backbone, Classifier, ConvClassifier, ConvNorm, relu
from backbone_bench.zoo.families.cspnet import CrossStage
from backbone_bench.zoo.families.darknet import CSPNET
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("MobileNetV2: Inverted Residuals and Linear Bottlenecks", "1801.04381", 2018)


class MobileNetRow(NamedTuple):
    """One row of Table 2: expansion t, output channels c, repetitions n, stride s of the first unit."""

    expansion: int
    out: int
    units: int
    stride: int


TABLE2 = (
    MobileNetRow(1, 16, 1, 1),
    MobileNetRow(6, 24, 2, 2),
    MobileNetRow(6, 32, 3, 2),
    MobileNetRow(6, 64, 4, 2),
    MobileNetRow(6, 96, 3, 1),
    MobileNetRow(6, 160, 3, 2),
    MobileNetRow(6, 320, 1, 1),
)
# mobilenet-v2.cfg: Table 2 with the strides of the fourth and fifth row exchanged.
CFG = (*TABLE2[:3], MobileNetRow(6, 64, 4, 1), MobileNetRow(6, 96, 3, 2), *TABLE2[5:])


class PartialStage(NamedTuple):
    """One stage of csmobilenet-v2.cfg; every stage halves the map."""

    base: int  # channels of the stage's map, before the split
    outs: tuple[int, ...]  # output channels of its units


CSP_CFG = (
    PartialStage(48, (24, 24)),
    PartialStage(72, (32, 32, 32, 64, 64, 64, 64)),
    PartialStage(192, (96, 96, 96)),
    PartialStage(288, (160, 160, 160, 320)),
)


def relu6() -> nn.Module:
    """In-place ReLU6."""
    return nn.ReLU6(inplace=True)


class InvertedResidual(nn.Sequential):
    """Inverted residual: convolutions, plus the input if the shape does not change."""

    def __init__(self, ci: int, co: int, stride: int, layers: Sequence[nn.Module]) -> None:
        super().__init__(*layers)
        self.identity = ci == co and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return x + y if self.identity else y


def inverted(ci: int, row: MobileNetRow, stride: int, act: Activation, *, expands: bool) -> InvertedResidual:
    """Figure 4d: a 1x1 convolution that expands, a depthwise 3x3, a linear 1x1."""
    inner = ci * row.expansion
    depthwise = ConvNorm(inner, inner, 3, stride, groups=inner, act=act)
    first = [ConvNorm(ci, inner, 1, act=act)] if expands else []
    return InvertedResidual(ci, row.out, stride, [*first, depthwise, ConvNorm(inner, row.out, 1, act=None)])


def lean(ci: int, co: int) -> InvertedResidual:
    """CSPMobileNetV2's unit: the 1x1 convolution expands by 3, the grouped 3x3 convolution by 2."""
    inner = 3 * ci
    grouped = ConvNorm(inner, 2 * inner, groups=inner)
    return InvertedResidual(ci, co, 1, [ConvNorm(ci, inner, 1), grouped, ConvNorm(2 * inner, co, 1, act=None)])


def _units(rows: Sequence[MobileNetRow], act: Activation, *, always_expands: bool) -> nn.Sequential:
    body, ci = nn.Sequential(), 32
    for row in rows:
        for index in range(row.units):
            expands = always_expands or row.expansion > 1
            body.append(inverted(ci, row, row.stride if index == 0 else 1, act, expands=expands))
            ci = row.out
    return body.append(ConvNorm(ci, 1280, 1, act=act))


def _partial(ci: int, stage: PartialStage) -> CrossStage:
    base, first = stage.base, stage.outs[0]
    main = nn.Sequential(ConvNorm(base, 2 * base, 3, 2, groups=base), ConvNorm(2 * base, first, 1, act=None))
    for before, after in zip(stage.outs, stage.outs[1:], strict=False):
        main.append(lean(before, after))
    return CrossStage(ConvNorm(ci, base, 1), main, ConvNorm(base, base, 3, 2, groups=base), nn.Identity())


@register("mobilenetv2", PAPER)
def mobilenetv2(num_classes: int = 1000) -> Backbone:
    units = _units(TABLE2, relu6, always_expands=False)
    return Backbone(ConvNorm(3, 32, 3, 2, act=relu6), units, Classifier(1280, num_classes, dropout=0.2))


@register("mobilenetv2", CSPNET)
def darknet_mobilenetv2(num_classes: int = 1000) -> Backbone:
    units = _units(CFG, relu, always_expands=True)
    return Backbone(ConvNorm(3, 32, 3, 2), units, ConvClassifier(1280, num_classes))


@register("mobilenetv2", CSPNET)
def cspmobilenetv2(num_classes: int = 1000) -> Backbone:
    first = nn.Sequential(ConvNorm(32, 32, 1), ConvNorm(32, 32, groups=32), ConvNorm(32, 16, 1, act=None))
    body = nn.Sequential(CrossStage(nn.Identity(), first, ConvNorm(32, 16, groups=16), nn.Identity()))
    ci = 32
    for stage in CSP_CFG:
        body.append(_partial(ci, stage))
        ci = stage.base + stage.outs[-1]
    body.append(ConvNorm(ci, 640, 1))
    return Backbone(ConvNorm(3, 32, 3, 2), body, ConvClassifier(640, num_classes))
