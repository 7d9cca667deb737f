"""Checks of counts: a figure, a ratio, a difference, an order, a bound.

A figure outside its tolerance is not yet wrong: the known causes are tried,
each alone, and a claim that one of them brings back is `explained`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data.checks import BoundCheck, CountCheck, DeltaCheck, OrderCheck, RatioCheck
from backbone_bench.claims.data.figures import amount, percent
from backbone_bench.claims.data.metrics import FLOPS, METRICS
from backbone_bench.claims.data.subjects import LayerStack, Network
from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges.causes import Cause, FigureReading, causes, readings

Numeric = CountCheck | RatioCheck | DeltaCheck


class DerivedFigure(NamedTuple):
    """A figure, and those that it was made of, one a subject."""

    value: float
    parts: tuple[float, ...]


class Tried(NamedTuple):
    """What a cause makes of a figure."""

    cause: Cause
    reading: FigureReading
    figure: DerivedFigure


def judge_figure(check: Numeric, book: Evidence, per_multiply_add: int) -> CheckFinding:
    """A number against the published one: it holds, a cause explains it, or it fails."""
    plain = FigureReading(check.metric, _subjects(check), float(per_multiply_add) if check.metric in FLOPS else 1.0)
    found = _read(check, plain, book)
    finding = CheckFinding(
        verdict=ClaimVerdict.HOLDS,
        expected=_shown(check, check.expected),
        found=_shown(check, found.value),
        expected_value=check.expected,
        found_value=found.value,
        ratio=found.value / check.expected if check.expected else None,
        working=(*_parts(plain, found), tolerance(check, _shown(check, check.expected))),
    )
    if _closes(check, found):
        return finding
    off = f"off by {_off(check, found.value)}"
    closing = _explanations(check, plain, book)
    if not closing:
        return replace(finding, verdict=ClaimVerdict.FAILS, reason=f"{off}; no known cause closes it")
    first, *others = closing
    told = f"{first.cause.sentence}: {_shown(check, first.figure.value)}"
    also = [f"would close it too: {other.cause.sentence}: {_shown(check, other.figure.value)}" for other in others]
    steps = (f"{off}; {told}", *_parts(first.reading, first.figure), *also)
    return replace(finding, verdict=ClaimVerdict.EXPLAINED, reason=told, working=(*finding.working, *steps))


def _closes(check: Numeric, figure: DerivedFigure) -> bool:
    return abs(figure.value - check.expected) <= check.tolerance.slack(check.expected)


def _explanations(check: Numeric, plain: FigureReading, book: Evidence) -> list[Tried]:
    """The causes that close the gap, the likeliest first; another input size only where no other does."""
    for group in ([cause for cause in causes() if not cause.sizes], [cause for cause in causes() if cause.sizes]):
        closing = [tried for tried in _try_each(group, check, plain, book) if _closes(check, tried.figure)]
        if closing:
            return closing
    return []


def _try_each(group: Sequence[Cause], check: Numeric, plain: FigureReading, book: Evidence) -> Iterator[Tried]:
    needed = check.expected / (_read(check, plain, book).value or 1.0)
    for cause in group:
        for reading in readings(cause, plain):
            if not _can_close(reading, plain, needed):
                continue
            try:
                figure = _read(check, reading, book)
            except UserError:  # the network cannot take that size, so this is no explanation
                continue
            yield Tried(cause, reading, figure)


def _can_close(reading: FigureReading, plain: FigureReading, needed: float) -> bool:
    """Whether another input size can change a figure by the factor that is needed: a count is spared where it cannot.

    Maps grow with the image's area and weights do not; padding and rounding may add a quarter.
    """
    before, after = plain.subjects[0], reading.subjects[0]
    if isinstance(before, LayerStack) or isinstance(after, LayerStack) or not before.size or before.size == after.size:
        return True
    area = ((after.size or before.size) / before.size) ** 2
    low, high = (area, area) if plain.metric in FLOPS else (min(1.0, area), max(1.0, area))
    return low / 1.25 <= needed <= high * 1.25


def _subjects(check: Numeric) -> tuple[Network | LayerStack, ...]:
    match check:
        case CountCheck(of=of):
            return (of,)
        case RatioCheck(of=of, to=other) | DeltaCheck(of=of, minus=other):
            return (of, other)


def _read(check: Numeric, reading: FigureReading, book: Evidence) -> DerivedFigure:
    parts = tuple(reading.factor * book.value(subject, reading.metric) for subject in reading.subjects)
    match check:
        case CountCheck():
            return DerivedFigure(parts[0], parts)
        case DeltaCheck():
            return DerivedFigure(parts[0] - parts[1], parts)
        case RatioCheck(form=form):
            if not parts[1]:
                title = METRICS[reading.metric].title
                raise UserError(f"{reading.subjects[1]} has no {title}: nothing is a ratio to it.")
            ratio = parts[0] / parts[1]
            return DerivedFigure({"ratio": ratio, "change": ratio - 1, "saving": 1 - ratio}[form], parts)


def _shown(check: Numeric, value: float) -> str:
    if isinstance(check, RatioCheck):
        return {"ratio": f"{value:.4g}", "change": percent(value), "saving": f"{value * 100:.3g} %"}[check.form]
    return f"{value:+.4g}" if isinstance(check, DeltaCheck) and abs(value) < 1e4 else amount(value)


def _off(check: Numeric, value: float) -> str:
    if isinstance(check, RatioCheck):
        return f"{value - check.expected:+.4f}"
    if not check.expected:
        return amount(value)
    return percent(value / check.expected - 1)


def _parts(reading: FigureReading, figure: DerivedFigure) -> Iterator[str]:
    """`resnet34@224: FLOPs 3.664 G (multiply-adds, one each)`."""
    metric = METRICS[reading.metric]
    counted = f", {'two' if reading.factor == 2 else 'one'} each" if reading.metric in FLOPS else ""
    for subject, value in zip(reading.subjects, figure.parts, strict=True):
        yield f"{subject}: {metric.title} {amount(value)} ({metric.formula}{counted})"


def tolerance(check: Numeric, expected: str) -> str:
    """`published 3.6 G, ±2 %: the figure is truncated`."""
    allowed = check.tolerance
    width = amount(allowed.absolute) if allowed.absolute is not None else f"{(allowed.relative or 0) * 100:g} %"
    return f"published {expected} ±{width}: {allowed.why}"


def judge_order(check: OrderCheck, book: Evidence, per_multiply_add: int) -> CheckFinding:
    """Every network below the next: one step the other way, or level, and the order fails."""
    factor = per_multiply_add if check.metric in FLOPS else 1
    values = [factor * book.value(subject, check.metric) for subject in check.rising]
    names = [str(subject) for subject in check.rising]
    wrong = [
        f"{names[i]} is {left / right:.4g} times {names[i + 1]}"
        for i, (left, right) in enumerate(pairwise(values))
        if not left < right
    ]
    title = METRICS[check.metric].title
    return CheckFinding(
        verdict=ClaimVerdict.FAILS if wrong else ClaimVerdict.HOLDS,
        expected=f"{title}: {' < '.join(names)}",
        found=(" < " if not wrong else ", ").join(map(amount, values)),
        ratio=values[0] / values[-1] if values[-1] else None,
        reason="; ".join(wrong),
        working=tuple(
            _parts(FigureReading(check.metric, check.rising, float(factor)), DerivedFigure(0.0, tuple(values)))
        ),
    )


def judge_bound(check: BoundCheck, book: Evidence, per_multiply_add: int) -> CheckFinding:
    """A figure on one side of a limit, which is not part of that side."""
    factor = per_multiply_add if check.metric in FLOPS else 1
    value = factor * book.value(check.of, check.metric)
    limit, sign = (check.below, "<") if check.below is not None else (check.above or 0.0, ">")
    inside = value < limit if sign == "<" else value > limit
    return CheckFinding(
        verdict=ClaimVerdict.HOLDS if inside else ClaimVerdict.FAILS,
        expected=f"{sign} {amount(limit)}",
        found=amount(value),
        expected_value=limit,
        found_value=value,
        ratio=value / limit if limit else None,
        reason="" if inside else f"{amount(value)} is not {sign} {amount(limit)}",
        working=tuple(_parts(FigureReading(check.metric, (check.of,), float(factor)), DerivedFigure(value, (value,)))),
    )
