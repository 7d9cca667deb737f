"""VGG (Simonyan and Zisserman, 1409.1556, Table 1).

Table 2 prints 133, 133, 134, 138 and 144 M parameters for A to E; these
networks have 132.86 (A), 133.05 (B), 133.64 (C), 138.36 (D) and 143.67 M (E).
The ResNet paper prints 15.3 G FLOPs for VGG-16, without the three fully
connected layers (15.347 G here), and 19.6 G for VGG-19, with them (19.632 G).
"""

from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import relu
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("Very Deep Convolutional Networks for Large-Scale Image Recognition", "1409.1556", 2014)

# Columns of Table 1: the kernel sizes of each stage; a pool ends a stage. 1 is a 1x1 convolution (configuration C).
WIDTHS = (64, 128, 256, 512, 512)
A = ((3,), (3,), (3, 3), (3, 3), (3, 3))
B = ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3))
C = ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1))
D = ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
E = ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3))

Configuration = tuple[tuple[int, ...], ...]


class VGG(nn.Module):
    """Stages of 3x3 convolutions, then three fully connected layers on a 7x7 map."""

    def __init__(self, configuration: Configuration, num_classes: int, *, norm: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential()
        ci = 3
        for number, (kernels, co) in enumerate(zip(configuration, WIDTHS, strict=True), start=1):
            self.features.add_module(f"stage{number}", _stage(ci, co, kernels, norm=norm))
            ci = co
        self.pool = nn.AdaptiveAvgPool2d(7)  # the identity at 224x224; allows other input sizes
        self.classifier = nn.Sequential(
            nn.Linear(ci * 7 * 7, 4096), relu(), nn.Dropout(),
            nn.Linear(4096, 4096), relu(), nn.Dropout(),
            nn.Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))


def _stage(ci: int, co: int, kernels: tuple[int, ...], *, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for kernel in kernels:
        layers.append(nn.Conv2d(ci, co, kernel, padding=kernel // 2))
        layers += [nn.BatchNorm2d(co), relu()] if norm else [relu()]
        ci = co
    return nn.Sequential(*layers, nn.MaxPool2d(2))


@register("vgg", PAPER)
def vgg11(num_classes: int = 1000) -> VGG:
    return VGG(A, num_classes)


@register("vgg", PAPER)
def vgg13(num_classes: int = 1000) -> VGG:
    return VGG(B, num_classes)


@register("vgg", PAPER)
def vgg16_c(num_classes: int = 1000) -> VGG:
    return VGG(C, num_classes)


@register("vgg", PAPER)
def vgg16(num_classes: int = 1000) -> VGG:
    return VGG(D, num_classes)


@register("vgg", PAPER)
def vgg19(num_classes: int = 1000) -> VGG:
    return VGG(E, num_classes)


@register("vgg", PAPER)
def vgg11_bn(num_classes: int = 1000) -> VGG:
    return VGG(A, num_classes, norm=True)


@register("vgg", PAPER)
def vgg13_bn(num_classes: int = 1000) -> VGG:
    return VGG(B, num_classes, norm=True)


@register("vgg", PAPER)
def vgg16_bn(num_classes: int = 1000) -> VGG:
    return VGG(D, num_classes, norm=True)


@register("vgg", PAPER)
def vgg19_bn(num_classes: int = 1000) -> VGG:
    return VGG(E, num_classes, norm=True)
