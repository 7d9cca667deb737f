"""What `bench versus` found: one sentence on the clock, one on the counts, and the figures behind both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any, NamedTuple

from backbone_bench.records import SCHEMA_VERSION, meanings
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.report.tables.answer import Answer, AnswerPart, Paragraph
from backbone_bench.report.tables.table import tabulate
from backbone_bench.report.views.beside import EXACT, RatioRow, columns
from backbone_bench.report.views.conditions import STARTED, differing, machine, shared
from backbone_bench.stats.ratios import CONFIDENCE
from backbone_bench.versus.rule import By, Comparison, SpeedVerdict, counts, quantity

_SAME = 0.01  # counts as close as this lead nobody to expect anything


class SideNames(NamedTuple):
    """What the two sides are called."""

    a: str
    b: str


def names(found: Comparison) -> SideNames:
    """Their models, and what else differs; where nothing does, A and B."""
    sides = found.a, found.b
    unlike = [facet for facet in differing(sides) if facet.key != STARTED.key]
    if unlike:
        return SideNames(*(f"{side.workload.model} ({', '.join(one.said(side) for one in unlike)})" for side in sides))
    a, b = (side.workload.model for side in sides)
    return SideNames(a, b) if a != b else SideNames(f"{a} (A)", f"{b} (B)")


# In words.


def verdict(found: Comparison, called: SideNames) -> str:
    """`resnet18 is faster than resnet34: it takes 0.546 times as long (99 % interval 0.541 to 0.551, 6 rounds).`"""
    a, b = called
    low, point, high = (_plain(value) for value in (found.ratio.low, found.ratio.estimate, found.ratio.high))
    cost = f"draws {point} times the energy" if found.question.by == "energy" else f"takes {point} times as long"
    sure = f"({CONFIDENCE * 100:.0f} % interval {low} to {high}, {len(found.pairs)} rounds)"
    match found.verdict:
        case "no_difference":
            return f"No difference above {_threshold(found)} between {a} and {b}: the first {cost} {sure}."
        case "unclear":
            return f"Unclear which of {a} and {b} is {_word('less', found.question.by)}: the first {cost} {sure}."
        case told:
            return f"{a} is {_word(told, found.question.by)} than {b}: it {cost} {sure}."


def expectation(found: Comparison, called: SideNames) -> str:
    """One sentence: what the counts would have led one to expect, and whether it came so."""
    ratios = found.count_ratios
    less = _listed({name: ratio for name, ratio in ratios.items() if ratio < 1 - _SAME})
    more = _listed({name: ratio for name, ratio in ratios.items() if ratio > 1 + _SAME})
    lead = f"would have led one to expect {called.a} to be"
    fewer, higher = (_word(told, found.question.by) for told in ("less", "more"))
    if less and more:
        words = f"{less} {lead} {fewer}, {more} to be {higher}{_against_both(found)}"
    elif less or more:
        words = f"{less or more} {lead} {fewer if less else higher}{_against(found, 'less' if less else 'more')}"
    elif ratios:
        words = f"the counts are the same, which would have led one to expect no difference{_against(found, None)}"
    else:
        words = "nothing was counted, so there was nothing to expect."
    return words[0].upper() + words[1:]


def _listed(ratios: Mapping[str, float]) -> str:
    """`FLOPs (0.69×) and access (0.57×)`."""
    words = [f"{QUANTITIES[name].title} ({_plain(ratio)}×)" for name, ratio in ratios.items()]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _against(found: Comparison, expected: SpeedVerdict | None) -> str:
    """The end of the sentence where all counts agree."""
    match found.verdict:
        case "unclear":
            return "; these rounds cannot tell."
        case "no_difference":
            words = ", and there is none" if expected is None else ", but there is no difference"
            return f"{words} above {_threshold(found)}."
        case told if told == expected:
            return ", and it is."
        case told:
            return f", but {'the first' if expected is None else 'it'} is {_word(told, found.question.by)}."


def _against_both(found: Comparison) -> str:
    """The end of the sentence where counts disagree."""
    match found.verdict:
        case "unclear":
            return "; these rounds cannot tell."
        case "no_difference":
            return f"; there is no difference above {_threshold(found)}."
        case told:
            return f"; it is {_word(told, found.question.by)}."


def _word(told: SpeedVerdict, by: By) -> str:
    words = ("thriftier", "hungrier") if by == "energy" else ("faster", "slower")
    return words[told == "more"]


def _threshold(found: Comparison) -> str:
    return f"{found.question.rule.threshold * 100:g} %"


def _plain(value: float) -> str:
    """Three digits that count."""
    return f"{value:#.3g}" if value < 1000 else f"{value:.0f}"


# In figures.


def answer(found: Comparison) -> Answer:
    """The verdict above its figures and what was to be expected below; for programs the figures, or a document."""
    called = names(found)

    def parts() -> list[AnswerPart]:
        shown = columns("per image", *called)
        table = tabulate(_figures(found), shown, title=verdict(found, called), caption=_caption(found))
        return [table, *map(Paragraph, filter(None, (expectation(found, called), _odd(found))))]

    return Answer(
        parts,
        exact=lambda: [tabulate(_figures(found), EXACT)],
        json=lambda: json.dumps(_document(found, called), indent=1) + "\n",
    )


def _caption(found: Comparison) -> str:
    """The machine, and what both sides share."""
    return f"{'; '.join((machine(found.a), *shared((found.a, found.b))))}."


def _odd(found: Comparison) -> str:
    """What a reader must know of the processes; empty where nothing was odd."""
    said = ", ".join(f"{flag} in {count}" for flag, count in found.flags.items())
    return said and f"Of {2 * len(found.pairs)} processes: {said}. {meanings(found.flags)}".rstrip()


def _figures(found: Comparison) -> Sequence[RatioRow]:
    a, b = counts(found.a), counts(found.b)
    counted = [
        RatioRow(name, QUANTITIES[name].title, QUANTITIES[name].unit, a[name], b[name], ratio, ratio, ratio)
        for name, ratio in found.count_ratios.items()
    ]
    by, asked = found.question.by, quantity(found.question.by)
    key = f"{by}_per_image_{asked.key.rpartition('_')[2]}"
    middles = (median(pair.numerator for pair in found.pairs), median(pair.denominator for pair in found.pairs))
    return [*counted, RatioRow(key, by, asked.unit, *middles, *found.ratio)]


def _document(found: Comparison, called: SideNames) -> dict[str, Any]:
    """For programs: base units, everything per image."""
    figures = {row.key: {"a": row.a, "b": row.b, "ratio": row.ratio} for row in _figures(found)}
    return {
        "schema_version": SCHEMA_VERSION,
        "a": {"name": called.a, "workload": asdict(found.a.workload)},
        "b": {"name": called.b, "workload": asdict(found.b.workload)},
        "environment": asdict(found.a.environment),
        "by": found.question.by,
        "verdict": _word(found.verdict, found.question.by) if found.verdict in ("less", "more") else found.verdict,
        "ratio": found.ratio.estimate,
        "interval": [found.ratio.low, found.ratio.high],
        "confidence": CONFIDENCE,
        "threshold": found.question.rule.threshold,
        "rounds": [{"a": a, "b": b} for a, b in found.pairs],
        "per_image": figures,
        "flags": dict(found.flags),
        "sentences": [verdict(found, called), expectation(found, called)],
    }
