"""Cross stage partial networks (Wang et al., CSPNet, 1911.11929): ResNet, ResNeXt and Darknet.

After the authors' csresnet50.cfg, csresnext50.cfg and csdarknet53.cfg: two 1x1
convolutions read a stage's map, one before the units, the other on a path that
skips them, and a 1x1 convolution joins both. As in these files, the splits of
the second and third ResNe(X)t stage have no activation. At 256x256, with a
multiply-add counted twice, the paper and its repository print 8.97, 7.93 and
13.07 G FLOPs, and 21.57, 20.50 and 27.61 M parameters (convolution weights
only). Here: 8.967, 7.929 and 13.067 G, and 21.567, 20.499 and 27.606 M. That is
8, 22 and 30 % fewer FLOPs than `darknet_resnet50`, `darknet_resnext50` and
`darknet53`; the abstract says "20 %". timm's CSPResNet-50 and CSPResNeXt-50
have 0.7 and 1.3 % more FLOPs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, ConvClassifier, ConvNorm, leaky
from backbone_bench.zoo.families.darknet import CSPNET, dark, unit
from backbone_bench.zoo.families.resnet import PaddedShortcut, Residual
from backbone_bench.zoo.registry import register


class CSPStage(NamedTuple):
    """Widths and depth of one stage of a cfg file."""

    base: int  # channels of the stage's map, before the split
    start: int  # channels before the first unit
    inner: int  # channels in the middle of a unit
    width: int  # channels of a unit's output, and of the path that skips the units
    out: int  # after the join
    units: int
    linear: bool = False  # no activation after the splitting convolutions


RESNET50 = (
    CSPStage(64, 64, 64, 128, 128, 3),
    CSPStage(128, 256, 128, 256, 256, 3, linear=True),
    CSPStage(256, 512, 256, 512, 512, 5, linear=True),
    CSPStage(512, 1024, 512, 1024, 1024, 2),
)
RESNEXT50 = (
    CSPStage(64, 64, 128, 128, 256, 3),
    CSPStage(256, 256, 256, 256, 512, 3, linear=True),
    CSPStage(512, 512, 512, 512, 1024, 5, linear=True),
    CSPStage(1024, 1024, 1024, 1024, 2048, 2),
)
DARKNET53 = (
    CSPStage(64, 64, 32, 64, 64, 1),
    CSPStage(128, 64, 64, 64, 128, 2),
    CSPStage(256, 128, 128, 128, 256, 8),
    CSPStage(512, 256, 256, 256, 512, 8),
    CSPStage(1024, 512, 512, 512, 1024, 4),
)

UnitBuilder = Callable[[int, CSPStage], nn.Module]  # from its input channels


class CrossStage(nn.Module):
    """`join(concat(main(y), skip(y)))` with `y = base(x)`, concatenated along the channels."""

    def __init__(self, base: nn.Module, main: nn.Module, skip: nn.Module, join: nn.Module) -> None:
        super().__init__()
        self.base, self.main, self.skip, self.join = base, main, skip, join

    def forward(self, x: Tensor) -> Tensor:
        x = self.base(x)
        return self.join(torch.cat((self.main(x), self.skip(x)), dim=1))


def cross_stage(base: nn.Module, stage: CSPStage, build: UnitBuilder) -> CrossStage:
    """Build a stage; `base` makes the map that is split."""
    split = partial(ConvNorm, kernel=1, act=None if stage.linear else leaky)
    main = nn.Sequential(split(stage.base, stage.start))
    ci = stage.start
    for _ in range(stage.units):
        main.append(build(ci, stage))
        ci = stage.width
    main.append(dark(ci, ci, 1))
    return CrossStage(base, main, split(stage.base, stage.width), dark(2 * ci, stage.out, 1))


def _dark_unit(ci: int, stage: CSPStage) -> Residual:
    return unit(ci, stage.inner)


def _bottleneck(ci: int, stage: CSPStage, groups: int) -> Residual:
    body = nn.Sequential(
        dark(ci, stage.inner, 1),
        dark(stage.inner, stage.inner, groups=groups),
        ConvNorm(stage.inner, stage.width, 1, act=None),
    )
    shortcut = nn.Identity() if ci == stage.width else PaddedShortcut(ci, stage.width, 1)
    return Residual(body, shortcut, leaky)


def _resnet(stages: Sequence[CSPStage], groups: int, num_classes: int) -> Backbone:
    body = nn.Sequential()
    for number, stage in enumerate(stages, start=1):
        down = nn.Identity() if number == 1 else dark(stage.base, stage.base, stride=2, groups=groups)
        body.add_module(f"stage{number}", cross_stage(down, stage, partial(_bottleneck, groups=groups)))
    stem = nn.Sequential(dark(3, 64, 7, 2), nn.MaxPool2d(2))
    return Backbone(stem, body, ConvClassifier(stages[-1].out, num_classes))


@register("cspnet", CSPNET, size=256)
def cspresnet50(num_classes: int = 1000) -> Backbone:
    return _resnet(RESNET50, 1, num_classes)


@register("cspnet", CSPNET, size=256)
def cspresnext50(num_classes: int = 1000) -> Backbone:
    return _resnet(RESNEXT50, 32, num_classes)


@register("cspnet", CSPNET, size=256)
def cspdarknet53(num_classes: int = 1000) -> Backbone:
    body, ci = nn.Sequential(), 32
    for number, stage in enumerate(DARKNET53, start=1):
        body.add_module(f"stage{number}", cross_stage(dark(ci, stage.base, stride=2), stage, _dark_unit))
        ci = stage.out
    return Backbone(dark(3, 32), body, ConvClassifier(ci, num_classes))
