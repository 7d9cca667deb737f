"""VoVNetV2 (Lee and Park, CenterMask, 1911.06667): OSA with effective squeeze-and-excitation (eSE) and identity.

After the authors' configurations (vovnet-detectron2, `_STAGE_SPECS`): every
module has eSE, and all but the first of a stage add their input. Their README
prints 11.2, 6.5, 3.1 and 1.8 M parameters for the light networks: 11.205, 6.543,
3.166 and 1.898 M here, with the 1000-way classifier, although the README says
"backbone". V2-39, -57 and -99 have 26.209, 42.480 and 70.549 M; timm's have
fewer, because only the last module of a stage has eSE there. eSE is one C to C
layer with bias, so C² + C parameters: eight times as many as
squeeze-and-excitation with reduction 16, not fewer.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, Classifier, ConvNorm, conv
from backbone_bench.zoo.families.vovnet import OSA, VOVNET39, VOVNET57, OSAStage, StepBuilder, osa_stages
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("CenterMask: Real-Time Anchor-Free Instance Segmentation", "1911.06667", 2019)

# V2-39 and V2-57 have the stages of VoVNet-39 and -57.
SLIM = (OSAStage(64, 112), OSAStage(80, 256), OSAStage(96, 384), OSAStage(112, 512))
V19 = (OSAStage(128, 256), OSAStage(160, 512), OSAStage(192, 768), OSAStage(224, 1024))
V99 = (OSAStage(128, 256), OSAStage(160, 512, 3), OSAStage(192, 768, 9), OSAStage(224, 1024, 3))


class VoVNetV2Design(NamedTuple):
    """Parameters of a VoVNetV2, except its stages."""

    layers: int = 5  # in an OSA module
    depthwise: bool = False


class ESE(nn.Module):
    """Effective squeeze-and-excitation: scale channels by a gate, one fully connected layer of the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class EffectiveOSA(nn.Module):
    """OSA module with eSE, plus its input if the channels do not change."""

    def __init__(self, ci: int, stage: OSAStage, design: VoVNetV2Design) -> None:
        super().__init__()
        step: StepBuilder = _separable_step if design.depthwise else ConvNorm
        self.body = nn.Sequential(OSA(ci, stage.growth, stage.out, design.layers, step), ESE(stage.out))
        self.identity = ci == stage.out

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return x + y if self.identity else y


def separable(ci: int, co: int, stride: int = 1) -> nn.Sequential:
    """Depthwise separable convolution: a depthwise 3x3 and a 1x1, then one batch norm and ReLU."""
    return nn.Sequential(conv(ci, ci, 3, stride, groups=ci), ConvNorm(ci, co, 1))


def _separable_step(ci: int, growth: int) -> nn.Sequential:
    if ci == growth:
        return separable(ci, growth)
    return nn.Sequential(ConvNorm(ci, growth, 1), *separable(growth, growth))


class VoVNetV2(Backbone):
    """VoVNet's structure with the stem of the released code."""

    def __init__(self, stages: Sequence[OSAStage], num_classes: int, design: VoVNetV2Design) -> None:
        if design.depthwise:
            ci, middle, last = 64, separable(64, 64), separable(64, 64, 2)
        else:
            ci, middle, last = 128, ConvNorm(64, 64), ConvNorm(64, 128, 3, 2)
        super().__init__(
            nn.Sequential(ConvNorm(3, 64, 3, 2), middle, last),
            osa_stages(ci, stages, lambda ci, stage: EffectiveOSA(ci, stage, design)),
            Classifier(stages[-1].out, num_classes),
        )


@register("vovnetv2", PAPER)
def vovnetv2_19(num_classes: int = 1000) -> VoVNetV2:
    return VoVNetV2(V19, num_classes, VoVNetV2Design(layers=3))


@register("vovnetv2", PAPER)
def vovnetv2_19_dw(num_classes: int = 1000) -> VoVNetV2:
    return VoVNetV2(V19, num_classes, VoVNetV2Design(layers=3, depthwise=True))


@register("vovnetv2", PAPER)
def vovnetv2_19_slim(num_classes: int = 1000) -> VoVNetV2:
    return VoVNetV2(SLIM, num_classes, VoVNetV2Design(layers=3))


@register("vovnetv2", PAPER)
def vovnetv2_19_slim_dw(num_classes: int = 1000) -> VoVNetV2:
    return VoVNetV2(SLIM, num_classes, VoVNetV2Design(layers=3, depthwise=True))


@register("vovnetv2", PAPER)
def vovnetv2_39(num_classes: int = 1000) -> VoVNetV2:
    return VoVNetV2(VOVNET39, num_classes, VoVNetV2Design())


@register("vovnetv2", PAPER)
def vovnetv2_57(num_classes: int = 1000) -> VoVNetV2:
    return VoVNetV2(VOVNET57, num_classes, VoVNetV2Design())


@register("vovnetv2", PAPER)
def vovnetv2_99(num_classes: int = 1000) -> VoVNetV2:
    return VoVNetV2(V99, num_classes, VoVNetV2Design())
