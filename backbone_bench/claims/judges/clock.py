"""Checks with a clock: from our records, and apart from them from what others published.

The two never mix. Of ours `holds` needs the whole interval on one side, in
every setting. A publication has no intervals, but tables repeat within 5 %;
its verdict is that of most settings, and no single row decides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from statistics import median
from typing import NamedTuple

from backbone_bench.base.choices import DeviceKind
from backbone_bench.claims.data.checks import CorrelationCheck, PairCheck, RanksCheck
from backbone_bench.claims.data.metrics import METRICS
from backbone_bench.claims.data.subjects import TOO_LARGE, Network
from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict, Origin
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.evidence.measurements import USUAL, MeasuredSetting
from backbone_bench.stats.correlation import FEWEST, difference, rank_correlation
from backbone_bench.stats.correlation import interval as bootstrap
from backbone_bench.stats.samples import Interval

ClockCheck = PairCheck | CorrelationCheck | RanksCheck

FEWEST_SETTINGS = 4
MOST = 2 / 3  # of the settings must agree for `holds`
MANY = 1 / 2  # more of them against is `fails`


class Observation(NamedTuple):
    """What one setting says: a ratio, or a difference of correlations, with its interval."""

    setting: str
    kind: DeviceKind
    value: float
    interval: Interval
    excluded_because: str  # why it is shown and does not count; empty where it counts
    told: str
    where: str  # of our own: device and day


def judge_clock(check: ClockCheck, book: Evidence, paper: str) -> list[CheckFinding]:
    """Our finding, and the published one where anybody has published any of it."""
    ours, theirs = (_witnesses(check, book, runs, paper) for runs in book.runs(check.quantity))
    findings = [_ours(check, ours)]
    if theirs:
        findings.append(_theirs(check, theirs))
    return findings


def _witnesses(check: ClockCheck, book: Evidence, runs: Sequence[MeasuredSetting], paper: str) -> list[Observation]:
    found: list[Observation] = []
    for run in runs:
        match check:
            case PairCheck():
                values = _pair(check, run, book)
            case RanksCheck():
                values = _ranks(check, run, book)
            case CorrelationCheck():
                values = _correlation(check, run, book)
        excluded_because = _excluded_because(check, run, paper)
        setting = f"{run.setting}, {run.when}" if run.when else run.setting
        where = f"{run.device}, {run.when}"
        found += [
            Observation(setting, run.kind, value, interval, excluded_because, told, where)
            for value, interval, told in values
        ]
    return found


def _excluded_because(check: ClockCheck, run: MeasuredSetting, paper: str) -> str:
    if run.kind != check.device:
        return f"a {run.kind.upper()} is no witness of a claim about a {check.device.upper()}"
    if run.paper == paper:
        return "the claim's own table"
    heard = run.measures != "detector" or (isinstance(check, CorrelationCheck) and check.detectors)
    return "" if heard else "whole detectors, not backbones"


Said = Iterator[tuple[float, Interval, str]]


def _pair(check: PairCheck, run: MeasuredSetting, book: Evidence) -> Said:
    found = run.between(check.of, check.to)
    if found is None:
        return
    ratio, interval = found.ratio, found.interval
    told = f"{check.of.short} / {check.to.short} {ratio:.2f}{found.how}"
    if check.per is not None:
        counts = book.ratio(check.of, check.to, check.per)
        ratio, interval = ratio / counts, Interval(interval.low / counts, interval.high / counts)
        told += f", {METRICS[check.per].title} {counts:.2f}: {ratio:.2f} ({interval.low:.3g} to {interval.high:.3g})"
    yield ratio, interval, told


def _ranks(check: RanksCheck, run: MeasuredSetting, book: Evidence) -> Said:
    """The pairs' ratios, each turned so that above 1 means: as the metric has it."""
    for one, two in check.pairs:
        found = run.between(one, two)
        if found:
            ratio, interval = found.ratio, found.interval
            said = book.ratio(one, two, check.metric)
            figures = f"{METRICS[check.metric].title} {said:.2f}, {check.quantity} {ratio:.2f}{found.how}"
            told = f"{one.short} / {two.short}: {figures}"
            if said < 1:
                ratio, interval = 1 / ratio, Interval(1 / interval.high, 1 / interval.low if interval.low else inf)
            yield ratio, interval, told


def _correlation(check: CorrelationCheck, run: MeasuredSetting, book: Evidence) -> Said:
    networks = list(_networks(run)) if run.measures != "layers" else []
    if len(networks) < FEWEST:
        return
    points = [(interval.low * interval.high) ** 0.5 for _, interval in networks]
    figures = {
        metric: [book.value(network, metric) for network, _ in networks]
        for metric in (check.closer, check.than, *check.also)
    }
    rho = {metric: rank_correlation(points, values) for metric, values in figures.items()}
    told = ", ".join(
        f"{METRICS[metric].title} {rho[metric]:.2f} ({_ends(bootstrap(points, values))})"
        for metric, values in figures.items()
    )
    interval = difference(points, figures[check.closer], figures[check.than])
    by = rho[check.closer] - rho[check.than]
    said = f"{len(networks)} networks, rank correlation with {told}; the first two differ by {by:.2f}"
    yield by, interval, f"{said} ({_ends(interval)})"


def _ends(interval: Interval) -> str:
    return f"{interval.low:.2f} to {interval.high:.2f}"


def _networks(run: MeasuredSetting) -> Iterator[tuple[Network, Interval]]:
    """Each network that we can count, at one size: the nearest to the usual one."""
    theirs = run.publication.models() if run.publication else {}
    ours = {name: Network(model) for name, model in theirs.items()} or run.networks
    for called, network in sorted(ours.items()):
        sizes = [size for name, size in run.points if name == called and 0 < size < TOO_LARGE]
        if sizes:
            size = min(sizes, key=lambda pixels: abs(pixels - USUAL))
            yield replace(network, size=size), run.points[called, size]


def _bound(check: ClockCheck) -> tuple[float, str]:
    """The value to compare with, and on which side of it the claim lies."""
    match check:
        case PairCheck(bound=bound, relation=relation):
            return bound, relation
        case RanksCheck():
            return 1.0, ">"
        case CorrelationCheck():
            return 0.0, ">"


def _stance(check: ClockCheck, interval: Interval) -> ClaimVerdict:
    """Whether one setting agrees: all of its interval on the claimed side, or on the other, or neither."""
    bound, side = _bound(check)
    above, below = interval.low > bound, interval.high < bound
    if not above and not below:
        return ClaimVerdict.UNCLEAR
    return ClaimVerdict.HOLDS if above == (side == ">") else ClaimVerdict.FAILS


def _ours(check: ClockCheck, witnesses: Sequence[Observation]) -> CheckFinding:
    heard = [witness for witness in witnesses if not witness.excluded_because]
    if not heard:
        aside = f"; {_span(witnesses)} was measured, but {witnesses[0].excluded_because}" if witnesses else ""
        return _finding(check, ClaimVerdict.UNMEASURED, witnesses, "measured", f"{_wanting(check)}{aside}")
    stances = {_stance(check, witness.interval) for witness in heard}
    verdict = stances.pop() if len(stances) == 1 else ClaimVerdict.UNCLEAR
    return _finding(
        check, verdict, witnesses, "measured", "" if verdict is ClaimVerdict.HOLDS else _against(check, heard)
    )


def _theirs(check: ClockCheck, witnesses: Sequence[Observation]) -> CheckFinding:
    heard = [witness for witness in witnesses if not witness.excluded_because]
    settings = len({witness.setting for witness in heard})
    if settings < _fewest(check):
        reason = "; ".join(dict.fromkeys(witness.excluded_because for witness in witnesses if witness.excluded_because))
        few = f"{settings} independent settings, {_fewest(check)} are needed"
        return _finding(
            check, ClaimVerdict.UNMEASURED, witnesses, "published", f"{few}{f' ({reason})' if reason else ''}"
        )
    stances = [_stance(check, witness.interval) for witness in heard]
    if stances.count(ClaimVerdict.HOLDS) >= MOST * len(stances):
        verdict = ClaimVerdict.HOLDS
    elif stances.count(ClaimVerdict.FAILS) > MANY * len(stances):
        verdict = ClaimVerdict.FAILS
    else:
        verdict = ClaimVerdict.UNCLEAR
    reason = _against(check, heard) if verdict is not ClaimVerdict.HOLDS or ClaimVerdict.FAILS in stances else ""
    return _finding(check, verdict, witnesses, "published", reason)


def _fewest(check: ClockCheck) -> int:
    return 1 if isinstance(check, CorrelationCheck) else FEWEST_SETTINGS  # each setting of a correlation is many rows


def _against(check: ClockCheck, heard: Sequence[Observation]) -> str:
    stances = [_stance(check, witness.interval) for witness in heard]
    return (
        f"{stances.count(ClaimVerdict.HOLDS)} of {len(stances)} agree, "
        f"{stances.count(ClaimVerdict.FAILS)} are against, {stances.count(ClaimVerdict.UNCLEAR)} undecided"
    )


def _finding(
    check: ClockCheck, verdict: ClaimVerdict, witnesses: Sequence[Observation], origin: Origin, reason: str
) -> CheckFinding:
    heard = [witness for witness in witnesses if not witness.excluded_because]
    settings = len({witness.setting for witness in heard})
    return CheckFinding(
        verdict=verdict,
        expected=_expected(check),
        found=f"{_what(check)}{_span(heard)} in {settings} setting{'s' * (settings != 1)}" if heard else "",
        ratio=median(witness.value for witness in heard) if heard and isinstance(check, PairCheck) else None,
        reason=reason,
        working=tuple(_line(witness) for witness in witnesses),
        origin=origin,
        settings=settings,
        here="; ".join(map(_here, _by_where(witnesses))) if origin == "measured" else "",
    )


def _by_where(witnesses: Sequence[Observation]) -> Iterator[Sequence[Observation]]:
    for where in dict.fromkeys(witness.where for witness in witnesses):
        yield [witness for witness in witnesses if witness.where == where]


def _here(witnesses: Sequence[Observation]) -> str:
    """`1.24 (1.21 to 1.27) on Example CPU 3000, 2026-11-24: no witness`; the interval where there is one."""
    first = witnesses[0]
    interval = f" ({first.interval.low:.3g} to {first.interval.high:.3g})" if len(witnesses) == 1 else ""
    return f"{_span(witnesses)}{interval} on {first.where}{': no witness' if first.excluded_because else ''}"


def _what(check: ClockCheck) -> str:
    return "rank correlations differ by " if isinstance(check, CorrelationCheck) else ""


def _span(witnesses: Sequence[Observation]) -> str:
    low, high = (f"{end(witness.value for witness in witnesses):.2f}" for end in (min, max))
    return low if low == high else f"{low} to {high}"


def _line(witness: Observation) -> str:
    return f"{witness.setting}: {witness.told}" + (f" ({witness.excluded_because})" if witness.excluded_because else "")


def _expected(check: ClockCheck) -> str:
    match check:
        case PairCheck():
            own = f" (published {check.published:g})" if check.published else ""
            per = f" per {METRICS[check.per].title}" if check.per else ""
            return f"{check.quantity}{per} of {check.of.short} / {check.to.short} {check.relation} {check.bound:g}{own}"
        case RanksCheck():
            return f"{METRICS[check.metric].title} ranks {len(check.pairs)} pairs as {check.quantity} does"
        case CorrelationCheck():
            closer, than = METRICS[check.closer].title, METRICS[check.than].title
            return f"{check.quantity} goes with {closer} rather than with {than}"


def _wanting(check: ClockCheck) -> str:
    """What would have to be measured, and where."""
    where = "a GPU" if check.device == "gpu" else "a CPU"
    what = "latency" if check.quantity == "time" else "energy"
    match check:
        case PairCheck(of=of, to=to):
            which = f"of {of.short} and {to.short}"
        case RanksCheck():
            which = f"of {' and '.join(f'{one.short} and {two.short}' for one, two in check.pairs)}"
        case CorrelationCheck():
            which = f"of {FEWEST} networks or more"
    return f"needs records of {what} on {where} {which}"
