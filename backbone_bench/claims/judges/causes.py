"""Why a count may differ from what a paper prints: known causes, as data.

A cause is another metric (the classifier left out), a factor (two for each
multiply-add), another input size, or another network of the same name (the paper's own
stem). Each is tried alone, the likelier ones first; the first that comes within the tolerance is the explanation.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from pydantic.dataclasses import dataclass

from backbone_bench.claims.data.layers import STRICT
from backbone_bench.claims.data.metrics import SIZELESS
from backbone_bench.claims.data.reading import revive, toml
from backbone_bench.claims.data.subjects import LayerStack, MetricName, Network, PixelSize
from backbone_bench.records import Scalar


@dataclass(frozen=True, slots=True, config=STRICT)
class Variant:
    """The network that goes by the same name elsewhere."""

    model: str | None = None
    arguments: Mapping[str, Scalar] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Cause:
    """One way in which a paper's figure is another figure than ours."""

    id: str
    sentence: str
    factors: Mapping[MetricName, float] | None = None
    instead: Mapping[MetricName, MetricName] | None = None
    sizes: tuple[PixelSize, ...] = ()  # tried after all others: each is a count of its own
    variants: Mapping[str, Variant] | None = None


class FigureReading(NamedTuple):
    """How a figure is to be found."""

    metric: str
    subjects: tuple[Network | LayerStack, ...]
    factor: float = 1.0


@cache
def causes() -> tuple[Cause, ...]:
    """The causes that the package knows."""
    text = (resources.files("backbone_bench.claims") / "causes.toml").read_text(encoding="utf-8")
    return revive(tuple[Cause, ...], toml(text, "causes.toml")["cause"], "causes.toml")


def readings(cause: Cause, plain: FigureReading) -> Iterator[FigureReading]:
    """The other ways to read a figure that a cause opens; none where it does not apply."""
    changed = FigureReading(
        (cause.instead or {}).get(plain.metric, plain.metric),
        tuple(_swap(cause.variants or {}, subject) for subject in plain.subjects),
        plain.factor * (cause.factors or {}).get(plain.metric, 1.0),
    )
    if changed != plain:
        yield changed
    # Two networks at another size are another comparison, not another way to count.
    if len(plain.subjects) == 1 and plain.metric not in SIZELESS:
        for size in cause.sizes:
            resized = plain._replace(subjects=(_resize(plain.subjects[0], size),))
            if resized != plain:
                yield resized


def _swap(variants: Mapping[str, Variant], subject: Network | LayerStack) -> Network | LayerStack:
    if isinstance(subject, LayerStack) or subject.model not in variants:
        return subject
    variant = variants[subject.model]
    arguments = {**(subject.arguments or {}), **(variant.arguments or {})}
    return Network(variant.model or subject.model, subject.size, arguments or None)


def _resize(subject: Network | LayerStack, size: int) -> Network | LayerStack:
    return subject if isinstance(subject, LayerStack) else Network(subject.model, size, subject.arguments)
