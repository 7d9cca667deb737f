"""Known causes, as data, of a difference between a count and the number in a paper.

A cause is another metric (the classifier left out), a factor (two FLOPs per multiply-add), another input size, or
another network of the same name (the paper's own stem). Each is tried alone, the likeliest first; the first that comes
within the tolerance is the explanation.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from pydantic.dataclasses import dataclass

from backbone_bench.base.reading import revive, toml
from backbone_bench.claims.data.layers import STRICT
from backbone_bench.claims.data.metrics import SIZELESS
from backbone_bench.claims.data.subjects import LayerStack, MetricName, Network, PixelSize
from backbone_bench.records import Scalar


@dataclass(frozen=True, slots=True, config=STRICT)
class Variant:
    """Another network that has the same name elsewhere."""

    model: str | None = None
    arguments: Mapping[str, Scalar] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Cause:
    """One known cause of a difference between a paper's number and our count."""

    id: str
    sentence: str
    factors: Mapping[MetricName, float] | None = None
    instead: Mapping[MetricName, MetricName] | None = None
    sizes: tuple[PixelSize, ...] = ()  # tried after all other causes: each size needs its own count
    variants: Mapping[str, Variant] | None = None


class FigureReading(NamedTuple):
    """One way to compute a number: metric, subjects and factor."""

    metric: str
    subjects: tuple[Network | LayerStack, ...]
    factor: float = 1.0


@cache
def causes() -> tuple[Cause, ...]:
    """The causes shipped with the package."""
    text = (resources.files("backbone_bench.claims") / "causes.toml").read_text(encoding="utf-8")
    return revive(tuple[Cause, ...], toml(text, "causes.toml")["cause"], "causes.toml")


def readings(cause: Cause, plain: FigureReading) -> Iterator[FigureReading]:
    """The other ways to compute the number if this cause is true; none if the cause does not apply."""
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
