"""Sentences for the findings of a gate: what changed, by how much, how sure, and what to do next."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from backbone_bench.base.units import BILLIONS, M_ELEMENTS, difference, percent, readable
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
    """The sentences on one finding."""

    lead: str  # what changed
    rest: str  # how sure it is, and why it fails or not
    verdict: GateVerdict
    fails: bool = False
    subject: str = ""  # the workload, if it is about one


class Advice(NamedTuple):
    """A next step for the user, and the command for it, if there is one."""

    text: str
    command: str = ""


def quantity(value: int | float | str | None, metric: str, beside: Sequence[int | float | str | None] = ()) -> str:
    """A value in the unit that it and those beside it read best in: `41.20 ms`, `2.816 k`."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value[:8]  # of a digest
    known = [one for one in (value, *beside) if isinstance(one, int | float)]
    unit = readable(QUANTITIES[metric].unit, known)
    return f"{unit.write(value)} {unit.name}".rstrip()


def base_and_head(found: GateFinding) -> str:
    """Both values of a finding in one unit: `41.20 ms → 44.62 ms`."""
    both = (found.base, found.head)
    return " → ".join(quantity(value, found.metric, both) for value in both)


def sentence(text: str) -> str:
    """The text with a full stop and, unless it begins with a name such as `net.py:small`, a capital letter."""
    first, *_ = text.split(maxsplit=1) or [""]
    capital = text[:1].upper() if first.rstrip(".,:;").isalpha() else text[:1]
    return f"{capital}{text[1:].rstrip('.')}."


def headlines(report: GateReport) -> Iterator[Headline]:
    """Headlines for all findings that do not pass; at most `SHOWN` of each verdict."""
    for verdict, found in groupby(report.ordered, key=lambda one: one.verdict):
        made = list(_HEADLINES.get(verdict, _reason)(report, list(found)))
        more = made[SHOWN:]
        yield from made[:SHOWN]
        if more:
            fails = any(one.fails for one in more)
            yield Headline(f"{len(more)} more: {verdict.value}.", "The table below lists them.", verdict, fails)


def _headline(report: GateReport, found: GateFinding, lead: str, *rest: str) -> Headline:
    """A headline, with a sentence on why the finding fails or does not fail, if that is not obvious."""
    text = " ".join(filter(None, (*rest, _why_it_fails(report, found))))
    return Headline(lead, text, found.verdict, report.fails(found), found.subject)


def _why_it_fails(report: GateReport, found: GateFinding) -> str:
    if found.accepted is not None:
        return f"Accepted: {sentence(found.accepted)}"
    if report.fails(found) and not replace(report, fail_on=()).fails(found):
        return "This fails because --fail-on names it."
    if report.fails(found) or report.acknowledged is not None or not VERDICTS[found.verdict].warns:
        return ""
    return "For information: this does not fail the gate." if found.informal else "This does not fail the gate."


def _regressed(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    for found in findings:
        yield _headline(report, found, f"{_became(found)}.", _lower_bound(found), _rerun(found))


def _improved(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    counts = [found for found in findings if found.change is None]
    for subject, rows in groupby(counts, key=lambda one: one.subject):
        lower = list(rows)
        lead = f"{subject} has lower counts: {', '.join(map(_exact, lower))}."
        yield _headline(report, lower[0], lead, "A tolerance allows it.", _where(lower[0].moved))
    for found in findings:
        if found.change is None:
            continue
        bound = f"With 95 % confidence, the change is at most {percent(found.change.high)}."
        yield _headline(report, found, f"{_became(found)}.", bound, _rounds(found.change))


def _became(found: GateFinding) -> str:
    """`resnet18 is slower: wall latency +8.3 %, 41.20 ms → 44.62 ms`."""
    kind = QUANTITIES[found.metric].measured_as
    assert kind is not None  # only a measured quantity can regress or improve
    phrase = WORDS[kind].worse if found.verdict is GateVerdict.REGRESSED else WORDS[kind].better
    change = percent(found.change.ratio if found.change else None)
    return f"{found.subject} {phrase}: {TITLES[found.metric]} {change}, {base_and_head(found)}"


def _lower_bound(found: GateFinding) -> str:
    assert found.change is not None
    low, allowed = percent(found.change.low), percent(1 + (found.threshold or 0), signed=False)
    return f"With 95 % confidence, the change is at least {low}; {allowed} is allowed. {_rounds(found.change)}"


def _rounds(change: MeasuredChange) -> str:
    if change.source == "calibration":
        return "Judged by the noise of the last calibration, with one process per side."
    return f"Measured in {change.rounds} rounds, each with one fresh process per side."


def _rerun(found: GateFinding) -> str:
    return f"A rerun on fresh processes confirmed it: {percent(found.confirmed.ratio)}." if found.confirmed else ""


def _changed(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    for (subject, _), rows in groupby(findings, key=lambda one: (one.subject, one.accepted)):
        changed = list(rows)
        changes = ", ".join(_exact(one) for one in changed)
        lead = f"{subject} {_direction(changed)}: {changes}."
        yield _headline(report, changed[0], lead, _where(changed[0].moved), _cheaper(report, changed))


def _cheaper(report: GateReport, changed: Sequence[GateFinding]) -> str:
    """Why a network that costs less fails."""
    if not report.fails(changed[0]) or {found.direction for found in changed} - {"other"} != {"better"}:
        return ""
    return "It is cheaper, but so is a network that lost a layer by accident: accept it, or allow it by a tolerance."


def _exact(found: GateFinding) -> str:
    """`FLOPs +6.4 % (1.814 G → 1.930 G)`."""
    if isinstance(found.base, str) or isinstance(found.head, str) or not found.base or found.head is None:
        return f"different {TITLES[found.metric]}"
    return f"{TITLES[found.metric]} {percent(found.head / found.base)} ({base_and_head(found)})"


def _direction(findings: Sequence[GateFinding]) -> str:
    directions = {found.direction for found in findings} - {"other", None}
    if not directions:
        unchanged = not any(found.moved for found in findings)
        return "has the same counts, but is a different network" if unchanged else "is a different network"
    if len(directions) > 1:
        return "has some higher and some lower counts"
    return f"has {'higher' if directions == {'worse'} else 'lower'} counts"


def _where(moved: Sequence[CostChange]) -> str:
    """The modules with the largest changes; a count is exact, so no confidence is given."""
    if not moved:
        return "Counts are exact. FLOPs, memory access, traffic and calls of every operation are unchanged."
    places = ", ".join(_place(one) for one in moved[:3])
    more = f" and {len(moved) - 3} more places, listed below" if len(moved) > 3 else ""
    return f"Counts are exact, so this is not noise. The change is in {places}{more}."


def _place(moved: CostChange) -> str:
    """`layer2.0.conv1 (convolution, +57.8 M FLOPs, added)`."""
    what = difference(moved.flops, BILLIONS, "FLOPs") or difference(moved.traffic_elems, M_ELEMENTS, "traffic")
    state = "" if moved.state == "changed" else moved.state
    return f"{moved.module or 'the model itself'} ({', '.join(filter(None, (moved.op, what, state)))})"


def _reason(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    """Headlines of a verdict without numbers: the phrase of its row, and the reason."""
    for found in findings:
        what = f", {TITLES[found.metric]}," if found.metric else ""
        reason = f"Different: {found.reason}." if found.verdict is GateVerdict.INCOMPARABLE else sentence(found.reason)
        yield _headline(report, found, f"{found.subject}{what} {VERDICTS[found.verdict].says}.", reason)


def _inconclusive(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    unjudged = [found for found in findings if found.is_unjudged and not report.fails(found)]
    for found in findings:
        if found in unjudged:
            continue
        change = found.change
        estimate = percent(change.ratio if change else None)
        bounds = ""
        if change and change.low is not None:
            bounds = f" (95 % confidence bounds {percent(change.low)} to {percent(change.high)})"
        lead = f"{found.subject}: {TITLES[found.metric]} {estimate}{bounds} is inconclusive."
        yield _headline(report, found, lead, sentence(found.reason))
    if unjudged:
        workloads = len({found.subject for found in unjudged})
        lead = f"{len(unjudged)} measured quantities of {workloads} workloads are not judged."
        yield _headline(report, unjudged[0], lead, sentence(unjudged[0].reason))


def _new(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    names = list(dict.fromkeys(found.subject for found in findings))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    reasons = " ".join(dict.fromkeys(sentence(found.reason) for found in findings[:5]))
    yield _headline(report, findings[0], f"New, without a baseline: {', '.join(names[:5])}{more}.", reasons)


def _passed(report: GateReport, findings: Sequence[GateFinding]) -> Iterator[Headline]:
    """No headlines, unless `pass` fails because --fail-on names it."""
    for found in filter(report.fails, findings):
        what = f", {TITLES[found.metric]}," if found.metric else ""
        yield _headline(report, found, f"{found.subject}{what} is {VERDICTS[found.verdict].meaning}.")


# Headlines of the verdicts with numbers; every other verdict has its row and its reason.
_HEADLINES: Mapping[GateVerdict, Callable[[GateReport, Sequence[GateFinding]], Iterator[Headline]]] = {
    GateVerdict.REGRESSED: _regressed,
    GateVerdict.CHANGED: _changed,
    GateVerdict.INCONCLUSIVE: _inconclusive,
    GateVerdict.NEW: _new,
    GateVerdict.IMPROVED: _improved,
    GateVerdict.PASS: _passed,
}


def steps(report: GateReport) -> Iterator[Advice]:
    """Next steps for the user, the most urgent first, each once."""
    open_findings = [found for found in report.findings if found.accepted is None]
    verdicts = {found.verdict for found in open_findings if not found.informal or report.fails(found)}
    if report.acknowledged is not None:
        return
    if GateVerdict.REGRESSED in verdicts:
        yield Advice(_suspect(report))
    if any(found.verdict is GateVerdict.NEW and found.exit_code for found in report.findings):
        yield Advice("There is no baseline yet. Create it, and commit the file:", report.accept)
    commands = {"again": report.again, "accept": report.accept, "": ""}
    needed = (step for verdict in GateVerdict if verdict in verdicts for step in VERDICTS[verdict].next_steps)
    yield from (Advice(step.text, commands[step.command]) for step in dict.fromkeys(needed))


def _suspect(report: GateReport) -> str:
    """Where to search the cause of a regression: in the changed modules, or in how the model runs."""
    regressed = [found.subject for found in report.findings if found.verdict is GateVerdict.REGRESSED]
    changed = {found.subject for found in report.findings if found.verdict is GateVerdict.CHANGED}
    # Counts have subjects without what changes no count, such as the number of threads, which stands at the end.
    if all(any(f"{subject}, ".startswith(f"{one}, ") for one in changed) for subject in regressed):
        return "Check the modules with changed counts first: the regression came together with that change."
    return (
        "The counts are the same, so check how the model runs: another code path, library, memory layout, "
        "number of threads, or other work beside the model."
    )
