"""Tables of claims with their verdicts, and the same as JSON; published measurements are in a table of their own."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import log
from typing import Any, NamedTuple

from backbone_bench.base.units import Unit
from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict
from backbone_bench.claims.judges.engine import CheckResult, ClaimResult
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.table import CellValue, Column, Table, Tone, tabulate, without_empty

MOST_PARTS = 3  # checks of a claim that one row of a table shows

RATIO = Unit("", 1, 3)


class Shown(NamedTuple):
    """A published finding: one row of the table of published measurements."""

    outcome: ClaimResult
    part: CheckResult
    finding: CheckFinding


def answer(outcomes: Sequence[ClaimResult], *, wide: bool = True) -> Answer:
    """The answer: one row per claim, what needs attention first, and what others measured.

    Unless it is `wide`, a terminal gets one line per claim, and the number of what others measured.
    """

    def parts(*, wide: bool) -> list[Table]:
        return [without_empty(table) for table in _parts(outcomes, wide=wide) if table.rows]

    return Answer(
        parts=lambda: parts(wide=True),
        brief=None if wide else lambda: parts(wide=False),
        exact=lambda: [table_of(outcomes)],
        json=lambda: _json(outcomes),
        jsonl=lambda: "".join(f"{json.dumps(plain(outcome), ensure_ascii=False)}\n" for outcome in outcomes),
    )


def _parts(outcomes: Sequence[ClaimResult], *, wide: bool) -> Sequence[Table]:
    table = replace(at_a_glance(outcomes), brief=not wide).adding("The working of a claim: bench claims ID.")
    if wide:
        return table, _published(outcomes)
    count = len(shown_by_others(outcomes))
    return (table.adding(f"Measured by others: {count} findings; --wide lists them.") if count else table,)


def at_a_glance(outcomes: Sequence[ClaimResult]) -> Table:
    """One row per claim, what needs attention first, and its verdict before all else."""
    return table_of(sorted(outcomes, key=urgency), AT_A_GLANCE)


def urgency(outcome: ClaimResult) -> tuple[bool, int]:
    """The sort key: unexpected verdicts first, then by verdict."""
    return not outcome.unexpected, _URGENCY.index(outcome.verdict)


# The colour of each verdict, the most urgent one first.
_TONES: Mapping[ClaimVerdict, Tone] = {
    ClaimVerdict.FAILS: "bad",
    ClaimVerdict.UNCLEAR: "doubtful",
    ClaimVerdict.EXPLAINED: "doubtful",
    ClaimVerdict.UNMEASURED: "",
    ClaimVerdict.HOLDS: "good",
}
_URGENCY = tuple(_TONES)


def _json(outcomes: Sequence[ClaimResult]) -> str:
    return json.dumps({"claims": [plain(outcome) for outcome in outcomes]}, indent=1, ensure_ascii=False) + "\n"


# One row per claim.


def _judged(outcome: ClaimResult) -> list[CheckResult]:
    """The checks that count in the claim's verdict."""
    return [part for part in outcome.judged if not part.check.aside]


def _joined(texts: Iterable[str]) -> str:
    """The texts, each once; beyond `MOST_PARTS` only their number."""
    parts = list(dict.fromkeys(text for text in texts if text))
    more = f" … ({len(parts) - MOST_PARTS} more)" if len(parts) > MOST_PARTS else ""
    return "; ".join(parts[:MOST_PARTS]) + more


def _of(value: Callable[[CheckFinding], str]) -> Callable[[ClaimResult], str]:
    return lambda outcome: _joined(value(part.finding) for part in _judged(outcome))


def _ratio(outcome: ClaimResult) -> CellValue:
    """Found over expected: of all checks the ratio farthest from 1."""
    ratios = [part.finding.ratio for part in _judged(outcome) if part.finding.ratio is not None]
    if not ratios:
        return ""  # an order or a law has no ratio
    return max(ratios, key=lambda ratio: abs(log(ratio)) if ratio > 0 else float("inf"))


def verdict_of(outcome: ClaimResult) -> str:
    """The verdict; if it is not the expected one, both."""
    expected = outcome.entry.claim.expects
    return str(outcome.verdict) if outcome.is_expected else f"{outcome.verdict}, expected {expected}"


def reasons(outcome: ClaimResult) -> str:
    return _joined(part.finding.reason for part in _judged(outcome))


def source(outcome: ClaimResult) -> str:
    return f"{outcome.entry.paper.source}, {outcome.entry.claim.where}"


def sentence(outcome: ClaimResult) -> str:
    """The claim in English, with the original sentence if there is one."""
    claim = outcome.entry.claim
    if claim.original is None:
        return claim.sentence
    return f"{claim.sentence} “{claim.original.text}”{'' if claim.original.exact else ' (paraphrased)'}"


def counted(outcome: ClaimResult) -> str:
    return _joined(part.finding.found for part in _judged(outcome) if part.finding.origin == "counted")


def measured(outcome: ClaimResult) -> str:
    """Our own measurements, with device and day; one that is not evidence for the claim is marked so."""
    return _joined(part.finding.here for part in _judged(outcome))


def published(outcome: ClaimResult) -> str:
    if outcome.published is None:
        return ""
    parts = [part.published for part in _judged(outcome) if part.published and part.published.settings]
    return f"{outcome.published} (published): {_joined(part.found for part in parts)}"


COLUMNS: tuple[Column[ClaimResult], ...] = (
    Column("id", "claim", lambda outcome: outcome.entry.claim.id, least=34),
    Column("sentence", "sentence", sentence, least=40),
    Column("expected", "expected", _of(lambda finding: finding.expected)),
    Column("found", "counted", counted),
    Column("measured", "measured by us", measured),
    Column("ratio", "ratio", _ratio, RATIO),
    Column("verdict", "verdict", verdict_of, tone=lambda outcome: _TONES[outcome.verdict]),
    Column("why", "why", reasons, least=40),
    Column("command", "to measure it", lambda outcome: outcome.command),
    Column("published", "published by others", published),
    Column("source", "source", source),
)


_FIRST = ("verdict", "id", "expected", "found", "source", "ratio", "sentence", "why", "command", "published")
_OWN: Mapping[str, Column[ClaimResult]] = {
    "found": Column("found", "found", lambda outcome: counted(outcome) or measured(outcome) or published(outcome)),
    "source": Column(
        "source", "source", lambda outcome: f"{outcome.entry.claim.where}, {outcome.entry.paper.source}", least=20
    ),
}
# For people: the first columns tell most.
AT_A_GLANCE: tuple[Column[ClaimResult], ...] = tuple(
    _OWN.get(key) or next(column for column in COLUMNS if column.key == key) for key in _FIRST
)


def table_of(outcomes: Sequence[ClaimResult], columns: Sequence[Column[ClaimResult]] = COLUMNS) -> Table:
    return tabulate(outcomes, columns, caption=summary(outcomes))


def summary(outcomes: Sequence[ClaimResult]) -> str:
    """`107 claims: 70 holds, 14 explained, …; none unexpected`."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ClaimVerdict if counts[verdict])
    unexpected = sum(bool(outcome.unexpected) for outcome in outcomes)
    return f"{len(outcomes)} claims: {verdicts}; {unexpected or 'none'} unexpected."


# `bench check`: one row per number.

CHECKED: tuple[Column[ClaimResult], ...] = (
    Column("metric", "figure", lambda outcome: outcome.entry.claim.id),
    *(column for column in COLUMNS if column.key in ("expected", "found", "ratio")),
    Column("verdict", "verdict", lambda outcome: str(outcome.verdict)),
    Column("why", "why", reasons),
)


def answer_checked(outcomes: Sequence[ClaimResult]) -> Answer:
    """The answer of `bench check`: without sentence and source, which only repeat the command."""
    table = tabulate(outcomes, CHECKED)
    return replace(answer(outcomes), parts=lambda: [without_empty(table)], exact=lambda: [table])


# Published measurements.


def shown_by_others(outcomes: Iterable[ClaimResult]) -> list[Shown]:
    """The published findings that have at least one setting as evidence."""
    return [
        Shown(outcome, part, part.published)
        for outcome in outcomes
        for part in outcome.judged
        if part.published and part.published.settings
    ]


PUBLISHED: tuple[Column[Shown], ...] = (
    Column("id", "claim", lambda shown: shown.outcome.entry.claim.id),
    Column("expected", "claimed", lambda shown: shown.finding.expected),
    Column("found", "range over settings", lambda shown: shown.finding.found),
    Column("verdict", "verdict", lambda shown: f"{shown.finding.verdict} (published)"),
    Column("why", "why", lambda shown: shown.finding.reason),
    Column(
        "note",
        "note",
        lambda shown: "; ".join(filter(None, ["informational" * shown.part.check.aside, shown.part.check.note])),
    ),
)


def _published(outcomes: Sequence[ClaimResult]) -> Table:
    return tabulate(
        shown_by_others(outcomes), PUBLISHED, title="Measured by others", caption="Published measurements, not ours."
    )


# JSON.


def plain(outcome: ClaimResult) -> dict[str, Any]:
    """A claim's result as plain data for JSON."""
    entry = outcome.entry
    return {
        "id": entry.claim.id,
        "sentence": entry.claim.sentence,
        "original": entry.claim.original.text if entry.claim.original else None,
        "paper": entry.paper.key,
        "source": source(outcome),
        "verdict": str(outcome.verdict),
        "expects": str(entry.claim.expects),
        "published": str(outcome.published) if outcome.published else None,
        "surprises": list(outcome.unexpected),
        "command": outcome.command or None,
        "checks": [
            {
                "kind": part.check.kind,
                "aside": part.check.aside,
                "note": part.check.note,
                "finding": _finding(part.finding),
                "published": _finding(part.published) if part.published else None,
            }
            for part in outcome.judged
        ],
    }


def _finding(finding: CheckFinding) -> dict[str, Any]:
    return {
        "verdict": str(finding.verdict),
        "expected": finding.expected,
        "found": finding.found,
        "expected_value": finding.expected_value,
        "found_value": finding.found_value,
        "ratio": finding.ratio,
        "reason": finding.reason,
        "here": finding.here,
        "settings": finding.settings,
        "working": list(finding.working),
    }
