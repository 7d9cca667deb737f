"""VoVNet (Lee et al., 1904.09730, Table 1) with one-shot aggregation (OSA) modules.

In Table 1 there is a pool after the stem and after each stage, and one stride
in the stem (the `_paper` names). The authors' released code, which is in common
use, has two strides in the stem and no first pool: 7.072 G FLOPs against
7.766 G for VoVNet-39, with equal parameters (22.60 M). The paper prints no cost
of a backbone alone. The released code also adds the input to the output of each
repeated module of a stage, which costs no FLOPs and came with VoVNetV2's paper:
it is left out here, and by timm. Table 3's bottleneck has Table 1's stem: it
saves 0.82 G and 0.78 M against `vovnet27_slim_paper` at 300x300 (1.0 G and 1.1 M
printed, for whole detectors).

The CIFAR networks replace DenseNet-40 (Section 3.2). The paper gives their
depth and width and "similar number of parameter and computation", but neither
stem nor transitions. Here a stem of 16, as in DenseNet-40, and widths
272/384/512 give +2.0 % of its weights and -0.1 % of its FLOPs. Widths
231/446/661 (`_literal`) keep the width in transitions, as DenseNet-40 does.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, Classifier, ConvNorm
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("An Energy and GPU-Computation Efficient Backbone Network for Real-Time Object Detection",
              "1904.09730", 2019)  # fmt: skip


class OSAStage(NamedTuple):
    """One row of Table 1."""

    growth: int  # channels of each convolution in the chain
    out: int  # channels after the aggregation
    blocks: int = 1


VOVNET27_SLIM = (OSAStage(64, 128), OSAStage(80, 256), OSAStage(96, 384), OSAStage(112, 512))
VOVNET39 = (OSAStage(128, 256), OSAStage(160, 512), OSAStage(192, 768, 2), OSAStage(224, 1024, 2))
VOVNET57 = (OSAStage(128, 256), OSAStage(160, 512), OSAStage(192, 768, 4), OSAStage(224, 1024, 3))


StepBuilder = Callable[[int, int], nn.Module]  # from its input channels and the growth
BlockBuilder = Callable[[int, OSAStage], nn.Module]  # from its input channels and the stage


class OSA(nn.Module):
    """One-shot aggregation: a chain of convolutions; a 1x1 convolution joins its input and all outputs once."""

    def __init__(self, ci: int, growth: int, co: int, layers: int = 5, step: StepBuilder = ConvNorm) -> None:
        super().__init__()
        self.chain = nn.ModuleList(step(width, growth) for width in [ci] + [growth] * (layers - 1))
        self.join = ConvNorm(ci + layers * growth, co, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for step in self.chain:
            maps.append(step(maps[-1]))
        return self.join(torch.cat(maps, dim=1))


def _plain(ci: int, stage: OSAStage) -> OSA:
    return OSA(ci, stage.growth, stage.out)


def _narrowed(ci: int, stage: OSAStage) -> OSA:
    return OSA(ci, stage.growth, stage.out, step=_bottleneck)


def _bottleneck(ci: int, growth: int) -> nn.Sequential:
    # Table 3: "1x1 conv with channel half of input channel" before every 3x3.
    return nn.Sequential(ConvNorm(ci, ci // 2, kernel=1), ConvNorm(ci // 2, growth))


def osa_stages(ci: int, stages: Sequence[OSAStage], block: BlockBuilder, *, pool_first: bool = False) -> nn.Sequential:
    """Build the stages of Table 1, each after a pool; without `pool_first` (released code) the first has none."""
    body = nn.Sequential()
    for number, stage in enumerate(stages, start=2):
        layers: list[nn.Module] = [nn.MaxPool2d(3, 2, ceil_mode=True)] if number > 2 or pool_first else []
        for _ in range(stage.blocks):
            layers.append(block(ci, stage))
            ci = stage.out
        body.add_module(f"stage{number}", nn.Sequential(*layers))
    return body


class VoVNet(Backbone):
    """A stem of three 3x3 convolutions, four stages of OSA modules, global pooling, a classifier."""

    def __init__(
        self, stages: Sequence[OSAStage], num_classes: int, *, paper_stem: bool = False, bottleneck: bool = False
    ) -> None:
        super().__init__(
            nn.Sequential(ConvNorm(3, 64, 3, 2), ConvNorm(64, 64), ConvNorm(64, 128, 3, 1 if paper_stem else 2)),
            osa_stages(128, stages, _narrowed if bottleneck else _plain, pool_first=paper_stem),
            Classifier(stages[-1].out, num_classes),
        )


class CifarOSA(Backbone):
    """DenseNet-40 in which one OSA module replaces each dense block with its transition (Section 3.2, Figure 2)."""

    def __init__(self, growth: int, layers: int, num_classes: int, stem: int, widths: Sequence[int]) -> None:
        body, ci = nn.Sequential(), stem
        for number, co in enumerate(widths, start=1):
            body.add_module(f"osa{number}", OSA(ci, growth, co, layers))
            if number < len(widths):
                body.add_module(f"pool{number}", nn.AvgPool2d(2))
            ci = co
        super().__init__(ConvNorm(3, stem), body, Classifier(ci, num_classes))


def cifar_osa(
    growth: int, layers: int, num_classes: int = 10, stem: int = 16, widths: Sequence[int] = (272, 384, 512)
) -> CifarOSA:
    """A CIFAR network of Section 3.2, at about the cost of DenseNet-40; the paper gives no `stem` and `widths`."""
    return CifarOSA(growth, layers, num_classes, stem, widths)


@register("vovnet", PAPER)
def vovnet27_slim(num_classes: int = 1000) -> VoVNet:
    return VoVNet(VOVNET27_SLIM, num_classes)


@register("vovnet", PAPER)
def vovnet39(num_classes: int = 1000) -> VoVNet:
    return VoVNet(VOVNET39, num_classes)


@register("vovnet", PAPER)
def vovnet57(num_classes: int = 1000) -> VoVNet:
    return VoVNet(VOVNET57, num_classes)


@register("vovnet", PAPER)
def vovnet27_slim_paper(num_classes: int = 1000) -> VoVNet:
    return VoVNet(VOVNET27_SLIM, num_classes, paper_stem=True)


@register("vovnet", PAPER)
def vovnet39_paper(num_classes: int = 1000) -> VoVNet:
    return VoVNet(VOVNET39, num_classes, paper_stem=True)


@register("vovnet", PAPER)
def vovnet57_paper(num_classes: int = 1000) -> VoVNet:
    return VoVNet(VOVNET57, num_classes, paper_stem=True)


@register("vovnet", PAPER)
def vovnet27_slim_bottleneck(num_classes: int = 1000, *, paper_stem: bool = True) -> VoVNet:
    return VoVNet(VOVNET27_SLIM, num_classes, paper_stem=paper_stem, bottleneck=True)


@register("vovnet", PAPER, size=32)
def cifar_osa_5x43(num_classes: int = 10) -> CifarOSA:
    return cifar_osa(43, 5, num_classes)


@register("vovnet", PAPER, size=32)
def cifar_osa_5x43_literal(num_classes: int = 10) -> CifarOSA:
    return cifar_osa(43, 5, num_classes, widths=(231, 446, 661))


@register("vovnet", PAPER, size=32)
def cifar_osa_12x20(num_classes: int = 10) -> CifarOSA:
    return cifar_osa(20, 12, num_classes)
