"""Kinds of checks that a claim consists of, as data; `judges` computes them."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, model_validator
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import DeviceKind
from backbone_bench.claims.data.layers import STRICT, Formula, Layer
from backbone_bench.claims.data.subjects import Axes, MetricName, Named, Positive, Subject, Tolerance
from backbone_bench.claims.data.verdicts import ClaimVerdict


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class _Check:
    """Fields of every kind of check."""

    expects: ClaimVerdict | None = None  # of this check alone, if it differs from what the claim expects
    expects_published: ClaimVerdict | None = None
    aside: bool = False  # informational: shown with the claim, but not counted in its verdict
    note: str = ""


# Checks of counts, on networks or stacks.


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class CountCheck(_Check):
    """The value of a metric for one network."""

    kind: Literal["count"]
    metric: MetricName
    of: Subject
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class RatioCheck(_Check):
    """The ratio of one network's metric to another's, or the relative change or saving."""

    kind: Literal["ratio"]
    metric: MetricName
    of: Subject
    to: Subject
    form: Literal["ratio", "change", "saving"] = "ratio"
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class DeltaCheck(_Check):
    """The difference of a metric: one network minus another."""

    kind: Literal["delta"]
    metric: MetricName
    of: Subject
    minus: Subject
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class OrderCheck(_Check):
    """Networks in ascending order of a metric."""

    kind: Literal["order"]
    metric: MetricName
    rising: Annotated[tuple[Subject, ...], Field(min_length=2)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class BoundCheck(_Check):
    """A metric below or above a limit."""

    kind: Literal["bound"]
    metric: MetricName
    of: Subject
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("a bound is either below or above")
        return self


# Checks of formulas, over sweeps.


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class LawCheck(_Check):
    """A relation of two formulas that must hold at every point of a sweep; they may use the costs of `layers`."""

    kind: Literal["law"]
    axes: Axes
    layers: tuple[Layer, ...] = ()
    left: Formula
    relation: Literal["==", ">=", "<="]
    right: Formula
    says: str  # the relation in words
    touches: Formula | None = None  # left and right are equal only where this is zero
    by: str | None = None  # the axis along which left / right is shown
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class ValueCheck(_Check):
    """The value of a formula at one point."""

    kind: Literal["value"]
    formula: Formula
    at: Mapping[str, float]
    layers: tuple[Layer, ...] = ()
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class FamilyCheck(_Check):
    """A metric of all stacks of a sweep that match a network in other metrics: a paper may leave the widths open."""

    kind: Literal["family"]
    axes: Axes
    layers: tuple[Layer, ...]
    like: Named
    parity: Mapping[MetricName, Positive]  # largest relative difference in each of these metrics
    metric: MetricName
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class TableCheck(_Check):
    """An equation between columns of a published table, row by row."""

    kind: Literal["table"]
    file: str
    left: Formula
    right: Formula
    tolerance: Tolerance


# Checks of measurements.

ClockQuantity = Literal["time", "energy"]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class PairCheck(_Check):
    """The ratio of two networks' time or energy per image, or per unit of the metric `per`, against a bound."""

    kind: Literal["pair"]
    quantity: ClockQuantity
    of: Named
    to: Named
    relation: Literal["<", ">"]
    bound: Positive = 1.0
    per: MetricName | None = None  # `flops`: compares the time or energy of one FLOP
    published: Positive | None = None  # the paper's own ratio: shown, not checked
    device: DeviceKind = "gpu"  # a measurement on another kind is shown, but is not evidence


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class CorrelationCheck(_Check):
    """Time or energy correlates with one metric more than with another, over all measured networks."""

    kind: Literal["correlation"]
    quantity: ClockQuantity
    closer: MetricName
    than: MetricName
    also: tuple[MetricName, ...] = ()  # shown beside the two
    detectors: bool = False  # published measurements of whole detectors count too
    device: DeviceKind = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class RanksCheck(_Check):
    """A metric orders pairs of networks as their time or energy does."""

    kind: Literal["ranks"]
    quantity: ClockQuantity
    metric: MetricName
    pairs: Annotated[tuple[tuple[Named, Named], ...], Field(min_length=1)]
    device: DeviceKind = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class NeedsCheck(_Check):
    """A claim that cannot be checked here, and what it needs."""

    kind: Literal["needs"]
    needs: str  # "training on ImageNet", "a GPU and a sweep over …"
    published: str = ""  # the numbers as the paper prints them


Check = Annotated[
    CountCheck
    | RatioCheck
    | DeltaCheck
    | OrderCheck
    | BoundCheck
    | LawCheck
    | ValueCheck
    | FamilyCheck
    | TableCheck
    | PairCheck
    | CorrelationCheck
    | RanksCheck
    | NeedsCheck,
    Discriminator("kind"),
]
