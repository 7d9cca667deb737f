"""The report of `bench bisect`: the first bad commit, what changed in it, and every step."""

import json
from collections.abc import Iterator

from pydantic import TypeAdapter

from backbone_bench.base.units import percent
from backbone_bench.gate.bisect import WORSE, BisectReport, BisectStep, StepVerdict
from backbone_bench.gate.report import text
from backbone_bench.gate.report.sentences import TITLES, headlines
from backbone_bench.gate.verdicts import GateFinding
from backbone_bench.report.tables.answer import Answer, AnswerPart, Heading, ItemList, ListItem, Paragraph
from backbone_bench.report.tables.table import Column, Table, tabulate, without_empty

_CHANGES = 3  # of one step
_REPORT: TypeAdapter[BisectReport] = TypeAdapter(BisectReport)


def answer(report: BisectReport) -> Answer:
    """The report in every format."""
    return Answer(
        parts=lambda: list(_parts(report)),
        exact=lambda: [tabulate(report.steps, _FOR_PROGRAMS)],
        json=lambda: json.dumps(_document(report), indent=1, allow_nan=False) + "\n",
    )


def _document(report: BisectReport) -> dict[str, object]:
    found = _REPORT.dump_python(report, mode="json")
    first = found["suspects"][0] if report.found else None
    return {"exit_code": report.exit_code, "first_bad": first, **found}


def _parts(report: BisectReport) -> Iterator[AnswerPart]:
    yield Heading(_title(report))
    yield Paragraph(_summary(report))
    yield ItemList(tuple(ListItem(one.lead, one.rest) for one in headlines(report.change)))
    *others, last = text.tables(report.change)
    yield from others
    yield last.adding(*report.remarks)
    if report.steps:
        yield _steps(report)


def _title(report: BisectReport) -> str:
    """`bench bisect: the first bad commit is 1a2b3c4d5 (Widen the stem)`."""
    if report.found:
        return f"bench bisect: the first bad commit is {report.found}"
    return f"bench bisect could not decide between {len(report.suspects)} commits"


def _summary(report: BisectReport) -> str:
    """Who is suspected, when it was written, and what was compared."""
    ends = f"Searched from {report.good}, which is good, to {report.bad}, which is bad."
    if report.found:
        return f"Its author date is {report.found.author_date}. {ends} What changed in it: {_compared(report)}"
    listed = "; ".join(f"{one}, {one.author_date[:10]}" for one in report.suspects)
    return f"{ends} The first bad commit is one of these, the newest first: {listed}. {_compared(report)}"


def _compared(report: BisectReport) -> str:
    return f"{report.change.head} compared with {report.change.base}."


def _steps(report: BisectReport) -> Table:
    return without_empty(tabulate(report.steps, _FOR_PEOPLE, title="Steps"))


def reason(step: BisectStep) -> str:
    """Why a step has its verdict: `FLOPs +6.4 %`, or the reason why it was skipped."""
    if step.verdict is StepVerdict.SKIPPED:
        return step.reason.partition("\n")[0]
    is_bad = step.verdict is StepVerdict.BAD
    changes = [_change(one) for one in step.findings if not is_bad or one.verdict in WORSE]
    more = f" and {len(changes) - _CHANGES} more" if len(changes) > _CHANGES else ""
    return f"{', '.join(changes[:_CHANGES])}{more}"


def _change(found: GateFinding) -> str:
    if found.change is not None:
        return f"{TITLES[found.metric]} {percent(found.change.ratio)}"
    if isinstance(found.base, str) or isinstance(found.head, str) or not found.base or found.head is None:
        return f"other {TITLES[found.metric]}"
    return f"{TITLES[found.metric]} {percent(found.head / found.base)}"


def line(step: BisectStep, number: int, left: int) -> str:
    """The line of a step while the search goes on: `1: 1a2b3c4d5 (Widen the stem) is bad: FLOPs +6.4 %; 3 left`."""
    why = reason(step).rstrip(".")
    more = f"{left} commit{'' if left == 1 else 's'} left" if left else "none left"
    return f"{number}: {step.commit} is {step.verdict.value}{f': {why}' if why else ''}; {more}"


_COMMIT = Column[BisectStep]("commit", "commit", lambda step: step.commit.hash[:9])
_DATE = Column[BisectStep]("author_date", "author date", lambda step: step.commit.author_date)
_TITLE = Column[BisectStep]("title", "title", lambda step: step.commit.title)
_VERDICT = Column[BisectStep]("verdict", "verdict", lambda step: step.verdict.value)
_REASON = Column[BisectStep]("reason", "why", reason)
_FOR_PEOPLE = (_COMMIT, _DATE._replace(value=lambda step: step.commit.author_date[:10]), _TITLE, _VERDICT, _REASON)
_FOR_PROGRAMS = (_COMMIT._replace(value=lambda step: step.commit.hash), _DATE, _TITLE, _VERDICT, _REASON)
