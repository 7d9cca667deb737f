"""What a claim can be made of: each kind of check as data, with nothing that computes.

A network is written `resnet34@224` (the size left out: its own), or as a
table with `arguments` for its builder; a `Stack` is layers that a paper gives in words.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator
from pydantic.dataclasses import dataclass

from backbone_bench.claims.layers import STRICT, Formula, Layer
from backbone_bench.claims.metrics import METRICS
from backbone_bench.claims.verdicts import Verdict
from backbone_bench.errors import did_you_mean
from backbone_bench.records import Scalar

_NETWORK = re.compile(r"(?P<model>.+?)(?:@(?P<size>[1-9]\d{0,4}))?")

Positive = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(gt=0, lt=100_000)]


def _metric(name: str) -> str:
    if name not in METRICS:
        known = ", ".join(METRICS)
        raise ValueError(f"no metric is called {name!r}. {did_you_mean(name, METRICS, f'There are {known}.')}")
    return name


Metric = Annotated[str, AfterValidator(_metric)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Tolerance:
    """How far a count may lie from the published figure, and why so far."""

    why: str
    relative: Positive | None = None
    absolute: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.relative is None) == (self.absolute is None):
            raise ValueError("a tolerance is either relative or absolute")
        return self

    def slack(self, expected: float) -> float:
        return self.absolute if self.absolute is not None else abs(expected) * (self.relative or 0)


@dataclass(frozen=True, slots=True, config=STRICT)
class Network:
    """A network that the tool can build, at an input size."""

    model: str
    size: Size | None = None  # None: the size of the paper's cost figures
    arguments: Mapping[str, Scalar] | None = None

    def __str__(self) -> str:
        size = f"@{self.size}" if self.size else ""
        given = ", ".join(f"{name}={value}" for name, value in (self.arguments or {}).items())
        return f"{self.model}{size}" + (f" ({given})" if given else "")


@dataclass(frozen=True, slots=True, config=STRICT)
class Stack:
    """Layers one after another, as a paper describes them."""

    name: str
    layers: tuple[Layer, ...]

    def __str__(self) -> str:
        return self.name


def network(text: str) -> Network:
    """
    >>> network("resnet34@224")
    Network(model='resnet34', size=224, arguments=None)
    """
    match = re.fullmatch(_NETWORK, text)
    if match is None:
        raise ValueError(f"{text!r} names no network: write it as resnet50 or resnet50@256")
    return Network(match["model"], int(match["size"]) if match["size"] else None)


def _form(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "stack" if isinstance(value, Stack) or (isinstance(value, Mapping) and "layers" in value) else "network"


if TYPE_CHECKING:  # a text stands in the file; what the field holds is a network
    Named = Network
    Subject = Network | Stack
else:
    _Text = Annotated[str, AfterValidator(network), Tag("text")]
    Named = Annotated[_Text | Annotated[Network, Tag("network")], Discriminator(_form)]
    Subject = Annotated[
        _Text | Annotated[Network, Tag("network")] | Annotated[Stack, Tag("stack")], Discriminator(_form)
    ]


@dataclass(frozen=True, slots=True, config=STRICT)
class Range:
    """Whole steps from `first` to `last`, both included."""

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


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class _Check:
    expects: Verdict | None = None  # of this check alone, where the claim's does not say it
    expects_published: Verdict | None = None
    aside: bool = False  # shown beside the claim, no part of its verdict
    note: str = ""


# Counted, on networks or stacks.


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Count(_Check):
    """A figure of one network."""

    kind: Literal["count"]
    metric: Metric
    of: Subject
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Ratio(_Check):
    """One network's figure over another's, or the change or the saving that this makes."""

    kind: Literal["ratio"]
    metric: Metric
    of: Subject
    to: Subject
    form: Literal["ratio", "change", "saving"] = "ratio"
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Delta(_Check):
    """What one network has more than another."""

    kind: Literal["delta"]
    metric: Metric
    of: Subject
    minus: Subject
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Order(_Check):
    """Networks in rising order of a figure."""

    kind: Literal["order"]
    metric: Metric
    rising: Annotated[tuple[Subject, ...], Field(min_length=2)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Bound(_Check):
    """A figure below or above a limit."""

    kind: Literal["bound"]
    metric: Metric
    of: Subject
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("a bound is either below or above")
        return self


# Formulas, over sweeps.


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Law(_Check):
    """A relation between two formulas that must hold all over a sweep; the costs of `layers` are names in them."""

    kind: Literal["law"]
    axes: Axes
    layers: tuple[Layer, ...] = ()
    left: Formula
    relation: Literal["==", ">=", "<="]
    right: Formula
    says: str  # the relation in words
    touches: Formula | None = None  # the two are equal just where this is zero
    by: str | None = None  # the axis along which left over right is shown
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Value(_Check):
    """The value of a formula at a point."""

    kind: Literal["value"]
    formula: Formula
    at: Mapping[str, float]
    layers: tuple[Layer, ...] = ()
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Family(_Check):
    """A figure of every stack of a sweep that matches a network in other figures: what a paper leaves unnamed."""

    kind: Literal["family"]
    axes: Axes
    layers: tuple[Layer, ...]
    like: Named
    parity: Mapping[Metric, Positive]  # the most by which each of these may differ, as a share
    metric: Metric
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Table(_Check):
    """A relation between columns of a published table, row by row."""

    kind: Literal["table"]
    file: str
    left: Formula
    right: Formula
    tolerance: Tolerance


# With a clock.

Quantity = Literal["time", "energy"]
Device = Literal["gpu", "cpu"]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Pair(_Check):
    """One network's time or energy per image over another's, against a bound."""

    kind: Literal["pair"]
    quantity: Quantity
    of: Named
    to: Named
    relation: Literal["<", ">"]
    bound: Positive = 1.0
    published: Positive | None = None  # the paper's own ratio: shown, not judged
    device: Device = "gpu"  # a witness of another kind is shown and not heard


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Correlation(_Check):
    """Time or energy goes with one metric rather than with another, over all networks that were measured."""

    kind: Literal["correlation"]
    quantity: Quantity
    closer: Metric
    than: Metric
    also: tuple[Metric, ...] = ()  # shown beside the two
    detectors: bool = False  # where whole detectors are all that anybody has published, they are heard
    device: Device = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Ranks(_Check):
    """A metric puts pairs of networks in the order in which time or energy does."""

    kind: Literal["ranks"]
    quantity: Quantity
    metric: Metric
    pairs: Annotated[tuple[tuple[Named, Named], ...], Field(min_length=1)]
    device: Device = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Needs(_Check):
    """What cannot be checked here, and what it would take."""

    kind: Literal["needs"]
    needs: str  # "training on ImageNet", "a GPU and a sweep over …"
    published: str = ""  # the figures, as the paper gives them


Check = Annotated[
    Count | Ratio | Delta | Order | Bound | Law | Value | Family | Table | Pair | Correlation | Ranks | Needs,
    Discriminator("kind"),
]
