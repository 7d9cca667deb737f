"""Checks of counts: a number, a ratio, a difference, an order, a bound.

A number outside its tolerance does not fail at once: the known causes are tried, each alone, and if one of them brings
it within the tolerance, the verdict is `explained`.
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
from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict, NeedsPackage, NoEvidence
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges.causes import Cause, FigureReading, causes, readings

Numeric = CountCheck | RatioCheck | DeltaCheck


class DerivedFigure(NamedTuple):
    """A computed number, and the counts that it was computed from, one per subject."""

    value: float
    parts: tuple[float, ...]


class Tried(NamedTuple):
    """A number recomputed under one cause."""

    cause: Cause
    reading: FigureReading
    figure: DerivedFigure


def judge_figure(check: Numeric, evidence: Evidence, per_multiply_add: int) -> CheckFinding:
    """Compare a number with the published one: it holds, a known cause explains the difference, or it fails."""
    plain = _plain(check.metric, _subjects(check), per_multiply_add)
    found = _read(check, plain, evidence)
    finding = CheckFinding(
        verdict=ClaimVerdict.HOLDS,
        expected=_shown(check, check.expected),
        found=_shown(check, found.value),
        expected_value=check.expected,
        found_value=found.value,
        ratio=found.value / check.expected if check.expected else None,
        working=(
            *_parts(plain, found),
            *evidence.origins(plain.subjects),
            _tolerance(check, _shown(check, check.expected)),
        ),
    )
    if _agrees(check, plain, found):
        return finding
    off = f"off by {_off(check, found.value)}"
    explanations, untried = _explanations(check, plain, evidence)
    if not explanations:
        reason = "; ".join([off, "no known cause explains it", *dict.fromkeys(untried)])
        return replace(finding, verdict=ClaimVerdict.FAILS, reason=reason)
    first, *others = explanations
    reason = f"{first.cause.sentence}: {_shown(check, first.figure.value)}"
    also = [f"also explained by: {other.cause.sentence}: {_shown(check, other.figure.value)}" for other in others]
    steps = (f"{off}; {reason}", *_parts(first.reading, first.figure), *also)
    return replace(finding, verdict=ClaimVerdict.EXPLAINED, reason=reason, working=(*finding.working, *steps))


def _plain(metric: str, subjects: Sequence[Network | LayerStack], per_multiply_add: int) -> FigureReading:
    """The reading without any cause, in the claim's convention."""
    factor = float(per_multiply_add) if metric in FLOPS else 1.0
    return FigureReading(metric, tuple(subjects), (factor,) * len(subjects))


def _agrees(check: Numeric, reading: FigureReading, figure: DerivedFigure) -> bool:
    """Whether a number is within the tolerance; digits can be cut or swapped only where the printed one is known."""
    expected, allowed = check.expected, check.tolerance
    if reading.writing == "rounded":
        return abs(figure.value - expected) <= allowed.slack(expected)
    if allowed.digit is None:
        return False
    if reading.writing == "cut":
        return 0 <= (figure.value - expected) * (1 if expected >= 0 else -1) < allowed.digit
    return any(
        abs(figure.value - other) <= allowed.digit / 2 for other in _with_digits_swapped(expected, allowed.digit)
    )


def _with_digits_swapped(printed: float, digit: float) -> Iterator[float]:
    """The printed number with two neighbouring digits in each other's place.

    >>> list(_with_digits_swapped(1.19, 0.01))
    [1.91]
    """
    digits = str(round(printed / digit))
    for place in range(len(digits) - 1):
        one, two = digits[place], digits[place + 1]
        if one != two and not (place == 0 and two == "0"):
            yield int(digits[:place] + two + one + digits[place + 2 :]) * digit


def _explanations(check: Numeric, plain: FigureReading, evidence: Evidence) -> tuple[list[Tried], list[str]]:
    """The causes that explain the difference, and why others could not be tried.

    The likeliest come first; another input size only if no other cause explains it.
    """
    untried: list[str] = []
    known = [cause for cause in causes() if cause.least_digits <= _digits(check)]
    for group in ([cause for cause in known if not cause.sizes], [cause for cause in known if cause.sizes]):
        tries = _try_each(group, check, plain, evidence, untried)
        found = [tried for tried in tries if _agrees(check, tried.reading, tried.figure)]
        if found:
            return found, untried
    return [], untried


def _digits(check: Numeric) -> int:
    """The number of digits that are printed; 0 if the last one is not known."""
    digit = check.tolerance.digit
    return len(str(round(abs(check.expected) / digit))) if digit is not None else 0


def _try_each(
    group: Sequence[Cause], check: Numeric, plain: FigureReading, evidence: Evidence, untried: list[str]
) -> Iterator[Tried]:
    needed = check.expected / (_read(check, plain, evidence).value or 1.0)
    for cause in group:
        for reading in readings(cause, plain):
            if not _can_explain(reading, plain, needed):
                continue
            try:
                figure = _read(check, reading, evidence)
            except NeedsPackage as missing:
                untried.append(f"to try all causes it {missing}")
                continue
            except (UserError, NoEvidence):  # no such size of the network, no such metric of layers: no explanation
                continue
            yield Tried(cause, reading, figure)


def _can_explain(reading: FigureReading, plain: FigureReading, needed: float) -> bool:
    """Whether another input size can change the number by the needed factor; if not, the count is skipped.

    Feature maps grow with the image's area and weights do not; padding and rounding may change it by a quarter.
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


def _read(check: Numeric, reading: FigureReading, evidence: Evidence) -> DerivedFigure:
    pairs = zip(reading.factors, reading.subjects, strict=True)
    parts = tuple(factor * evidence.value(subject, reading.metric) for factor, subject in pairs)
    match check:
        case CountCheck():
            return DerivedFigure(parts[0], parts)
        case DeltaCheck():
            return DerivedFigure(parts[0] - parts[1], parts)
        case RatioCheck(form=form):
            if not parts[1]:
                title = METRICS[reading.metric].title
                raise UserError(f"A ratio to {reading.subjects[1]} is undefined: its {title} is 0.")
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


_EACH = {0.5: "half", 1.0: "one", 2.0: "two"}  # FLOPs per multiply-add, in words


def _parts(reading: FigureReading, figure: DerivedFigure) -> Iterator[str]:
    """`resnet34@224: FLOPs 3.664 G (multiply-adds, one each)`."""
    metric = METRICS[reading.metric]
    for subject, factor, value in zip(reading.subjects, reading.factors, figure.parts, strict=True):
        counted = f", {_EACH.get(factor, f'{factor:.4g}')} each" if reading.metric in FLOPS else ""
        yield f"{subject}: {metric.title} {amount(value)} ({metric.formula}{counted})"


def _tolerance(check: Numeric, expected: str) -> str:
    """`published 3.6 G, ±2 %: the figure is truncated`."""
    allowed = check.tolerance
    width = f"{allowed.relative * 100:g} %" if allowed.relative is not None else amount(allowed.slack(check.expected))
    return f"published {expected} ±{width}: {allowed.why}"


def judge_order(check: OrderCheck, evidence: Evidence, per_multiply_add: int) -> CheckFinding:
    """Check that every network is below the next; an equal or reversed pair fails."""
    plain = _plain(check.metric, check.rising, per_multiply_add)
    values = [plain.factors[0] * evidence.value(subject, check.metric) for subject in check.rising]
    names = [str(subject) for subject in check.rising]
    wrong = [
        f"{names[i]} is {left / right:.4g} times {names[i + 1]}" if right else f"{names[i + 1]} has none"
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
        working=(*_parts(plain, DerivedFigure(0.0, tuple(values))), *evidence.origins(check.rising)),
    )


def judge_bound(check: BoundCheck, evidence: Evidence, per_multiply_add: int) -> CheckFinding:
    """Check that a metric is strictly below or above a limit."""
    plain = _plain(check.metric, (check.of,), per_multiply_add)
    value = plain.factors[0] * evidence.value(check.of, check.metric)
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
        working=(*_parts(plain, DerivedFigure(value, (value,))), *evidence.origins((check.of,))),
    )
