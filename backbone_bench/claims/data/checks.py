"""What a claim can be made of: each kind of check as data, with nothing that computes."""

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
    expects: ClaimVerdict | None = None  # of this check alone, where the claim's does not say it
    expects_published: ClaimVerdict | None = None
    aside: bool = False  # shown beside the claim, no part of its verdict
    note: str = ""


# Counted, on networks or stacks.


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class CountCheck(_Check):
    """A figure of one network."""

    kind: Literal["count"]
    metric: MetricName
    of: Subject
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class RatioCheck(_Check):
    """One network's figure over another's, or the change or the saving that this makes."""

    kind: Literal["ratio"]
    metric: MetricName
    of: Subject
    to: Subject
    form: Literal["ratio", "change", "saving"] = "ratio"
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class DeltaCheck(_Check):
    """What one network has more than another."""

    kind: Literal["delta"]
    metric: MetricName
    of: Subject
    minus: Subject
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class OrderCheck(_Check):
    """Networks in rising order of a figure."""

    kind: Literal["order"]
    metric: MetricName
    rising: Annotated[tuple[Subject, ...], Field(min_length=2)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class BoundCheck(_Check):
    """A figure below or above a limit."""

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


# Formulas, over sweeps.


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class LawCheck(_Check):
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
class ValueCheck(_Check):
    """The value of a formula at a point."""

    kind: Literal["value"]
    formula: Formula
    at: Mapping[str, float]
    layers: tuple[Layer, ...] = ()
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class FamilyCheck(_Check):
    """A figure of every stack of a sweep that matches a network in other figures: what a paper leaves unnamed."""

    kind: Literal["family"]
    axes: Axes
    layers: tuple[Layer, ...]
    like: Named
    parity: Mapping[MetricName, Positive]  # the most by which each of these may differ, as a share
    metric: MetricName
    expected: float
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class TableCheck(_Check):
    """A relation between columns of a published table, row by row."""

    kind: Literal["table"]
    file: str
    left: Formula
    right: Formula
    tolerance: Tolerance


# With a clock.

ClockQuantity = Literal["time", "energy"]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class PairCheck(_Check):
    """One network's time or energy per image over another's, against a bound; or that per unit of a count, `per`."""

    kind: Literal["pair"]
    quantity: ClockQuantity
    of: Named
    to: Named
    relation: Literal["<", ">"]
    bound: Positive = 1.0
    per: MetricName | None = None  # `flops`: whether the FLOPs of one take longer each
    published: Positive | None = None  # the paper's own ratio: shown, not judged
    device: DeviceKind = "gpu"  # a witness of another kind is shown and not heard


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class CorrelationCheck(_Check):
    """Time or energy goes with one metric rather than with another, over all networks that were measured."""

    kind: Literal["correlation"]
    quantity: ClockQuantity
    closer: MetricName
    than: MetricName
    also: tuple[MetricName, ...] = ()  # shown beside the two
    detectors: bool = False  # where whole detectors are all that anybody has published, they are heard
    device: DeviceKind = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class RanksCheck(_Check):
    """A metric puts pairs of networks in the order in which time or energy does."""

    kind: Literal["ranks"]
    quantity: ClockQuantity
    metric: MetricName
    pairs: Annotated[tuple[tuple[Named, Named], ...], Field(min_length=1)]
    device: DeviceKind = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class NeedsCheck(_Check):
    """What cannot be checked here, and what it would take."""

    kind: Literal["needs"]
    needs: str  # "training on ImageNet", "a GPU and a sweep over …"
    published: str = ""  # the figures, as the paper gives them


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
