"""Subjects of checks: networks, stacks of layers, sweeps and tolerances.

A network is written `resnet34@224` (without a size: at its own), or as a table with `arguments` for its builder.
A `LayerStack` holds layers that a paper describes in words.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import did_you_mean
from backbone_bench.claims.data.layers import STRICT, Layer
from backbone_bench.claims.data.metrics import METRICS
from backbone_bench.records import Scalar

_NETWORK = re.compile(r"(?P<model>.+?)(?:@(?P<size>[1-9]\d{0,4}))?")

Positive = Annotated[float, Field(gt=0)]
TOO_LARGE = 100_000  # pixels along a side
PixelSize = Annotated[int, Field(gt=0, lt=TOO_LARGE)]


def _metric(name: str) -> str:
    if name not in METRICS:
        known = ", ".join(METRICS)
        raise ValueError(f"no metric is called {name!r}. {did_you_mean(name, METRICS, f'There are {known}.')}")
    return name


MetricName = Annotated[str, AfterValidator(_metric)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Tolerance:
    """Largest accepted distance from the published number, with its reason `why`.

    `digit` is the unit of the last printed digit: the number may be half of it away, as rounding leaves it.
    """

    why: str
    relative: Positive | None = None
    absolute: Positive | None = None
    digit: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(width is not None for width in (self.relative, self.absolute, self.digit)) != 1:
            raise ValueError("a tolerance is one of relative, absolute and digit")
        return self

    def slack(self, expected: float) -> float:
        """The tolerance in the units of `expected`."""
        if self.digit is not None:
            return self.digit / 2
        return self.absolute if self.absolute is not None else abs(expected) * (self.relative or 0)


@dataclass(frozen=True, slots=True, config=STRICT)
class Network:
    """A network that the program can build, at an input size."""

    model: str
    size: PixelSize | None = None  # None: the size of the paper's cost figures
    arguments: Mapping[str, Scalar] | None = None

    def __str__(self) -> str:
        size = f"@{self.size}" if self.size else ""
        given = ", ".join(f"{name}={value}" for name, value in (self.arguments or {}).items())
        return f"{self.model}{size}" + (f" ({given})" if given else "")

    @property
    def short(self) -> str:
        """The name without the packages of a factory: `micro:split@56 (pieces=2)`."""
        module, colon, factory = self.model.partition(":")
        if "." not in module or module.endswith(".py"):
            return str(self)
        return str(replace(self, model=f"{module.rpartition('.')[2]}{colon}{factory}"))


@dataclass(frozen=True, slots=True, config=STRICT)
class LayerStack:
    """Layers in sequence, as a paper describes them."""

    name: str
    layers: tuple[Layer, ...]

    def __str__(self) -> str:
        return self.name


def network(text: str) -> Network:
    """Parse a network from its name, with or without an input size.

    >>> network("resnet34@224")
    Network(model='resnet34', size=224, arguments=None)
    """
    match = re.fullmatch(_NETWORK, text)
    if match is None:
        raise ValueError(f"{text!r} is not the name of a network: write resnet50 or resnet50@256")
    return Network(match["model"], int(match["size"]) if match["size"] else None)


def _form(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "stack" if isinstance(value, LayerStack) or (isinstance(value, Mapping) and "layers" in value) else "network"


def _in_one_line(subject: Any) -> Any:
    if not str(subject).isprintable():
        raise ValueError(f"{str(subject)!r} is not a name: it contains a control character")
    return subject


if TYPE_CHECKING:  # the file has a string or a table; the field holds the network made from it
    Named = Network
    Subject = Network | LayerStack
else:
    _Text = Annotated[str, AfterValidator(network), Tag("text")]
    Named = Annotated[_Text | Annotated[Network, Tag("network")], Discriminator(_form), AfterValidator(_in_one_line)]
    Subject = Annotated[
        _Text | Annotated[Network, Tag("network")] | Annotated[LayerStack, Tag("stack")],
        Discriminator(_form),
        AfterValidator(_in_one_line),
    ]


@dataclass(frozen=True, slots=True, config=STRICT)
class Range:
    """Values in equal steps from `first` to `last`, both included."""

    first: float
    last: float
    step: Positive

    @model_validator(mode="after")
    def _short(self) -> Self:
        if not 0 <= (self.last - self.first) / self.step < 10_000:
            raise ValueError("an axis has between 1 and 10000 steps")
        return self

    def values(self) -> list[float]:
        steps = int((self.last - self.first) / self.step + 1e-9)
        return [self.first + self.step * i for i in range(steps + 1)]


Axes = Mapping[str, Annotated[tuple[float, ...], Field(min_length=1)] | Range]
