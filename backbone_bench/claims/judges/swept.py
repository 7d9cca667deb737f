"""Checks of formulas: a law over a sweep, a value at a point, a family of stacks, an equation in a published table."""

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

SweepArray = Any  # a numpy array of float64; numpy's own type would add nothing
MOST_POINTS = 4_000_000


def judge_law(check: LawCheck, _evidence: Evidence, _per_multiply_add: int) -> CheckFinding:
    """Check that a relation holds at every point of the sweep, with equality only where `touches` is zero."""
    axes = _grid(check.axes)
    formulas = [check.left, check.right] + ([check.touches] if check.touches else [])
    left, right, *zero = np.broadcast_arrays(*axes.values(), *_values(axes, check.layers, formulas))[len(axes) :]
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise UserError(f"{_formula(check)}: it is not finite at every point of the sweep: use smaller numbers.")
    slack = _slack(check.tolerance, left, right)
    equal = np.abs(left - right) <= slack
    wrong = ~{"==": equal, ">=": left >= right - slack, "<=": left <= right + slack}[check.relation]
    if zero:
        wrong |= equal != (np.abs(zero[0]) <= slack)
    ratio = _divided(left, right)
    return CheckFinding(
        verdict=ClaimVerdict.FAILS if wrong.any() else ClaimVerdict.HOLDS,
        expected=check.says,
        found=f"left / right {_span(ratio)} at {left.size} points",
        reason=f"fails at {int(wrong.sum())} of {left.size} points" if wrong.any() else "",
        working=(
            _formula(check),
            *_swept(check.axes),
            *_along(check.by, axes, ratio),
            f"tolerance: {check.tolerance.why}",
        ),
    )


def _formula(check: LawCheck) -> str:
    touching = f", equal only where {check.touches} = 0" if check.touches else ""
    return f"{check.left} {check.relation} {check.right}{touching}"


def judge_value(check: ValueCheck, _evidence: Evidence, _per_multiply_add: int) -> CheckFinding:
    """Compare the value of a formula with the published one."""
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


def judge_family(check: FamilyCheck, evidence: Evidence, _per_multiply_add: int) -> CheckFinding:
    """Check all stacks of the family that match a network in the metrics of `parity`."""
    axes = _grid(check.axes)
    with np.errstate(all="raise"):
        costs = layers.cost(check.layers, axes)
    matching = np.array(True)
    for metric, share in check.parity.items():
        of_stack, target = METRICS[metric].of_stack, evidence.value(check.like, metric)
        if of_stack is None:
            raise UserError(f"{metric} is not defined for layers: parity may use params_without_norm, flops or access.")
        if not target:
            raise UserError(f"Parity with {check.like} is undefined: its {METRICS[metric].title} is 0.")
        matching = matching & (np.abs(of_stack(costs) / target - 1) <= share)
    of_stack = METRICS[check.metric].of_stack
    if of_stack is None:
        raise UserError(f"{check.metric} is not defined for layers: a family needs another metric.")
    found = np.broadcast_to(of_stack(costs), matching.shape)[matching]
    return _family(check, found, matching.size)


def _family(check: FamilyCheck, found: SweepArray, searched: int) -> CheckFinding:
    slack = check.tolerance.slack(check.expected)
    near = np.abs(found - check.expected) <= slack
    parity = ", ".join(f"{METRICS[metric].title} within {share * 100:g} %" for metric, share in check.parity.items())
    if not found.size:
        raise NoEvidence(f"no network of the sweep matches {check.like} ({parity})")
    median = float(np.median(found))
    if_any = ClaimVerdict.HOLDS if near.all() else ClaimVerdict.UNCLEAR
    return CheckFinding(
        verdict=if_any if near.any() else ClaimVerdict.FAILS,
        expected=amount(check.expected),
        found=f"{amount(found.min())} to {amount(found.max())}, median {amount(median)} of {found.size} networks",
        expected_value=check.expected,
        found_value=median,
        ratio=median / check.expected if check.expected else None,
        reason="" if near.all() else f"{int(near.sum())} of {found.size} networks are within the tolerance",
        working=(
            *_swept(check.axes),
            f"{searched} networks searched, {found.size} match {check.like}: {parity}",
            f"published {amount(check.expected)} ±{amount(slack)}: {check.tolerance.why}",
        ),
    )


def judge_table(check: TableCheck, evidence: Evidence, _per_multiply_add: int) -> CheckFinding:
    """Check an equation between columns of a published table in each of its rows."""
    rows = [
        row
        for publication in evidence.publications
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
        found=f"left / right {_span(ratios)} in {len(rows)} rows",
        reason=f"{sum(apart)} of {len(rows)} rows differ by more than the tolerance" if any(apart) else "",
        working=(
            *(f"{label}: {amount(left)} against {amount(right)}" for label, left, right in pairs),
            f"tolerance: {check.tolerance.why}",
        ),
    )


def _grid(axes: Axes) -> dict[str, SweepArray]:
    """Each axis as an array along its own dimension, so that formulas broadcast over the whole sweep."""
    values = {name: list(axis.values() if isinstance(axis, Range) else axis) for name, axis in axes.items()}
    points = prod(map(len, values.values()))
    if points > MOST_POINTS:
        raise UserError(f"A sweep of {points} points is too long: {MOST_POINTS} at most. Use larger steps.")
    return dict(zip(values, np.meshgrid(*values.values(), indexing="ij", sparse=True), strict=True))


def _values(
    names: Mapping[str, Any], stack: Sequence[layers.Layer], formulas: Sequence[Expression]
) -> list[SweepArray]:
    """Values of the formulas; they may use the costs of the layers by name."""
    with np.errstate(all="raise"):
        known = {**names, **layers.named(layers.cost(stack, names))} if stack else names
        return [formula.value(known) for formula in formulas]


def _slack(tolerance: Tolerance, left: SweepArray, right: SweepArray) -> SweepArray:
    if tolerance.absolute is not None:
        return tolerance.absolute
    return (tolerance.relative or 0.0) * np.maximum(np.abs(left), np.abs(right))


def _divided(left: SweepArray, right: SweepArray) -> SweepArray:
    return np.divide(left, right, out=np.full(left.shape, np.nan), where=right != 0)


def _span(ratio: SweepArray) -> str:
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


def _along(by: str | None, axes: Mapping[str, SweepArray], ratio: SweepArray) -> Iterator[str]:
    """Range of left / right for each value of one axis."""
    if by is None:
        return
    if by not in axes:
        raise UserError(f"`by` must name an axis, not {by!r}: the axes are {', '.join(axes)}.")
    along = list(axes).index(by)
    for i, value in enumerate(axes[by].ravel()):
        yield f"{by} = {value:g}: left / right {_span(np.take(ratio, i, axis=along))}"


def _at(point: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in point.items()) or "no point"
