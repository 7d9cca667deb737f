"""The report of `bench versus` on more than two models: a table of the ratios of every two, with joint intervals."""

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from backbone_bench.base.units import PLAIN
from backbone_bench.records import SCHEMA_VERSION
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.table import Column, tabulate
from backbone_bench.report.views.conditions import machine, shared
from backbone_bench.stats.ratios import CONFIDENCE
from backbone_bench.versus.compare import AskedPair
from backbone_bench.versus.report import names, verdict_value
from backbone_bench.versus.rule import Comparison, ComparisonQuestion, quantity

_WORDS = {"no_difference": "no difference", "unclear": "unclear"}


def every_two(count: int, question: ComparisonQuestion) -> list[AskedPair]:
    """Every two of so many jobs."""
    return [AskedPair(a, b, question) for a, b in combinations(range(count), 2)]


_COLUMNS = (
    Column[Comparison]("a", "A", lambda found: names(found).a),
    Column[Comparison]("b", "B", lambda found: names(found).b),
    Column[Comparison]("ratio", "A/B", lambda found: found.ratio.estimate, PLAIN),
    Column[Comparison]("ratio_low", "from", lambda found: found.ratio.low, PLAIN),
    Column[Comparison]("ratio_high", "to", lambda found: found.ratio.high, PLAIN),
    Column[Comparison]("verdict", "A is", lambda found: _WORDS.get(verdict_value(found), verdict_value(found))),
    Column[Comparison]("rounds", "rounds", lambda found: len(found.pairs), PLAIN),
)


def answer_of_many(found: Sequence[Comparison]) -> Answer:
    """The report in every format: one row for every two models."""
    first = found[0]
    records = [record for one in found for record in (one.a, one.b)]
    caption = f"{'; '.join((machine(first.a), *shared(records)))}."
    together = (
        f"The intervals hold for all {len(found)} ratios together with {CONFIDENCE * 100:.0f} % confidence; "
        f"no difference means: none above {first.question.rule.threshold * 100:g} %."
    )
    title = f"Ratios of {quantity(first.question.by).title}, every two models"
    table = tabulate(found, _COLUMNS, title=title, caption=f"{caption} {together}")
    return Answer(
        lambda: [table],
        exact=lambda: [tabulate(found, _COLUMNS)],
        json=lambda: json.dumps(_document(found), indent=1) + "\n",
    )


def _document(found: Sequence[Comparison]) -> dict[str, Any]:
    """The JSON document: base units, everything per image."""
    pairs = []
    for one in found:
        called, (estimate, low, high) = names(one), one.ratio
        pairs.append({
            "a": called.a,
            "b": called.b,
            "verdict": verdict_value(one),
            "ratio": estimate,
            "interval": [low, high],
            "rounds": [{"a": a, "b": b} for a, b in one.pairs],
        })  # fmt: skip
    rule = found[0].question.rule
    return {
        "schema_version": SCHEMA_VERSION,
        "by": found[0].question.by,
        "confidence": CONFIDENCE,  # of all intervals together
        "threshold": rule.threshold,
        "pairs": pairs,
    }
