"""What the families share: a convolution with its batch norm and activation, and little else."""

from collections.abc import Callable

from torch import Tensor, nn

Activation = Callable[[], nn.Module]


def relu() -> nn.Module:
    """ReLU in place, as the released networks use it."""
    return nn.ReLU(inplace=True)


def leaky() -> nn.Module:
    """Darknet's activation."""
    return nn.LeakyReLU(0.1, inplace=True)


def conv(ci: int, co: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A square convolution that keeps the map's size at stride 1; no bias, since batch norm follows."""
    return nn.Conv2d(ci, co, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless it is None, an activation."""

    def __init__(
        self,
        ci: int,
        co: int,
        kernel: int = 3,
        stride: int = 1,
        *,
        groups: int = 1,
        act: Activation | None = relu,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = conv(ci, co, kernel, stride, groups)
        self.norm = nn.BatchNorm2d(co, eps=eps)
        if act is not None:
            self.act = act()


class NormAct(nn.Sequential):
    """Batch norm and activation: what comes before a pre-activation convolution."""

    def __init__(self, channels: int, act: Activation = relu) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.act = act()


class Classifier(nn.Module):
    """Global average pooling and a fully connected layer."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(x).flatten(1))
