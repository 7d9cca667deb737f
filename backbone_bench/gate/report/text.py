"""A gate's report for somebody who has never seen the tool, laid out as Markdown, for a terminal, or for programs.

What fails comes first, so that a report that must be cut loses the least.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from pydantic import TypeAdapter

from backbone_bench.gate.report.sentences import TITLES, Step, news, quantity, steps
from backbone_bench.gate.verdicts import Finding, Moved, Report, Verdict
from backbone_bench.report.tables import escape
from backbone_bench.report.tables.csv import delimited
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, Table, tabulate, without_empty
from backbone_bench.report.tables.units import BILLIONS, M_ELEMENTS, PLAIN, difference, percent

_ENDS = {0: "passed", 1: "failed", 2: "could not start", 3: "could not measure everything", 4: "could not compare"}
_MEANINGS = {
    Verdict.INVALID: "could not be run",
    Verdict.REGRESSED: "certainly worse, and by more than is allowed",
    Verdict.CHANGED: "a count is another than in the baseline, and nobody has accepted that",
    Verdict.MISSING: "in the baseline, and not here",
    Verdict.INCOMPARABLE: "not measured under the same conditions",
    Verdict.INCONCLUSIVE: "too much noise to say, which is no failure",
    Verdict.NEW: "not in the baseline",
    Verdict.IMPROVED: "certainly better, and by more than is allowed the other way",
    Verdict.PASS: "the same, or certainly no worse than is allowed",
}
_ROWS = 12  # of one table of modules
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)


def render(report: Report, exit_code: int, form: str) -> str:
    """The report as `table`, `md`, `csv` or `json`."""
    match form:
        case "json":
            return _as_json(report, exit_code)
        case "csv":
            return delimited([tabulate(report.ordered, FOR_PROGRAMS)])
        case "md":
            return as_markdown(report, exit_code)
        case _:
            return _for_terminal(report, exit_code)


def _as_json(report: Report, exit_code: int) -> str:
    told = _REPORT.dump_python(replace(report, findings=report.ordered), mode="json")
    document = {"exit_code": exit_code, "verdict": report.verdict.value, **told}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def title(report: Report, exit_code: int) -> str:
    """`bench gate failed: 1 regressed, 5 changed, 2 pass`."""
    counts = Counter(found.verdict for found in report.findings)
    told = ", ".join(f"{counts[one]} {one.value}" for one in Verdict if counts[one])
    return f"bench gate {_ENDS[exit_code]}: {told or 'nothing to compare'}"


def _summary(report: Report) -> str:
    accepted = f" Accepted: {report.acknowledged}" if report.acknowledged is not None else ""
    return f"Compared: {report.head} with {report.base}.{accepted}"


def as_markdown(report: Report, exit_code: int) -> str:
    """GitHub's Markdown."""
    lines = [f"## {escape.markdown(title(report, exit_code))}", "", escape.markdown(_summary(report)), ""]
    lines += [
        f"- **{escape.markdown(lead)}** {escape.markdown(rest)}".rstrip() for lead, rest, *_ in news(report.ordered)
    ]
    todo = [f"{number}. {_step(step)}" for number, step in enumerate(steps(report), start=1)]
    lines += ["", "### What to do next", "", *todo] if todo else []
    remarks = [line for remark in _remarks(report) for line in (escape.markdown(remark), "")]
    return "\n".join([*lines, "", markdown(tables(report)), *remarks]).rstrip("\n") + "\n"


def _step(step: Step) -> str:
    command = escape.visible(step.command).replace("`", "'")
    return escape.markdown(step.text) + (f" `{command}`" if command else "")


def _for_terminal(report: Report, exit_code: int) -> str:
    from backbone_bench.report.tables.terminal import terminal  # imports rich

    lines = [title(report, exit_code), _summary(report), ""]
    lines += [f"* {lead} {rest}".rstrip() for lead, rest, *_ in news(report.ordered)]
    todo = [f"{number}. {step.text} {step.command}".rstrip() for number, step in enumerate(steps(report), start=1)]
    lines += ["", "What to do next", *todo] if todo else []
    text = "\n".join(escape.visible(line) for line in lines)
    remarks = "".join(f"{escape.visible(remark)}\n" for remark in _remarks(report))
    return f"{text.rstrip()}\n\n{terminal(tables(report))}{remarks}"


def _remarks(report: Report) -> Iterator[str]:
    present = {found.verdict for found in report.findings}
    told = "; ".join(f"{verdict.value}: {_MEANINGS[verdict]}" for verdict in Verdict if verdict in present)
    if told:
        yield f"Verdicts. {told}."
    judged = sum(found.change is not None and not found.informal for found in report.findings)
    if judged:
        yield (
            f"Certainly: one-sided at 95 %, by Student's t on the logarithms of the rounds' ratios, with Holm's "
            f"correction over the {judged} {'quantities' if judged > 1 else 'quantity'} judged together."
        )
    yield from report.remarks


def tables(report: Report) -> list[Table]:
    """Everything in one table, then the modules in which a cost moved, a table a workload."""
    whole = without_empty(tabulate(report.ordered, FOR_PEOPLE))
    changed = {found.subject: found.moved for found in report.ordered if found.moved}
    return [whole, *(_modules(subject, moved) for subject, moved in changed.items())]


def _modules(subject: str, moved: tuple[Moved, ...]) -> Table:
    table = without_empty(tabulate(moved[:_ROWS], _MODULES, title=f"{subject}: where the cost on paper changed"))
    more = (f"{len(moved) - _ROWS} more rows changed less; the JSON report has them.",) if len(moved) > _ROWS else ()
    return replace(table, remarks=more)


def _bounds(found: Finding) -> str:
    change = found.change
    return "" if change is None or change.low is None else f"{percent(change.low)} to {percent(change.high)}"


def _ratio(found: Finding) -> str:
    if found.change is not None:
        return percent(found.change.ratio)
    if isinstance(found.base, str) or isinstance(found.head, str) or not found.base or found.head is None:
        return ""
    return percent(found.head / found.base)


def _share(value: float | None) -> str:
    return "" if value is None else percent(1 + value, signed=False)


FOR_PEOPLE: tuple[Column[Finding], ...] = (
    Column("subject", "workload", lambda found: found.subject),
    Column("metric", "quantity", lambda found: TITLES[found.metric]),
    Column("verdict", "verdict", lambda found: f"{found.verdict.value}{' (for information)' * found.informal}"),
    Column("base", "baseline", lambda found: _quantity(found, found.base)),
    Column("head", "now", lambda found: _quantity(found, found.head)),
    Column("change", "change", _ratio),
    Column("bounds", "95 % bounds", _bounds, remark="95 % bounds: each one-sided, over rounds of fresh processes."),
    Column("allowed", "allowed", lambda found: _share(found.threshold)),
    Column(
        "detectable",
        "detectable",
        lambda found: _share(found.detectable),
        remark="Detectable: the least change that is called in four cases of five, at the noise of these rounds.",
    ),
    Column("rounds", "rounds", lambda found: str(found.change.rounds) if found.change else ""),
)


def _quantity(found: Finding, value: int | float | str | None) -> str:
    return "" if value is None else quantity(value, found.metric)


def _of_change(name: str) -> Callable[[Finding], float | str]:
    """A number of the change; nothing where there is none."""
    return lambda found: _plain(None if found.change is None else getattr(found.change, name))


def _plain(value: float | str | None) -> float | str:
    return "" if value is None else value


FOR_PROGRAMS: tuple[Column[Finding], ...] = (
    Column("subject", "workload", lambda found: found.subject),
    Column("metric", "quantity", lambda found: found.metric),
    Column("verdict", "verdict", lambda found: found.verdict.value),
    Column("informal", "for information", lambda found: "yes" if found.informal else "no"),
    Column("base", "baseline", lambda found: _plain(found.base)),
    Column("head", "now", lambda found: _plain(found.head)),
    Column("ratio", "ratio", _of_change("ratio"), PLAIN),
    Column("low", "lower bound", _of_change("low"), PLAIN),
    Column("high", "upper bound", _of_change("high"), PLAIN),
    Column("rounds", "rounds", _of_change("rounds"), PLAIN),
    Column("threshold", "allowed", lambda found: _plain(found.threshold), PLAIN),
    Column("detectable", "detectable", lambda found: _plain(found.detectable), PLAIN),
    Column("reason", "reason", lambda found: found.reason),
)

_MODULES: tuple[Column[Moved], ...] = (
    Column("module", "module", lambda moved: moved.module or "(itself)"),
    Column("op", "operation", lambda moved: moved.op),
    Column("state", "is", lambda moved: moved.state),
    Column("flops", "FLOPs", lambda moved: difference(moved.flops, BILLIONS)),
    Column("access_elems", "memory access", lambda moved: difference(moved.access_elems, M_ELEMENTS)),
    Column("traffic_elems", "traffic", lambda moved: difference(moved.traffic_elems, M_ELEMENTS)),
    Column("ops", "operations", lambda moved: difference(moved.ops, PLAIN)),
)
