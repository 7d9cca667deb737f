"""The report of a gate as Markdown, for a terminal, or for programs (JSON, CSV, JUnit XML).

It is written for a reader who does not know the tool. Failures come first, so
that a report that must be cut loses the least.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from backbone_bench.base.units import BILLIONS, M_ELEMENTS, PLAIN, difference, percent
from backbone_bench.gate.report.junit import junit
from backbone_bench.gate.report.sentences import TITLES, headlines, quantity, steps
from backbone_bench.gate.verdicts import VERDICTS, CostChange, GateFinding, GateReport, GateVerdict
from backbone_bench.report.tables.answer import Answer, AnswerPart, Heading, ItemList, ListItem, Paragraph
from backbone_bench.report.tables.table import Column, Table, tabulate, without_empty

_ENDS = {0: "passed", 1: "failed", 2: "could not start", 3: "could not measure everything", 4: "could not compare"}
_ROWS = 12  # of one table of modules
_REPORT: TypeAdapter[GateReport] = TypeAdapter(GateReport)


def answer(report: GateReport) -> Answer:
    """The report in every format: failures first, then the next steps, then the tables."""
    return Answer(
        parts=lambda: parts(report),
        exact=lambda: [tabulate(report.ordered, _for_programs(report))],
        json=lambda: json.dumps(_document(report), indent=1, allow_nan=False) + "\n",
        junit=lambda: junit(report),
    )


def _document(report: GateReport) -> dict[str, Any]:
    document = _REPORT.dump_python(replace(report, findings=report.ordered), mode="json")
    for row, found in zip(document["findings"], report.ordered, strict=True):
        row["fails"] = report.fails(found)
    return {"exit_code": report.exit_code, "verdict": report.verdict.value, **document}


def title(report: GateReport) -> str:
    """`bench gate failed: 1 regressed, 5 changed, 2 pass`."""
    counts = Counter(map(_counted_as, report.ordered))
    listed = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"bench gate {_ENDS[report.exit_code]}: {listed or 'nothing to compare'}"


def _counted_as(found: GateFinding) -> str:
    if found.accepted is not None:
        return "accepted"
    return "not judged" if found.is_unjudged else found.verdict.value


def _summary(report: GateReport) -> str:
    accepted = f" Accepted: {report.acknowledged}" if report.acknowledged is not None else ""
    return f"Compared: {report.head} with {report.base}.{accepted}"


def parts(report: GateReport) -> list[AnswerPart]:
    """The report for people: sentences, next steps and tables."""
    sentences = tuple(ListItem(one.lead, one.rest) for one in headlines(report))
    advice = tuple(ListItem(step.text, command=step.command) for step in steps(report))
    found: list[AnswerPart] = [Heading(title(report)), Paragraph(_summary(report))]
    if sentences:
        found.append(ItemList(sentences))
    if advice:
        found += [Heading("What to do next", level=3), ItemList(advice, numbered=True)]
    if not (shown := tables(report)):
        return [*found, *map(Paragraph, _remarks(report))]
    *others, last = shown
    return [*found, *others, replace(last, remarks=(*last.remarks, *_remarks(report)))]


def _listed(report: GateReport) -> list[GateFinding]:
    """The findings that people need to see: a long list of what passed would hide them."""
    shown = (GateVerdict.PASS, GateVerdict.NEW)
    return [
        found for found in report.ordered if report.fails(found) or not (found.verdict in shown or found.is_unjudged)
    ]


def _remarks(report: GateReport) -> Iterator[str]:
    listed = {found.verdict for found in _listed(report)}
    present = [verdict for verdict in GateVerdict if verdict in listed]
    if present:
        yield f"Verdicts. {'; '.join(f'{verdict.value}: {VERDICTS[verdict].meaning}' for verdict in present)}."
    tested = sum(found.change is not None and not found.informal for found in report.findings)
    if tested:
        yield (
            f"Significance: by a one-sided t-test at 95 % confidence on the logarithms of the rounds' ratios, with "
            f"Holm correction over the {tested} {'quantities' if tested > 1 else 'quantity'} tested together."
        )
    yield from report.remarks


def tables(report: GateReport) -> list[Table]:
    """One table of all findings but those that passed, then one per workload of the modules whose cost changed."""
    listed = _listed(report)
    whole = [without_empty(tabulate(listed, _for_people(report)))] if listed else []
    changed = {found.subject: found.moved for found in listed if found.moved}
    return [*whole, *(_modules(subject, moved) for subject, moved in changed.items())]


def _modules(subject: str, moved: tuple[CostChange, ...]) -> Table:
    table = without_empty(tabulate(moved[:_ROWS], _MODULES, title=f"{subject}: modules whose counts changed"))
    more = (f"{len(moved) - _ROWS} more rows changed less; the JSON report has them.",) if len(moved) > _ROWS else ()
    return replace(table, remarks=more)


def _bounds(found: GateFinding) -> str:
    change = found.change
    return "" if change is None or change.low is None else f"{percent(change.low)} to {percent(change.high)}"


def _ratio(found: GateFinding) -> str:
    if found.change is not None:
        return percent(found.change.ratio)
    if isinstance(found.base, str) or isinstance(found.head, str) or not found.base or found.head is None:
        return ""
    return percent(found.head / found.base)


def _share(value: float | None) -> str:
    return "" if value is None else percent(1 + value, signed=False)


def _allowed(found: GateFinding) -> str:
    return _share(found.threshold) if found.limit is None else f"up to {quantity(found.limit, found.metric)}"


def _for_people(report: GateReport) -> tuple[Column[GateFinding], ...]:
    return (
        Column("subject", "workload", lambda found: found.subject),
        Column("metric", "quantity", lambda found: TITLES[found.metric]),
        Column("verdict", "verdict", lambda found: _verdict(report, found)),
        Column("base", "baseline", lambda found: _quantity(found, found.base)),
        Column("head", "now", lambda found: _quantity(found, found.head)),
        Column("change", "change", _ratio),
        Column("bounds", "95 % confidence bounds", _bounds, remark=_BOUNDS),
        Column("allowed", "allowed", _allowed),
        Column("detectable", "detectable", lambda found: _share(found.detectable), remark=_DETECTABLE),
        Column("rounds", "rounds", lambda found: str(found.change.rounds) if found.change else ""),
    )


_BOUNDS = "95 % confidence bounds: the lower and the upper bound are each one-sided, over rounds of fresh processes."
_DETECTABLE = "Detectable: the minimum detectable effect at 80 % power, with the noise of these rounds."


def _verdict(report: GateReport, found: GateFinding) -> str:
    if found.accepted is not None:
        return f"{found.verdict.value}, accepted"
    return f"{found.verdict.value}{' (for information)' * (found.informal and not report.fails(found))}"


def _quantity(found: GateFinding, value: int | float | str | None) -> str:
    return "" if value is None else quantity(value, found.metric, (found.base, found.head))


def _of_change(name: str) -> Callable[[GateFinding], float | str]:
    """A cell with one number of the measured change; empty if nothing was measured."""
    return lambda found: _plain(None if found.change is None else getattr(found.change, name))


def _plain(value: float | str | None) -> float | str:
    return "" if value is None else value


def _for_programs(report: GateReport) -> tuple[Column[GateFinding], ...]:
    return (
        Column("subject", "workload", lambda found: found.subject),
        Column("metric", "quantity", lambda found: found.metric),
        Column("verdict", "verdict", lambda found: found.verdict.value),
        Column("informal", "for information", lambda found: _yes(found.informal)),
        Column("fails", "fails", lambda found: _yes(report.fails(found))),
        Column("base", "baseline", lambda found: _plain(found.base)),
        Column("head", "now", lambda found: _plain(found.head)),
        Column("ratio", "ratio", _of_change("ratio"), PLAIN),
        Column("low", "lower bound", _of_change("low"), PLAIN),
        Column("high", "upper bound", _of_change("high"), PLAIN),
        Column("rounds", "rounds", _of_change("rounds"), PLAIN),
        Column("threshold", "allowed", lambda found: _plain(found.threshold), PLAIN),
        Column("detectable", "detectable", lambda found: _plain(found.detectable), PLAIN),
        Column("limit", "limit", lambda found: _plain(found.limit), PLAIN),
        Column("accepted", "accepted", lambda found: found.accepted or ""),
        Column("reason", "reason", lambda found: found.reason),
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


_MODULES: tuple[Column[CostChange], ...] = (
    Column("module", "module", lambda moved: moved.module or "(the model itself)"),
    Column("op", "operation", lambda moved: moved.op),
    Column("state", "state", lambda moved: moved.state),
    Column("flops", TITLES["flops"], lambda moved: difference(moved.flops, BILLIONS)),
    Column("access_elems", TITLES["access_elems"], lambda moved: difference(moved.access_elems, M_ELEMENTS)),
    Column("traffic_elems", TITLES["traffic_elems"], lambda moved: difference(moved.traffic_elems, M_ELEMENTS)),
    Column("ops", TITLES["ops"], lambda moved: difference(moved.ops, PLAIN)),
)
