"""PeleeNet (Wang et al., Pelee, 1804.06882, Table 1): a two-way DenseNet, and CSPNet's small baseline.

The paper prints 2.80 M parameters and 508 M FLOPs: 2.802 M and 507.8 M here.
CSPNet's repository counts a multiply-add twice and convolution weights only,
and prints 1.017 G and 2.79 M: 1.016 G and 2.792 M here. The widths of CSPNet's
variants of PeleeNet (0.888, 0.755 and 0.804 G) are not published.
"""

from typing import NamedTuple

from torch import nn

from backbone_bench.zoo.families.blocks import Backbone, Branches, Classifier, ConvNorm
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("Pelee: A Real-Time Object Detection System on Mobile Devices", "1804.06882", 2018)

GROWTH = 32


class PeleeStage(NamedTuple):
    """One stage of Table 1; `width` is the width of the 1x1 convolutions in units of half the growth."""

    layers: int
    width: int


STAGES = (PeleeStage(3, 1), PeleeStage(4, 2), PeleeStage(8, 4), PeleeStage(6, 4))


def _two_way(ci: int, width: int) -> Branches:
    """Two-way dense layer (Figure 1a): the input, a path with one 3x3 convolution, and a path with two."""
    half = GROWTH // 2
    inner = width * half
    return Branches(
        nn.Identity(),
        nn.Sequential(ConvNorm(ci, inner, 1), ConvNorm(inner, half)),
        nn.Sequential(ConvNorm(ci, inner, 1), ConvNorm(inner, half), ConvNorm(half, half)),
    )


@register("peleenet", PAPER)
def peleenet(num_classes: int = 1000) -> Backbone:
    halved = nn.Sequential(ConvNorm(32, 16, 1), ConvNorm(16, 32, 3, 2))
    pooled = nn.MaxPool2d(2, ceil_mode=True)  # the same size as the strided convolution's output, on odd maps too
    stem = nn.Sequential(ConvNorm(3, 32, 3, 2), Branches(pooled, halved), ConvNorm(64, 32, 1))
    body, ci = nn.Sequential(), 32
    for number, stage in enumerate(STAGES, start=1):
        layers = nn.Sequential(*(_two_way(ci + layer * GROWTH, stage.width) for layer in range(stage.layers)))
        ci += stage.layers * GROWTH
        layers.append(ConvNorm(ci, ci, 1))
        if number < len(STAGES):
            layers.append(nn.AvgPool2d(2))
        body.add_module(f"stage{number}", layers)
    return Backbone(stem, body, Classifier(ci, num_classes))
