"""Known causes, as data, of a difference between a count and the number in a paper.

A cause is another metric (the classifier left out), a factor (two FLOPs per multiply-add), another input size, another
network of the same name (the paper's own stem), another way to write a number down (digits cut instead of rounded), or
several of them together. Each cause is tried alone, the likeliest first; the first that comes within the tolerance is
the explanation.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

from pydantic.dataclasses import dataclass

from backbone_bench.base.reading import revive, toml
from backbone_bench.claims.data.layers import STRICT
from backbone_bench.claims.data.metrics import SIZELESS
from backbone_bench.claims.data.subjects import LayerStack, MetricName, Network, PixelSize
from backbone_bench.records import Scalar

# How the last digit of a number came about; `swapped`: two neighbouring digits change places.
Writing = Literal["rounded", "cut", "swapped"]


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
    factors_of_one: Mapping[MetricName, float] | None = None  # for one of the two networks that are compared
    instead: Mapping[MetricName, MetricName] | None = None
    sizes: tuple[PixelSize, ...] = ()  # tried after all other causes: each size needs its own count
    variants: Mapping[str, Variant] | None = None
    writing: Writing = "rounded"
    least_digits: int = 0  # applies only to a figure of so many printed digits, and to its last one: others are chance


class FigureReading(NamedTuple):
    """One way to compute a number: metric, subjects, a factor for each, and how the number was written down."""

    metric: str
    subjects: tuple[Network | LayerStack, ...]
    factors: tuple[float, ...]
    writing: Writing = "rounded"


@cache
def causes() -> tuple[Cause, ...]:
    """The causes shipped with the package."""
    text = (resources.files("backbone_bench.claims") / "causes.toml").read_text(encoding="utf-8")
    return revive(tuple[Cause, ...], toml(text, "causes.toml")["cause"], "causes.toml")


def readings(cause: Cause, plain: FigureReading) -> Iterator[FigureReading]:
    """The other ways to compute the number if this cause is true; none if the cause does not apply."""
    factor = (cause.factors or {}).get(plain.metric, 1.0)
    changed = FigureReading(
        (cause.instead or {}).get(plain.metric, plain.metric),
        tuple(_swap(cause.variants or {}, subject) for subject in plain.subjects),
        tuple(factor * before for before in plain.factors),
        cause.writing,
    )
    if changed != plain and _is_whole(cause, plain):
        yield changed
    yield from _one_sided(cause, plain)
    # Two networks at another size are another comparison, not another way to count.
    if len(plain.subjects) == 1 and plain.metric not in SIZELESS:
        for size in cause.sizes:
            resized = plain._replace(subjects=(_resize(plain.subjects[0], size),))
            if resized != plain:
                yield resized


def _is_whole(cause: Cause, plain: FigureReading) -> bool:
    """Whether every part of a cause applies: digits that are cut after another count need that other count."""
    return cause.writing == "rounded" or not cause.instead or plain.metric in cause.instead


def _one_sided(cause: Cause, plain: FigureReading) -> Iterator[FigureReading]:
    """The readings in which one of two networks is counted in another way than the other."""
    factor = (cause.factors_of_one or {}).get(plain.metric)
    if factor is not None and len(plain.subjects) == 2:
        one, other = plain.factors
        yield plain._replace(factors=(factor * one, other))
        yield plain._replace(factors=(one, factor * other))


def _swap(variants: Mapping[str, Variant], subject: Network | LayerStack) -> Network | LayerStack:
    if isinstance(subject, LayerStack) or subject.model not in variants:
        return subject
    variant = variants[subject.model]
    arguments = {**(subject.arguments or {}), **(variant.arguments or {})}
    return Network(variant.model or subject.model, subject.size, arguments or None)


def _resize(subject: Network | LayerStack, size: int) -> Network | LayerStack:
    return subject if isinstance(subject, LayerStack) else Network(subject.model, size, subject.arguments)
