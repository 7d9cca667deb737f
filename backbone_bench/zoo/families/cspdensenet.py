"""CSPDenseNet: DenseNet-121 with partial dense blocks and the fusions of Figure 3 (CSPNet, 1911.11929, Section 3).

Half of a block's input (gamma 0.5) skips the dense layers and joins their
output at the end of the stage: between two transitions (`csp`), before the
single transition (`first`) or after it (`last`); `none` is DenseNet-121 itself.
The paper (Wang et al.) compares the fusions on PeleeNet (Table 1: -13, -26 and
-21 % FLOPs) and does not publish their widths. Here every stage has as many
output channels as in DenseNet-121, so that only the fusion differs: 2.834 G
FLOPs without, 2.678 (csp), 2.577 (first) and 2.471 G (last): -5, -9 and -13 %.
DenseNet's last block has no transition: its two parts are only concatenated.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.zoo.families.blocks import Backbone, Classifier, NormAct, conv
from backbone_bench.zoo.families.darknet import CSPNET
from backbone_bench.zoo.families.densenet import (
    DEPTHS,
    DenseBlock,
    DenseNetDesign,
    densenet121,
    imagenet_stem,
    transition,
)
from backbone_bench.zoo.registry import register


class PartialDense(nn.Module):
    """`after(concat(first half, inside(second half)))`: only half of the channels pass through the dense layers."""

    def __init__(self, channels: int, inside: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.skipped, self.inside, self.after = channels // 2, inside, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(torch.cat((x[:, : self.skipped], self.inside(x[:, self.skipped :])), dim=1))


def _narrow(ci: int, co: int) -> nn.Sequential:
    """Transition without pooling: batch norm, ReLU, 1x1 convolution."""
    return nn.Sequential(NormAct(ci), conv(ci, co, 1))


Fusion = Callable[[int, DenseBlock, int], PartialDense]  # input channels, block, output channels


def _csp(ci: int, block: DenseBlock, co: int) -> PartialDense:
    half = block.co // 2
    return PartialDense(ci, nn.Sequential(block, _narrow(block.co, half)), transition(ci // 2 + half, co))


def _first(ci: int, block: DenseBlock, co: int) -> PartialDense:
    return PartialDense(ci, block, transition(ci // 2 + block.co, co))


def _last(ci: int, block: DenseBlock, co: int) -> PartialDense:
    return PartialDense(ci, nn.Sequential(block, _narrow(block.co, co - ci // 2)), nn.AvgPool2d(2))


FUSIONS: Mapping[str, Fusion] = {"csp": _csp, "first": _first, "last": _last}


@register("cspnet", CSPNET)
def cspdensenet121(num_classes: int = 1000, *, fusion: str = "csp") -> Backbone:
    if fusion == "none":
        return densenet121(num_classes)
    if fusion not in FUSIONS:
        hint = did_you_mean(fusion, FUSIONS, f"Choose one of: none, {', '.join(FUSIONS)}.")
        raise UserError(f"CSPNet has no fusion {fusion!r}. {hint}")
    design = DenseNetDesign(growth=32, stem=64)
    *layers, last = DEPTHS[121]
    body, ci = nn.Sequential(), design.stem
    for number, depth in enumerate(layers, start=1):
        co = (ci + depth * design.growth) // design.compression
        body.add_module(f"stage{number}", FUSIONS[fusion](ci, DenseBlock(ci // 2, depth, design), co))
        ci = co
    block = DenseBlock(ci // 2, last, design)
    body.add_module("stage4", PartialDense(ci, block, nn.Identity()))
    co = ci // 2 + block.co
    return Backbone(imagenet_stem(design.stem), body, nn.Sequential(NormAct(co), Classifier(co, num_classes)))
