"""Building blocks that the families share: convolution with batch norm and activation, classifiers, the backbone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Activation = Callable[[], nn.Module]
Kernel = int | tuple[int, int]


def relu() -> nn.Module:
    """In-place ReLU, as in the released networks."""
    return nn.ReLU(inplace=True)


def leaky() -> nn.Module:
    """Leaky ReLU with slope 0.1, Darknet's activation."""
    return nn.LeakyReLU(0.1, inplace=True)


def conv(ci: int, co: int, kernel: Kernel = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Convolution padded to keep the map's size at stride 1, without bias because batch norm follows."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    return nn.Conv2d(ci, co, kernel, stride, padding=(height // 2, width // 2), groups=groups, bias=False)


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and activation (none if `act` is None); no padding if `valid`."""

    def __init__(  # noqa: PLR0913  # the parameters of a convolution
        self,
        ci: int,
        co: int,
        kernel: Kernel = 3,
        stride: int = 1,
        *,
        groups: int = 1,
        act: Activation | None = relu,
        eps: float = 1e-5,
        valid: bool = False,
    ) -> None:
        super().__init__()
        if valid:
            self.conv = nn.Conv2d(ci, co, kernel, stride, groups=groups, bias=False)
        else:
            self.conv = conv(ci, co, kernel, stride, groups)
        self.norm = nn.BatchNorm2d(co, eps=eps)
        if act is not None:
            self.act = act()


class NormAct(nn.Sequential):
    """Batch norm and activation, placed before a pre-activation convolution."""

    def __init__(self, channels: int, act: Activation = relu) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.act = act()


class Branches(nn.Module):
    """Parallel branches of one input; their outputs are concatenated along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Classifier(nn.Sequential):
    """Global average pooling and a fully connected layer."""

    def __init__(self, channels: int, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        if dropout:
            self.append(nn.Dropout(dropout))
        self.append(nn.Linear(channels, num_classes))


class ConvClassifier(nn.Sequential):
    """Darknet's classifier: a 1x1 convolution after global average pooling, or before it if `on_map`."""

    def __init__(self, channels: int, num_classes: int, *, on_map: bool = False) -> None:
        pool, fc = nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, num_classes, 1)
        super().__init__(*((fc, pool) if on_map else (pool, fc)), nn.Flatten())


class Backbone(nn.Module):
    """Stem, stages and classifier in series: the structure of most families."""

    def __init__(self, stem: nn.Module, stages: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.stem, self.stages, self.classifier = stem, stages, classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.stages(self.stem(x)))
