"""Findings of a gate in sentences: what changed, how much, how sure, what to do next."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from backbone_bench.base.units import BILLIONS, M_ELEMENTS, difference, percent
from backbone_bench.gate.verdicts import VERDICTS, CostChange, GateFinding, GateReport, GateVerdict, MeasuredChange
from backbone_bench.records.quantities import QUANTITIES, WORDS

TITLES: Mapping[str, str] = {
    **{quantity.key: quantity.title for quantity in QUANTITIES.values()},
    "": "everything",
    "cost": "all counts",
    "measured": "everything measured",
    "shapes_sha256": "names and shapes of parameters",
}
SHOWN = 20  # sentences of one verdict


class Headline(NamedTuple):
    """What happened, and how it is known."""

    lead: str
    rest: str
    verdict: GateVerdict
    fails: bool = False


class Advice(NamedTuple):
    """What to do, and the command that does it, if there is one."""

    text: str
    command: str = ""


def quantity(value: int | float | str | None, metric: str) -> str:
    """A value with its unit: `41.20 ms`."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value[:8]  # of a digest
    unit = QUANTITIES[metric].unit
    return f"{unit.write(value)} {unit.name}".rstrip()


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def headlines(report: GateReport) -> Iterator[Headline]:
    """A sentence or two on everything but what passes; of many alike, the first."""
    for verdict, found in groupby(report.ordered, key=lambda one: one.verdict):
        told = list(_TELL.get(verdict, _reason)(report, list(found)))
        yield from told[:SHOWN]
        if len(told) > SHOWN:
            fails = any(one.fails for one in told[SHOWN:])
            yield Headline(f"{len(told) - SHOWN} more: {verdict.value}.", "The table below has them.", verdict, fails)


def _one(report: GateReport, found: GateFinding, lead: str, *rest: str) -> Headline:
    """The sentences on one finding, and the reason for which it fails, or does not, where that is not plain."""
    told = " ".join(filter(None, (*rest, _why_it_counts(report, found))))
    return Headline(lead, told, found.verdict, report.fails(found))


def _why_it_counts(report: GateReport, found: GateFinding) -> str:
    if found.verdict in report.fail_on and report.fails(found):
        return "This fails because --fail-on names it."
    if report.fails(found) or report.acknowledged is not None or not VERDICTS[found.verdict].warns:
        return ""
    return "For information: this is no reason to fail." if found.informal else "This is no failure."


def _regressed(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    for found in findings:
        yield _one(report, found, f"{_became(found)}.", _sure(found), _rerun(found))


def _improved(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    for found in findings:
        assert found.change is not None
        bound = f"Sure (95 %) that it is at most {percent(found.change.high)}."
        yield _one(report, found, f"{_became(found)}.", bound, _rounds(found.change))


def _became(found: GateFinding) -> str:
    """`resnet18 is slower: wall latency +8.3 %, 41.20 ms → 44.62 ms`."""
    kind = QUANTITIES[found.metric].measured_as
    assert kind is not None  # what has regressed or improved was measured
    said = WORDS[kind].worse if found.verdict is GateVerdict.REGRESSED else WORDS[kind].better
    values = f"{quantity(found.base, found.metric)} → {quantity(found.head, found.metric)}"
    change = percent(found.change.ratio if found.change else None)
    return f"{found.subject} {said}: {TITLES[found.metric]} {change}, {values}"


def _sure(found: GateFinding) -> str:
    assert found.change is not None
    allowed = percent(1 + (found.threshold or 0), signed=False)
    return f"Sure (95 %) that it is at least {percent(found.change.low)}; {allowed} is allowed. {_rounds(found.change)}"


def _rounds(change: MeasuredChange) -> str:
    if change.source == "calibration":
        return "Judged by the noise of the last calibration, from one process a side."
    return f"Seen in {change.rounds} rounds, each with a fresh process a side."


def _rerun(found: GateFinding) -> str:
    return f"Measured anew, it was there again: {percent(found.confirmed.ratio)}." if found.confirmed else ""


def _changed(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    for subject, rows in groupby(findings, key=lambda one: one.subject):
        mine = list(rows)
        changes = ", ".join(_exact(one) for one in mine)
        yield _one(report, mine[0], f"{subject} {_more_or_less(mine)}: {changes}.", _where(mine[0].moved))


def _exact(found: GateFinding) -> str:
    """`FLOPs +6.4 % (1.814 G → 1.930 G)`."""
    if isinstance(found.base, str) or isinstance(found.head, str) or not found.base or found.head is None:
        return f"other {TITLES[found.metric]}"
    values = f"{quantity(found.base, found.metric)} → {quantity(found.head, found.metric)}"
    return f"{TITLES[found.metric]} {percent(found.head / found.base)} ({values})"


def _more_or_less(findings: Sequence[GateFinding]) -> str:
    directions = {found.direction for found in findings} - {"other", None}
    if not directions:
        return "costs the same on paper and is another network"
    if len(directions) > 1:
        return "costs more and less on paper"
    return f"costs {'more' if directions == {'worse'} else 'less'} on paper"


def _where(moved: Sequence[CostChange]) -> str:
    """The modules with the most of it; a count is exact, so that nothing more need be said of how sure it is."""
    if not moved:
        return "Counts are exact. No operation costs other than before."
    places = ", ".join(_place(one) for one in moved[:3])
    more = f" and {len(moved) - 3} more places, listed below" if len(moved) > 3 else ""
    return f"Counts are exact: this is no noise. It lies in {places}{more}."


def _place(moved: CostChange) -> str:
    """`layer2.0.conv1 (convolution, +57.8 M FLOPs, added)`."""
    what = difference(moved.flops, BILLIONS, "FLOPs") or difference(moved.traffic_elems, M_ELEMENTS, "traffic")
    state = "" if moved.state == "changed" else moved.state
    return f"{moved.module or 'the model itself'} ({', '.join(filter(None, (moved.op, what, state)))})"


def _reason(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    """What the table says of the verdict; the reason is all that there is to add."""
    for found in findings:
        what = f", {TITLES[found.metric]}," if found.metric else ""
        reason = (
            f"Not the same: {found.reason}." if found.verdict is GateVerdict.INCOMPARABLE else sentence(found.reason)
        )
        yield _one(report, found, f"{found.subject}{what} {VERDICTS[found.verdict].says}.", reason)


def _inconclusive(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    for found in findings:
        change = found.change
        bounds = f" ({percent(change.low)} to {percent(change.high)})" if change and change.low is not None else ""
        known = percent(change.ratio if change else None)
        lead = f"{found.subject}: {TITLES[found.metric]} {known}{bounds} is inconclusive."
        yield _one(report, found, lead, sentence(found.reason))


def _new(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    names = list(dict.fromkeys(found.subject for found in findings))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    reasons = " ".join(dict.fromkeys(sentence(found.reason) for found in findings[:5]))
    yield _one(report, findings[0], f"New, with nothing to compare to: {', '.join(names[:5])}{more}.", reasons)


def _passed(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    """Nothing, unless --fail-on asks for it."""
    for found in filter(report.fails, findings):
        what = f", {TITLES[found.metric]}," if found.metric else ""
        yield _one(report, found, f"{found.subject}{what} is the same, or certainly no worse than is allowed.")


# How a verdict with numbers is told; every other one is told by its row and its reason.
_TELL: Mapping[GateVerdict, Callable[[GateReport, Sequence[GateFinding]], Iterator[Headline]]] = {
    GateVerdict.REGRESSED: _regressed,
    GateVerdict.CHANGED: _changed,
    GateVerdict.INCONCLUSIVE: _inconclusive,
    GateVerdict.NEW: _new,
    GateVerdict.IMPROVED: _improved,
    GateVerdict.PASS: _passed,
}


def steps(report: GateReport) -> Iterator[Advice]:
    """What to do next, the most pressing first; the same step once."""
    verdicts = {found.verdict for found in report.findings if not found.informal or report.fails(found)}
    if report.acknowledged is not None:
        return
    if GateVerdict.REGRESSED in verdicts:
        yield Advice(_suspect(report))
    commands = {"again": report.again, "accept": report.accept, "": ""}
    wanted = (step for verdict in GateVerdict if verdict in verdicts for step in VERDICTS[verdict].next_steps)
    yield from (Advice(step.text, commands[step.command]) for step in dict.fromkeys(wanted))


def _suspect(report: GateReport) -> str:
    """Where to look: a slowdown that comes with a dearer network is no riddle."""
    slower = [found.subject for found in report.findings if found.verdict is GateVerdict.REGRESSED]
    dearer = {found.subject for found in report.findings if found.verdict is GateVerdict.CHANGED}
    if all(subject in dearer for subject in slower):
        return "Look at the modules that are dearer on paper first: the slowdown comes with them."
    return (
        "The cost on paper is the same, so look at how it runs: another code path, library, memory layout, "
        "number of threads, or work beside the model."
    )
