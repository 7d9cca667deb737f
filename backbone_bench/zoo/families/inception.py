"""GoogLeNet (Szegedy et al., 1409.4842, Table 1) and Inception v3 (1512.00567, Table 1).

GoogLeNet: Table 1 sums to about 1.5 G FLOPs. The released network, with a 3x3
convolution in place of the paper's 5x5, has 1.498 G; with the paper's kernel
(`paper_kernel=True`) it has 1.583 G. Both have batch norm, which came later,
and no auxiliary heads.

Inception v3: the abstract prints 5 G FLOPs and fewer than 25 M parameters,
Table 3 prints 4.8 G. The released network has 5.713 G and 23.835 M, 27.161 M
with its auxiliary head, which runs in training only. The difference is not
explained: the paper's list of layers was not found, and the released stem
differs from Table 1.
"""

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from backbone_bench.zoo.families.blocks import Backbone, Branches, Classifier, ConvNorm, Kernel
from backbone_bench.zoo.registry import Paper, register

GOOGLENET = Paper("Going Deeper with Convolutions", "1409.4842", 2014)
V3 = Paper("Rethinking the Inception Architecture for Computer Vision", "1512.00567", 2015)

conv_norm = partial(ConvNorm, eps=1e-3)  # as released


class BranchConvolution(NamedTuple):
    """One convolution of a branch."""

    co: int
    kernel: Kernel = 1
    halves: bool = False  # stride 2, no padding


def chain(ci: int, *steps: BranchConvolution) -> nn.Sequential:
    """The convolutions of one branch."""
    branch = nn.Sequential()
    for co, kernel, halves in steps:
        branch.append(conv_norm(ci, co, kernel, 2 if halves else 1, valid=halves))
        ci = co
    return branch


# Table 1 of GoogLeNet.


class InceptionRow(NamedTuple):
    """The columns #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5 and pool proj."""

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    pool: int


INCEPTION_3 = (InceptionRow(64, 96, 128, 16, 32, 32), InceptionRow(128, 128, 192, 32, 96, 64))
INCEPTION_4 = (
    InceptionRow(192, 96, 208, 16, 48, 64),
    InceptionRow(160, 112, 224, 24, 64, 64),
    InceptionRow(128, 128, 256, 24, 64, 64),
    InceptionRow(112, 144, 288, 32, 64, 64),
    InceptionRow(256, 160, 320, 32, 128, 128),
)
INCEPTION_5 = (InceptionRow(256, 160, 320, 32, 128, 128), InceptionRow(384, 192, 384, 48, 128, 128))


def _modules(ci: int, rows: tuple[InceptionRow, ...], five: Kernel) -> nn.Sequential:
    stage = nn.Sequential()
    for row in rows:
        branches = Branches(
            chain(ci, BranchConvolution(row.one)),
            chain(ci, BranchConvolution(row.reduce3), BranchConvolution(row.three, 3)),
            chain(ci, BranchConvolution(row.reduce5), BranchConvolution(row.five, five)),
            nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv_norm(ci, row.pool, 1)),
        )
        stage.append(branches)
        ci = row.one + row.three + row.five + row.pool
    return stage


@register("inception", GOOGLENET)
def googlenet(num_classes: int = 1000, *, paper_kernel: bool = False) -> Backbone:
    five = 5 if paper_kernel else 3
    stem = nn.Sequential(
        conv_norm(3, 64, 7, 2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        conv_norm(64, 64, 1),
        conv_norm(64, 192),
        nn.MaxPool2d(3, 2, ceil_mode=True),
    )
    body = nn.Sequential(
        _modules(192, INCEPTION_3, five),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _modules(480, INCEPTION_4, five),
        nn.MaxPool2d(2, 2, ceil_mode=True),
        _modules(832, INCEPTION_5, five),
    )
    return Backbone(stem, body, Classifier(1024, num_classes, dropout=0.2))


# Table 1 of Inception v3, as released; the maps are 35, 17 and 8 pixels wide at 299x299.


def _pooled(ci: int, co: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, 1, padding=1), conv_norm(ci, co, 1))


def figure5(ci: int, pool: int) -> Branches:
    """Inception module of Figure 5, for the 35x35 map: two 3x3 convolutions in place of a 5x5."""
    return Branches(
        chain(ci, BranchConvolution(64)),
        chain(ci, BranchConvolution(48), BranchConvolution(64, 5)),
        chain(ci, BranchConvolution(64), BranchConvolution(96, 3), BranchConvolution(96, 3)),
        _pooled(ci, pool),
    )


def figure6(ci: int, inner: int) -> Branches:
    """Inception module of Figure 6, for the 17x17 map: 1x7 and 7x1 convolutions in place of 7x7."""
    row, column = (1, 7), (7, 1)
    double = [BranchConvolution(inner, kernel) for kernel in (column, row, column)]
    return Branches(
        chain(ci, BranchConvolution(192)),
        chain(ci, BranchConvolution(inner), BranchConvolution(inner, row), BranchConvolution(192, column)),
        chain(ci, BranchConvolution(inner), *double, BranchConvolution(192, row)),
        _pooled(ci, 192),
    )


def figure7(ci: int) -> Branches:
    """Inception module of Figure 7, for the 8x8 map: 1x3 and 3x1 convolutions in parallel."""

    def fan() -> Branches:
        return Branches(conv_norm(384, 384, (1, 3)), conv_norm(384, 384, (3, 1)))

    return Branches(
        chain(ci, BranchConvolution(320)),
        chain(ci, BranchConvolution(384)).append(fan()),
        chain(ci, BranchConvolution(448), BranchConvolution(384, 3)).append(fan()),
        _pooled(ci, 192),
    )


def _inception_v3(num_classes: int) -> Backbone:
    stem = nn.Sequential(
        chain(3, BranchConvolution(32, 3, halves=True)),
        conv_norm(32, 32, valid=True),
        conv_norm(32, 64),
        nn.MaxPool2d(3, 2),
        conv_norm(64, 80, 1),
        conv_norm(80, 192, valid=True),
        nn.MaxPool2d(3, 2),
    )
    to17 = Branches(
        chain(288, BranchConvolution(384, 3, halves=True)),
        chain(288, BranchConvolution(64), BranchConvolution(96, 3), BranchConvolution(96, 3, halves=True)),
        nn.MaxPool2d(3, 2),
    )
    to8 = Branches(
        chain(768, BranchConvolution(192), BranchConvolution(320, 3, halves=True)),
        chain(
            768,
            BranchConvolution(192),
            BranchConvolution(192, (1, 7)),
            BranchConvolution(192, (7, 1)),
            BranchConvolution(192, 3, halves=True),
        ),
        nn.MaxPool2d(3, 2),
    )
    grid17 = nn.Sequential(
        *(figure5(ci, pool) for ci, pool in ((192, 32), (256, 64), (288, 64))),
        to17,
        *(figure6(768, inner) for inner in (128, 160, 160, 192)),
    )
    grid8 = nn.Sequential(to8, figure7(1280), figure7(2048))
    return Backbone(stem, grid17, nn.Sequential(grid8, Classifier(2048, num_classes, dropout=0.5)))


class WithAuxiliary(nn.Module):
    """Inception v3 with the auxiliary head on the 17x17 map; it returns the head's scores too, in training only."""

    def __init__(self, main: Backbone, num_classes: int) -> None:
        super().__init__()
        self.main = main
        self.head = nn.Sequential(
            nn.AvgPool2d(5, 3), conv_norm(768, 128, 1), conv_norm(128, 768, 5, valid=True), Classifier(768, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if not self.training:
            return self.main(x)
        grid17 = self.main.stages(self.main.stem(x))
        return self.main.classifier(grid17), self.head(grid17)


@register("inception", V3, size=299)
def inception_v3(num_classes: int = 1000) -> Backbone:
    return _inception_v3(num_classes)


@register("inception", V3, size=299)
def inception_v3_aux(num_classes: int = 1000) -> WithAuxiliary:
    return WithAuxiliary(_inception_v3(num_classes), num_classes)
