"""AlexNet (Krizhevsky et al., 2012, Section 3.5), with its two groups.

On a 227x227 image, as Caffe runs it: 724.4 M FLOPs and 60.97 M parameters. The
paper prints 60 million parameters, MobileNet's paper 720 M. torchvision's
AlexNet is the one without groups (1404.5997): 714.2 M at 224x224 and 61.10 M.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from backbone_bench.zoo.families.blocks import Backbone, relu
from backbone_bench.zoo.registry import Paper, register

PAPER = Paper("ImageNet Classification with Deep Convolutional Neural Networks", "", 2012)


NEIGHBOURS = 5  # n of Section 3.3


class ResponseNorm(nn.Module):
    """Local response normalisation over neighbouring channels (Section 3.3); torch's own takes no bfloat16 on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        squares = x.square().flatten(2).unsqueeze(1)
        mean = F.avg_pool2d(squares, (NEIGHBOURS, 1), 1, (NEIGHBOURS // 2, 0)).view_as(x)
        return x / (2 + 1e-4 * NEIGHBOURS * mean) ** 0.75


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2)


@register("alexnet", PAPER, size=227)
def alexnet(num_classes: int = 1000) -> Backbone:
    stem = nn.Sequential(nn.Conv2d(3, 96, 11, 4), relu(), ResponseNorm(), _pool())
    body = nn.Sequential(
        nn.Conv2d(96, 256, 5, padding=2, groups=2), relu(), ResponseNorm(), _pool(),
        nn.Conv2d(256, 384, 3, padding=1), relu(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), relu(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), relu(), _pool(),
    )  # fmt: skip
    classifier = nn.Sequential(
        nn.AdaptiveAvgPool2d(6), nn.Flatten(),  # the identity at 227x227; allows other input sizes
        nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), relu(),
        nn.Dropout(), nn.Linear(4096, 4096), relu(),
        nn.Linear(4096, num_classes),
    )  # fmt: skip
    return Backbone(stem, body, classifier)
