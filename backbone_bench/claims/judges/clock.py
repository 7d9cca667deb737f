"""Checks of time and energy, from our records and, separately, from published measurements.

The two are never mixed. Our records give `holds` only if the whole interval is on the claimed side in every setting.
Publications print no confidence intervals, but tables repeat within 5 %; their verdict is that of most settings, so
that no single row decides.
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
from backbone_bench.claims.evidence.measurements import (
    MOST_PROCESSES,
    USUAL_SIZE,
    CostRatio,
    MeasuredCost,
    MeasuredSetting,
)
from backbone_bench.stats.correlation import FEWEST, difference, rank_correlation
from backbone_bench.stats.correlation import interval as bootstrap
from backbone_bench.stats.samples import Interval

ClockCheck = PairCheck | CorrelationCheck | RanksCheck

FEWEST_SETTINGS = 4
HOLDS_SHARE = 2 / 3  # `holds`: at least this share of the settings agrees
FAILS_SHARE = 1 / 2  # `fails`: more than this share is against
CORRELATION_CI = "95 % CI"  # by a bootstrap over the networks


class Observation(NamedTuple):
    """Result in one setting: a ratio, or a difference of rank correlations, with its interval."""

    setting: str
    kind: DeviceKind
    value: float
    interval: Interval
    bounds: str  # what the interval is: "99 % CI"
    text: str
    excluded_because: str = ""  # why it is shown but not counted as evidence; empty if it counts
    where: str = ""  # device and day of our own measurement


def judge_clock(check: ClockCheck, evidence: Evidence, paper: str) -> list[CheckFinding]:
    """Our finding, and a published finding if there are published measurements."""
    ours, published = (_observations(check, evidence, found, paper) for found in evidence.settings(check.quantity))
    findings = [_our_finding(check, ours)]
    if published:
        findings.append(_published_finding(check, published))
    return findings


Values = Iterator[tuple[float, Interval, str, str]]  # value, interval, bounds and text of an observation


def _observations(
    check: ClockCheck, evidence: Evidence, settings: Sequence[MeasuredSetting], paper: str
) -> list[Observation]:
    found: list[Observation] = []
    for measured in settings:
        match check:
            case PairCheck():
                values = _pair(check, measured, evidence)
            case RanksCheck():
                values = _ranks(check, measured, evidence)
            case CorrelationCheck():
                values = _correlation(check, measured, evidence)
        excluded_because = _excluded_because(check, measured, paper)
        setting = f"{measured.setting}, {measured.when}" if measured.when else measured.setting
        where = f"{measured.device}, {measured.when}"
        found += [Observation(setting, measured.kind, *value, excluded_because, where) for value in values]
    return found


def _excluded_because(check: ClockCheck, measured: MeasuredSetting, paper: str) -> str:
    if measured.kind != check.device:
        about, on = check.device.upper(), measured.kind.upper()
        return f"not evidence: the claim is about {about}s, this was measured on a {on}"
    if measured.paper == paper:
        return "the claim's own table"
    counts = measured.measures != "detector" or (isinstance(check, CorrelationCheck) and check.detectors)
    return "" if counts else "whole detectors, not backbones"


def _pair(check: PairCheck, measured: MeasuredSetting, evidence: Evidence) -> Values:
    found = measured.ratio(check.of, check.to)
    if found is None:
        return
    ratio, interval = found.ratio, found.interval
    text = f"{check.of.short} / {check.to.short} {ratio:.2f}{found.details}"
    counts = 1.0 if check.per is None else evidence.ratio(check.of, check.to, check.per)
    text += _to_decide(found, check.bound * counts)
    if check.per is not None:
        ratio, interval = ratio / counts, Interval(interval.low / counts, interval.high / counts)
        bounds = f"{found.bounds} {interval.low:.3g} to {interval.high:.3g}"
        text += f", {METRICS[check.per].title} {counts:.2f}: {ratio:.2f} ({bounds})"
    yield ratio, interval, found.bounds, text


def _to_decide(found: CostRatio, bound: float) -> str:
    """How many processes would decide a ratio of points whose interval holds the bound; empty if it is decided."""
    low, high = found.interval
    if not found.processes or not low <= bound <= high:
        return ""
    needed = found.needed(bound)
    if needed <= found.processes:
        return ""
    many = f"more than {MOST_PROCESSES}" if needed >= MOST_PROCESSES else f"about {needed}"
    return f"; {many} processes of each would decide"


def _ranks(check: RanksCheck, measured: MeasuredSetting, evidence: Evidence) -> Values:
    """Ratio of each pair, inverted if the metric orders the pair so: above 1 means that the two agree."""
    for one, two in check.pairs:
        found = measured.ratio(one, two)
        if found:
            ratio, interval = found.ratio, found.interval
            counts = evidence.ratio(one, two, check.metric)
            ratios = f"{METRICS[check.metric].title} {counts:.2f}, {check.quantity} {ratio:.2f}{found.details}"
            ratios += _to_decide(found, 1.0)
            if counts < 1:
                ratio, interval = 1 / ratio, Interval(1 / interval.high, 1 / interval.low if interval.low else inf)
            yield ratio, interval, found.bounds, f"{one.short} / {two.short}: {ratios}"


def _correlation(check: CorrelationCheck, measured: MeasuredSetting, evidence: Evidence) -> Values:
    networks = list(_networks(measured)) if measured.measures != "layers" else []
    if len(networks) < FEWEST:
        return
    costs = [cost.value for _, cost in networks]
    counts = {
        metric: [evidence.value(network, metric) for network, _ in networks]
        for metric in (check.closer, check.than, *check.also)
    }
    rho = {metric: rank_correlation(costs, values) for metric, values in counts.items()}
    each = ", ".join(
        f"{METRICS[metric].title} {rho[metric]:.2f} ({_ends(bootstrap(costs, values))})"
        for metric, values in counts.items()
    )
    interval = difference(costs, counts[check.closer], counts[check.than])
    by = rho[check.closer] - rho[check.than]
    text = (
        f"{len(networks)} networks, rank correlation ({CORRELATION_CI}) with {each}; "
        f"the first two differ by {by:.2f} ({_ends(interval)})"
    )
    yield by, interval, CORRELATION_CI, text


def _ends(interval: Interval) -> str:
    return f"{interval.low:.2f} to {interval.high:.2f}"


def _networks(measured: MeasuredSetting) -> Iterator[tuple[Network, MeasuredCost]]:
    """Each network that can be counted, at one size: the one nearest to `USUAL_SIZE`."""
    published = measured.publication.models() if measured.publication else {}
    networks = {name: Network(model) for name, model in published.items()} or measured.networks
    for name, network in sorted(networks.items()):
        sizes = [size for model, size in measured.points if model == name and 0 < size < TOO_LARGE]
        if sizes:
            size = min(sizes, key=lambda pixels: abs(pixels - USUAL_SIZE))
            yield replace(network, size=size), measured.points[name, size]


def _bound(check: ClockCheck) -> tuple[float, str]:
    """The bound, and the claimed side of it: below `<` or above `>`."""
    match check:
        case PairCheck(bound=bound, relation=relation):
            return bound, relation
        case RanksCheck():
            return 1.0, ">"
        case CorrelationCheck():
            return 0.0, ">"


def _setting_verdict(check: ClockCheck, interval: Interval) -> ClaimVerdict:
    """Verdict of one setting: `unclear` if its interval contains the bound."""
    bound, side = _bound(check)
    above, below = interval.low > bound, interval.high < bound
    if not above and not below:
        return ClaimVerdict.UNCLEAR
    return ClaimVerdict.HOLDS if above == (side == ">") else ClaimVerdict.FAILS


def _our_finding(check: ClockCheck, observations: Sequence[Observation]) -> CheckFinding:
    evidence = _evidence(observations)
    if not evidence:
        excluded = f"; {_span(observations)} was measured ({observations[0].excluded_because})" if observations else ""
        return _finding(check, ClaimVerdict.UNMEASURED, observations, "measured", f"{_needed(check)}{excluded}")
    verdicts = {_setting_verdict(check, observation.interval) for observation in evidence}
    verdict = verdicts.pop() if len(verdicts) == 1 else ClaimVerdict.UNCLEAR
    reason = "" if verdict is ClaimVerdict.HOLDS else _votes(check, evidence)
    return _finding(check, verdict, observations, "measured", reason)


def _published_finding(check: ClockCheck, observations: Sequence[Observation]) -> CheckFinding:
    evidence = _evidence(observations)
    settings = len({observation.setting for observation in evidence})
    if settings < _fewest(check):
        reason = "; ".join(dict.fromkeys(found.excluded_because for found in observations if found.excluded_because))
        few = f"independent settings: {settings}, needed: {_fewest(check)}"
        return _finding(
            check, ClaimVerdict.UNMEASURED, observations, "published", f"{few}{f' ({reason})' if reason else ''}"
        )
    verdicts = [_setting_verdict(check, observation.interval) for observation in evidence]
    if verdicts.count(ClaimVerdict.HOLDS) >= HOLDS_SHARE * len(verdicts):
        verdict = ClaimVerdict.HOLDS
    elif verdicts.count(ClaimVerdict.FAILS) > FAILS_SHARE * len(verdicts):
        verdict = ClaimVerdict.FAILS
    else:
        verdict = ClaimVerdict.UNCLEAR
    reason = _votes(check, evidence) if verdict is not ClaimVerdict.HOLDS or ClaimVerdict.FAILS in verdicts else ""
    return _finding(check, verdict, observations, "published", reason)


def _evidence(observations: Sequence[Observation]) -> list[Observation]:
    return [observation for observation in observations if not observation.excluded_because]


def _fewest(check: ClockCheck) -> int:
    return 1 if isinstance(check, CorrelationCheck) else FEWEST_SETTINGS  # each setting of a correlation is many rows


def _votes(check: ClockCheck, evidence: Sequence[Observation]) -> str:
    verdicts = [_setting_verdict(check, observation.interval) for observation in evidence]
    return (
        f"{verdicts.count(ClaimVerdict.HOLDS)} of {len(verdicts)} agree, "
        f"{verdicts.count(ClaimVerdict.FAILS)} are against, {verdicts.count(ClaimVerdict.UNCLEAR)} undecided"
    )


def _finding(
    check: ClockCheck, verdict: ClaimVerdict, observations: Sequence[Observation], origin: Origin, reason: str
) -> CheckFinding:
    evidence = _evidence(observations)
    settings = len({observation.setting for observation in evidence})
    return CheckFinding(
        verdict=verdict,
        expected=_expected(check),
        found=f"{_what(check)}{_span(evidence)} in {settings} setting{'s' * (settings != 1)}" if evidence else "",
        ratio=median(found.value for found in evidence) if evidence and isinstance(check, PairCheck) else None,
        reason=reason,
        working=tuple(map(_line, observations)),
        origin=origin,
        settings=settings,
        here="; ".join(map(_here, _by_where(observations))) if origin == "measured" else "",
    )


def _by_where(observations: Sequence[Observation]) -> Iterator[Sequence[Observation]]:
    for where in dict.fromkeys(observation.where for observation in observations):
        yield [observation for observation in observations if observation.where == where]


def _here(observations: Sequence[Observation]) -> str:
    """`1.24 (99 % CI 1.21 to 1.27) on Example CPU 3000, 2026-11-24: not evidence`; several have no common interval."""
    first = observations[0]
    low, high = first.interval
    bounds = f" ({first.bounds} {low:.3g} to {high:.3g})" if len(observations) == 1 else ""
    return f"{_span(observations)}{bounds} on {first.where}{': not evidence' if first.excluded_because else ''}"


def _what(check: ClockCheck) -> str:
    return "rank correlations differ by " if isinstance(check, CorrelationCheck) else ""


def _span(observations: Sequence[Observation]) -> str:
    low, high = (f"{end(observation.value for observation in observations):.2f}" for end in (min, max))
    return low if low == high else f"{low} to {high}"


def _line(observation: Observation) -> str:
    excluded = f" ({observation.excluded_because})" if observation.excluded_because else ""
    return f"{observation.setting}: {observation.text}{excluded}"


def _expected(check: ClockCheck) -> str:
    match check:
        case PairCheck():
            own = f" (published {check.published:g})" if check.published else ""
            per = f" per {METRICS[check.per].title}" if check.per else ""
            return f"{check.quantity}{per} of {check.of.short} / {check.to.short} {check.relation} {check.bound:g}{own}"
        case RanksCheck():
            return f"{METRICS[check.metric].title} orders {len(check.pairs)} pairs as {check.quantity} does"
        case CorrelationCheck():
            closer, than = METRICS[check.closer].title, METRICS[check.than].title
            return f"{check.quantity} correlates more with {closer} than with {than}"


def _needed(check: ClockCheck) -> str:
    """The measurements that the check needs."""
    where = "a GPU" if check.device == "gpu" else "a CPU"
    what = "latency" if check.quantity == "time" else "energy"
    match check:
        case PairCheck(of=of, to=to):
            which = f"{of.short} and {to.short}"
        case RanksCheck():
            which = " and ".join(f"{one.short} and {two.short}" for one, two in check.pairs)
        case CorrelationCheck():
            which = f"at least {FEWEST} networks"
    return f"needs records of the {what} of {which} on {where}"
