"""Darknet-19 (YOLO9000, 1612.08242, Table 6), Darknet-53 (YOLOv3, 1804.02767, Table 1) and Darknet's own ResNets.

YOLOv3's Table 2, at 256x256 with a multiply-add counted twice, prints 7.29,
19.7, 29.4 and 18.7 Bn Ops for Darknet-19, ResNet-101, ResNet-152 and
Darknet-53. All four reproduce (7.291, 19.696, 29.394, 18.699) if the 1000-way
convolution is applied to the 8x8 map, before the average pool, which is
Darknet-19's own order: `classifier_on_map=True`. After the pool, as in the
released darknet53.cfg, they are 7.162, 19.438, 29.135 and 18.570; CSPNet prints
the last one too. The ResNets follow the authors' resnet50.cfg, resnet101.cfg and
resnet152.cfg: leaky ReLU, a 2x2 pool, and no projections: a shortcut between
different shapes takes every second pixel and pads. So do resnet10.cfg and
resnext50.cfg of CSPNet's authors: 2.272 and 10.110 G here, 2.273 and 10.11
printed. Published parameters (41.57, 5.24, 22.73, 22.19 M) are convolution
weights, without batch norm.
"""

from collections.abc import Sequence
from functools import partial

from torch import nn

from backbone_bench.zoo.families.blocks import Backbone, ConvClassifier, ConvNorm, leaky
from backbone_bench.zoo.families.resnet import DEPTHS, WIDTHS, Residual, ResNetDesign, stages
from backbone_bench.zoo.registry import Paper, register

YOLO9000 = Paper("YOLO9000: Better, Faster, Stronger", "1612.08242", 2016)
YOLOV3 = Paper("YOLOv3: An Incremental Improvement", "1804.02767", 2018)
CSPNET = Paper("CSPNet: A New Backbone that can Enhance Learning Capability of CNN", "1911.11929", 2019)

# Table 6 of YOLO9000: width and layers of each stage. 3x3 convolutions of this width alternate with 1x1 convolutions of
# half of it; there is a pool between stages.
DARKNET19 = ((32, 1), (64, 1), (128, 3), (256, 3), (512, 5), (1024, 5))
# Table 1 of YOLOv3: width and residual units of each stage, after a strided 3x3 convolution to this width.
DARKNET53 = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))

dark = partial(ConvNorm, act=leaky)


def _stage19(ci: int, width: int, layers: int) -> nn.Sequential:
    stage = nn.Sequential(dark(ci, width))
    for _ in range(layers // 2):
        stage.extend([dark(width, width // 2, 1), dark(width // 2, width)])
    return stage


def unit(width: int, inner: int) -> Residual:
    """Residual unit of a 1x1 and a 3x3 convolution; no activation after the sum."""
    return Residual(nn.Sequential(dark(width, inner, 1), dark(inner, width)), nn.Identity(), nn.Identity)


def _darknet53() -> nn.Sequential:
    body, ci = nn.Sequential(), 32
    for number, (width, units) in enumerate(DARKNET53, start=1):
        layers = [dark(ci, width, stride=2), *(unit(width, width // 2) for _ in range(units))]
        body.add_module(f"stage{number}", nn.Sequential(*layers))
        ci = width
    return body


class DarknetResNet(Backbone):
    """ResNet as Darknet builds it, at 256x256."""

    def __init__(
        self, depths: Sequence[int], num_classes: int, design: ResNetDesign, *, classifier_on_map: bool
    ) -> None:
        channels = 2048 if design.bottleneck else 512
        super().__init__(
            nn.Sequential(dark(3, 64, 7, 2), nn.MaxPool2d(2)),
            stages(64, WIDTHS, depths, design),
            ConvClassifier(channels, num_classes, on_map=classifier_on_map),
        )


PLAIN = ResNetDesign(padded_shortcut=True, act=leaky)


@register("darknet", YOLO9000, size=256)
def darknet19(num_classes: int = 1000, *, classifier_on_map: bool = True) -> Backbone:
    body, ci = nn.Sequential(), 32
    for number, (width, layers) in enumerate(DARKNET19[1:], start=1):
        body.add_module(f"stage{number}", nn.Sequential(nn.MaxPool2d(2), *_stage19(ci, width, layers)))
        ci = width
    return Backbone(dark(3, 32), body, ConvClassifier(ci, num_classes, on_map=classifier_on_map))


@register("darknet", YOLOV3, size=256)
def darknet53(num_classes: int = 1000, *, classifier_on_map: bool = False) -> Backbone:
    return Backbone(dark(3, 32), _darknet53(), ConvClassifier(1024, num_classes, on_map=classifier_on_map))


@register("darknet", CSPNET, size=256)
def darknet_resnet10(num_classes: int = 1000, *, classifier_on_map: bool = False) -> DarknetResNet:
    design = PLAIN._replace(bottleneck=False)
    return DarknetResNet((1, 1, 1, 1), num_classes, design, classifier_on_map=classifier_on_map)


@register("darknet", CSPNET, size=256)
def darknet_resnet50(num_classes: int = 1000, *, classifier_on_map: bool = False) -> DarknetResNet:
    return DarknetResNet(DEPTHS[50], num_classes, PLAIN, classifier_on_map=classifier_on_map)


@register("darknet", YOLOV3, size=256)
def darknet_resnet101(num_classes: int = 1000, *, classifier_on_map: bool = False) -> DarknetResNet:
    return DarknetResNet(DEPTHS[101], num_classes, PLAIN, classifier_on_map=classifier_on_map)


@register("darknet", YOLOV3, size=256)
def darknet_resnet152(num_classes: int = 1000, *, classifier_on_map: bool = False) -> DarknetResNet:
    return DarknetResNet(DEPTHS[152], num_classes, PLAIN, classifier_on_map=classifier_on_map)


@register("darknet", CSPNET, size=256)
def darknet_resnext50(num_classes: int = 1000, *, classifier_on_map: bool = False) -> DarknetResNet:
    design = PLAIN._replace(groups=32, base_width=4)
    return DarknetResNet(DEPTHS[50], num_classes, design, classifier_on_map=classifier_on_map)
