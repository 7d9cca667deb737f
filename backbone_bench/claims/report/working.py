"""Working of a claim: everything behind its verdict, as Markdown that is also readable as plain text."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backbone_bench.claims.data.verdicts import CheckFinding
from backbone_bench.claims.judges.engine import CheckResult, ClaimResult
from backbone_bench.claims.report.tables import answer, sentence, source, verdict_of
from backbone_bench.report.tables import escape
from backbone_bench.report.tables.answer import Answer, Verbatim


def answer_with_working(outcomes: Sequence[ClaimResult]) -> Answer:
    """The answer with the working of each claim as text; as JSON or CSV it is the same as without."""
    return replace(answer(outcomes), parts=lambda: [Verbatim(working(outcome)) for outcome in outcomes])


def working(outcome: ClaimResult) -> str:
    """The working of one claim, as Markdown."""
    return "\n".join(_working(outcome)) + "\n"


def _working(outcome: ClaimResult) -> Iterator[str]:
    claim, factor = outcome.entry.claim, outcome.entry.factor
    yield f"## {escape.visible(claim.id)}: {verdict_of(outcome)}"
    yield from ("", escape.visible(sentence(outcome)))
    yield from (
        "",
        f"Source: {escape.visible(source(outcome))}. A multiply-add counts {'twice' if factor == 2 else 'once'}.",
    )
    if claim.note:
        yield escape.visible(claim.note)
    for number, part in enumerate(outcome.judged, start=1):
        yield from ("", f"### {number}. {escape.visible(_heading(part))}", "")
        yield from _part(part, part.finding)
        if part.published:
            yield from ("", "Measured by others:", "")
            yield from _part(part, part.published)
    if outcome.command:
        yield from ("", f"Measure it: `{outcome.command}`")
    for text in outcome.unexpected:
        yield from ("", f"Unexpected: {escape.visible(text)}.")


def _heading(part: CheckResult) -> str:
    aside = " (informational)" if part.check.aside else ""
    return f"{part.check.kind}{aside}: {part.finding.verdict}"


def _part(part: CheckResult, finding: CheckFinding) -> Iterator[str]:
    published = " (published)" if finding.origin == "published" else ""
    parts = [
        f"expected {finding.expected}" if finding.expected else "",
        f"found {finding.found}" if finding.found else "",
    ]
    yield escape.visible("; ".join(filter(None, [f"{finding.verdict}{published}", *parts, finding.reason])))
    if part.check.note and not published:
        yield escape.visible(part.check.note)
    for line in finding.working:
        yield f"- {escape.visible(line)}"
