"""Checks of formulas: a law all over a sweep, a value at a point, a family of networks, a table's own arithmetic."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data import layers
from backbone_bench.claims.data.arithmetic import Expression
from backbone_bench.claims.data.checks import FamilyCheck, LawCheck, TableCheck, ValueCheck
from backbone_bench.claims.data.figures import amount
from backbone_bench.claims.data.metrics import METRICS
from backbone_bench.claims.data.subjects import Axes, Range, Tolerance
from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict, NoEvidence
from backbone_bench.claims.evidence.evidence import Evidence

FloatArray = Any  # of float64; numpy's own types say no more here
MOST_POINTS = 4_000_000


def judge_law(check: LawCheck, _book: Evidence, _per_multiply_add: int) -> CheckFinding:
    """A relation that holds all over the sweep, and is an equality just where it should be."""
    axes = _grid(check.axes)
    wanted = [check.left, check.right] + ([check.touches] if check.touches else [])
    left, right, *zero = np.broadcast_arrays(*axes.values(), *_values(axes, check.layers, wanted))[len(axes) :]
    slack = _slack(check.tolerance, left, right)
    level = np.abs(left - right) <= slack
    wrong = ~{"==": level, ">=": left >= right - slack, "<=": left <= right + slack}[check.relation]
    if zero:
        wrong |= level != (np.abs(zero[0]) <= slack)
    ratio = _divided(left, right)
    return CheckFinding(
        verdict=ClaimVerdict.FAILS if wrong.any() else ClaimVerdict.HOLDS,
        expected=check.says,
        found=f"left over right {_span(ratio)} at {left.size} points",
        reason=f"fails at {int(wrong.sum())} of {left.size} points" if wrong.any() else "",
        working=(
            _formula(check),
            *_swept(check.axes),
            *_along(check.by, axes, ratio),
            f"tolerance: {check.tolerance.why}",
        ),
    )


def _formula(check: LawCheck) -> str:
    touching = f", equal just where {check.touches} = 0" if check.touches else ""
    return f"{check.left} {check.relation} {check.right}{touching}"


def judge_value(check: ValueCheck, _book: Evidence, _per_multiply_add: int) -> CheckFinding:
    """The value of a formula against the published one."""
    names = dict(check.at)
    value = float(_values(names, check.layers, [check.formula])[0])
    close = abs(value - check.expected) <= check.tolerance.slack(check.expected)
    return CheckFinding(
        verdict=ClaimVerdict.HOLDS if close else ClaimVerdict.FAILS,
        expected=amount(check.expected),
        found=amount(value),
        expected_value=check.expected,
        found_value=value,
        ratio=value / check.expected if check.expected else None,
        reason="" if close else f"{amount(value)} is not {amount(check.expected)}",
        working=(f"{check.formula} at {_at(check.at)} = {amount(value)}", f"tolerance: {check.tolerance.why}"),
    )


def judge_family(check: FamilyCheck, book: Evidence, _per_multiply_add: int) -> CheckFinding:
    """Every network of the family that matches another in the figures of `parity`."""
    axes = _grid(check.axes)
    with np.errstate(all="raise"):
        costs = layers.cost(check.layers, axes)
    matching = np.array(True)
    for metric, share in check.parity.items():
        of_stack, target = METRICS[metric].of_stack, book.value(check.like, metric)
        if of_stack is None:
            raise UserError(f"A family of layers has no {metric}: parity may be in params_without_norm, flops, access.")
        if not target:
            raise UserError(f"{check.like} has no {METRICS[metric].title}: nothing is like it.")
        matching = matching & (np.abs(of_stack(costs) / target - 1) <= share)
    of_stack = METRICS[check.metric].of_stack
    if of_stack is None:
        raise UserError(f"A family of layers has no {check.metric}.")
    found = np.broadcast_to(of_stack(costs), matching.shape)[matching]
    return _family(check, found, matching.size)


def _family(check: FamilyCheck, found: FloatArray, searched: int) -> CheckFinding:
    slack = check.tolerance.slack(check.expected)
    near = np.abs(found - check.expected) <= slack
    parity = ", ".join(f"{METRICS[metric].title} within {share * 100:g} %" for metric, share in check.parity.items())
    if not found.size:
        raise NoEvidence(f"no network of the sweep matches {check.like} ({parity})")
    middle = float(np.median(found))
    everywhere = ClaimVerdict.HOLDS if near.all() else ClaimVerdict.UNCLEAR
    return CheckFinding(
        verdict=everywhere if near.any() else ClaimVerdict.FAILS,
        expected=amount(check.expected),
        found=f"{amount(found.min())} to {amount(found.max())}, median {amount(middle)} of {found.size} networks",
        expected_value=check.expected,
        found_value=middle,
        ratio=middle / check.expected if check.expected else None,
        reason="" if near.all() else f"{int(near.sum())} of {found.size} networks lie within the tolerance",
        working=(
            *_swept(check.axes),
            f"{searched} networks searched, {found.size} match {check.like}: {parity}",
            f"published {amount(check.expected)} ±{amount(slack)}: {check.tolerance.why}",
        ),
    )


def judge_table(check: TableCheck, book: Evidence, _per_multiply_add: int) -> CheckFinding:
    """A relation between the columns of a published table, in each of its rows."""
    rows = [
        row
        for publication in book.publications
        if publication.meta.file == check.file
        for row in publication.numbers({*check.left.names(), *check.right.names()})
    ]
    if not rows:
        raise NoEvidence(f"needs the published table {check.file}")
    pairs = [(label, float(check.left.value(row)), float(check.right.value(row))) for label, row in rows]
    apart = [abs(left - right) > float(_slack(check.tolerance, left, right)) for _, left, right in pairs]
    ratios = np.array([left / right if right else np.nan for _, left, right in pairs])
    return CheckFinding(
        verdict=ClaimVerdict.FAILS if any(apart) else ClaimVerdict.HOLDS,
        expected=f"{check.left} = {check.right}",
        found=f"left over right {_span(ratios)} in {len(rows)} rows",
        reason=f"{sum(apart)} of {len(rows)} rows differ by more" if any(apart) else "",
        working=(
            *(f"{label}: {amount(left)} against {amount(right)}" for label, left, right in pairs),
            f"tolerance: {check.tolerance.why}",
        ),
    )


def _grid(axes: Axes) -> dict[str, FloatArray]:
    """Every axis as an array along a dimension of its own, so that formulas span the whole sweep."""
    values = {name: list(axis.values() if isinstance(axis, Range) else axis) for name, axis in axes.items()}
    points = prod(map(len, values.values()))
    if points > MOST_POINTS:
        raise UserError(f"A sweep of {points} points is too long: {MOST_POINTS} at most.")
    return dict(zip(values, np.meshgrid(*values.values(), indexing="ij", sparse=True), strict=True))


def _values(
    names: Mapping[str, Any], stack: Sequence[layers.Layer], formulas: Sequence[Expression]
) -> list[FloatArray]:
    """The formulas' values, with the costs of the layers among the names that they may use."""
    with np.errstate(all="raise"):
        known = {**names, **layers.named(layers.cost(stack, names))} if stack else names
        return [formula.value(known) for formula in formulas]


def _slack(tolerance: Tolerance, left: FloatArray, right: FloatArray) -> FloatArray:
    if tolerance.absolute is not None:
        return tolerance.absolute
    return (tolerance.relative or 0.0) * np.maximum(np.abs(left), np.abs(right))


def _divided(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.divide(left, right, out=np.full(left.shape, np.nan), where=right != 0)


def _span(ratio: FloatArray) -> str:
    known = ratio[~np.isnan(ratio)]
    if not known.size:
        return "undefined"
    low, high = known.min(), known.max()
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}"


def _swept(axes: Axes) -> Iterator[str]:
    for name, axis in axes.items():
        if isinstance(axis, Range):
            yield f"{name} from {axis.first:g} to {axis.last:g} in steps of {axis.step:g}"
        else:
            yield f"{name} in {', '.join(f'{value:g}' for value in axis)}"


def _along(by: str | None, axes: Mapping[str, FloatArray], ratio: FloatArray) -> Iterator[str]:
    """Left over right for each value of one axis."""
    if by is None:
        return
    if by not in axes:
        raise UserError(f"`by` names no axis: {by!r}. There are {', '.join(axes)}.")
    along = list(axes).index(by)
    for i, value in enumerate(axes[by].ravel()):
        yield f"{by} = {value:g}: left over right {_span(np.take(ratio, i, axis=along))}"


def _at(point: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in point.items()) or "no point"
