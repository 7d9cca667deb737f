"""The report of `bench versus`: one sentence on the measured ratio, one on the counts, and the numbers of both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any, NamedTuple

from backbone_bench.records import SCHEMA_VERSION, Missing, meanings
from backbone_bench.records.quantities import QUANTITIES, WORDS
from backbone_bench.report.tables.answer import Answer, AnswerPart, Paragraph
from backbone_bench.report.tables.table import tabulate
from backbone_bench.report.views.beside import EXACT, RatioRow, columns
from backbone_bench.report.views.conditions import STARTED, differing, machine, shared
from backbone_bench.stats.ratios import CONFIDENCE, Pair
from backbone_bench.versus.rule import By, Comparison, SpeedVerdict, counts, quantity

_SAME = 0.01  # counts that differ by less than this share count as equal


class SideNames(NamedTuple):
    """The names of the two sides in the report."""

    a: str
    b: str


def names(found: Comparison) -> SideNames:
    """Names of both sides: the models and the conditions that differ; if nothing differs, A and B."""
    sides = found.a, found.b
    conditions = [condition for condition in differing(sides) if condition.key != STARTED.key]
    if conditions:
        return SideNames(
            *(f"{side.workload.model} ({', '.join(one.in_words(side) for one in conditions)})" for side in sides)
        )
    a, b = (side.workload.model for side in sides)
    return SideNames(a, b) if a != b else SideNames(f"{a} (A)", f"{b} (B)")


# Sentences.

_COSTS: Mapping[By, str] = {"energy": "uses {} times the energy", "work": "takes {} times the device work"}


def verdict(found: Comparison, called: SideNames) -> str:
    """`resnet18 is faster than resnet34: it takes 0.546 times as long (99 % confidence interval 0.541 to 0.551, …).`"""
    a, b = called
    low, estimate, high = (_plain(value) for value in (found.ratio.low, found.ratio.estimate, found.ratio.high))
    cost = _COSTS.get(found.question.by, "takes {} times as long").format(estimate)
    sure = f"({CONFIDENCE * 100:.0f} % confidence interval {low} to {high}, {len(found.pairs)} rounds)"
    waits = _waits(found)
    match found.verdict:
        case "no_difference":
            return f"No difference above {_threshold(found)} between {a} and {b}: the first {cost} {sure}{waits}."
        case "unclear":
            return f"Unclear which of {a} and {b} {_phrase('less', found.question.by)}: the first {cost} {sure}{waits}."
        case decided:
            return f"{a} {_phrase(decided, found.question.by)} than {b}: it {cost} {sure}{waits}."


def _waits(found: Comparison) -> str:
    """What callers wait, as the end of a sentence on the device's work; empty if both have one verdict."""
    wall = found.wall
    if wall is None or found.question.rule.verdict(wall) == found.verdict:
        return ""
    low, estimate, high = map(_plain, (wall.low, wall.estimate, wall.high))
    shares = [side.latency.launch_bound for side in (found.a, found.b) if not isinstance(side.latency, Missing)]
    known = [share for share in shares if not isinstance(share, Missing)]
    why = f", as the GPU waits for Python in up to {100 * max(known):.0f} % of a call" if known else ""
    return f", but its caller waits {estimate} times as long ({low} to {high}){why}"


def expectation(found: Comparison, called: SideNames) -> str:
    """One sentence: which verdict the counts alone would predict, and whether the measurement agrees."""
    ratios = found.count_ratios
    less = _listed({name: ratio for name, ratio in ratios.items() if ratio < 1 - _SAME})
    more = _listed({name: ratio for name, ratio in ratios.items() if ratio > 1 + _SAME})
    if_less, if_more = (_phrase(decided, found.question.by) for decided in ("less", "more"))
    if less and more:
        return (
            f"From {less} one would expect that {called.a} {if_less}, "
            f"from {more} that it {if_more}{_against_both(found)}"
        )
    if less:
        return f"From {less} one would expect that {called.a} {if_less}{_against(found, 'less')}"
    if more:
        return f"From {more} one would expect that {called.a} {if_more}{_against(found, 'more')}"
    if ratios:
        return f"The counts are the same, so one would expect no difference{_against(found, None)}"
    return "Nothing was counted, so the counts predict nothing."


def sizes(found: Comparison) -> str:
    """How much: `FLOPs predicted 0.39, memory access 0.57; measured 0.85 (0.75 to 0.97).`"""
    (first, ratio), *more = found.count_ratios.items() or [("", 1.0)]
    if not first:
        return ""
    predicted = [f"{QUANTITIES[first].title} predicted {_plain(ratio)}"]
    predicted += [f"{QUANTITIES[name].title} {_plain(ratio)}" for name, ratio in more]
    low, estimate, high = map(_plain, (found.ratio.low, found.ratio.estimate, found.ratio.high))
    return f"{', '.join(predicted)}; measured {estimate} ({low} to {high})."


def _disagreement(found: Comparison) -> str:
    """Why the medians of A and B do not have the ratio that was found; empty if they do."""
    a, b = _medians(found.pairs)
    if found.ratio.low <= a / b <= found.ratio.high:
        return ""
    return (
        f"The medians above have the ratio {_plain(a / b)}: each is of all rounds, and the machine changed its pace "
        "between rounds. The ratio found is that within each round, which such a change does not touch."
    )


def _listed(ratios: Mapping[str, float]) -> str:
    """`FLOPs (0.69×) and memory access (0.57×)`."""
    words = [f"{QUANTITIES[name].title} ({_plain(ratio)}×)" for name, ratio in ratios.items()]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _against(found: Comparison, expected: SpeedVerdict | None) -> str:
    """End of the sentence if all counts predict the same."""
    match found.verdict:
        case "unclear":
            return "; the measurement leaves it unclear."
        case "no_difference":
            words = ", and there is none" if expected is None else ", but there is no difference"
            return f"{words} above {_threshold(found)}."
        case decided if decided == expected:
            return ", and it does." if found.question.by == "energy" else ", and it is."
        case decided:
            return f", but {'the first' if expected is None else 'it'} {_phrase(decided, found.question.by)}."


def _against_both(found: Comparison) -> str:
    """End of the sentence if some counts predict one verdict and some the other."""
    match found.verdict:
        case "unclear":
            return "; the measurement leaves it unclear."
        case "no_difference":
            return f"; there is no difference above {_threshold(found)}."
        case decided:
            return f"; it {_phrase(decided, found.question.by)}."


def _phrase(decided: SpeedVerdict, by: By) -> str:
    """The verdict as a verb phrase: `is faster`, `uses less energy`."""
    words = WORDS["energy" if by == "energy" else "latency"]
    return words.worse if decided == "more" else words.better


def verdict_value(found: Comparison) -> str:
    """The verdict as JSON has it."""
    if found.verdict not in ("less", "more"):
        return found.verdict
    less, more = ("thriftier", "hungrier") if found.question.by == "energy" else ("faster", "slower")
    return less if found.verdict == "less" else more


def _threshold(found: Comparison) -> str:
    return f"{found.question.rule.threshold * 100:g} %"


def _plain(value: float) -> str:
    """The value with three significant digits."""
    return f"{value:#.3g}" if value < 1000 else f"{value:.0f}"


# Tables and documents.


def answer(found: Comparison) -> Answer:
    """The report in every format: the verdict above its table and the expectation below; CSV and JSON for programs."""
    called = names(found)

    def parts() -> list[AnswerPart]:
        shown = columns("per image", *called)
        table = tabulate(_figures(found), shown, title=verdict(found, called), caption=_caption(found))
        said = (f"{expectation(found, called)} {sizes(found)}".rstrip(), _disagreement(found), _flags(found))
        return [table, *map(Paragraph, filter(None, said))]

    return Answer(
        parts,
        exact=lambda: [tabulate(_figures(found), EXACT)],
        json=lambda: json.dumps(_document(found, called), indent=1) + "\n",
    )


def _caption(found: Comparison) -> str:
    """The machine, and the conditions that both sides share."""
    return f"{'; '.join((machine(found.a), *shared((found.a, found.b))))}."


def _flags(found: Comparison) -> str:
    """Flags of the processes, how many processes have each, and what it means; empty if there are none."""
    counts = ", ".join(f"{flag} in {count}" for flag, count in found.flags.items())
    return counts and f"Flags of the {2 * len(found.pairs)} processes: {counts}. {meanings(found.flags)}".rstrip()


def _figures(found: Comparison) -> Sequence[RatioRow]:
    a, b = counts(found.a), counts(found.b)
    counted = [
        RatioRow(name, QUANTITIES[name].title, QUANTITIES[name].unit, a[name], b[name], ratio, ratio, ratio)
        for name, ratio in found.count_ratios.items()
    ]
    by, measured = found.question.by, quantity(found.question.by)
    key = f"{by}_per_image_{WORDS['energy' if by == 'energy' else 'latency'].base_unit}"
    rows = [*counted, RatioRow(key, measured.title, measured.unit, *_medians(found.pairs), *found.ratio)]
    if found.wall is not None:
        wall = quantity("wall")
        rows.append(RatioRow("wall_per_image_s", wall.title, wall.unit, *_medians(found.wall_pairs), *found.wall))
    if found.cpu is not None:
        unit = quantity("wall").unit
        rows.append(RatioRow("cpu_per_image_s", "CPU time", unit, *_medians(found.cpu_pairs), *found.cpu))
    return rows


def _medians(pairs: Sequence[Pair]) -> tuple[float, float]:
    return median(pair.numerator for pair in pairs), median(pair.denominator for pair in pairs)


def _document(found: Comparison, called: SideNames) -> dict[str, Any]:
    """The JSON document: base units, everything per image."""
    figures = {row.key: {"a": row.a, "b": row.b, "ratio": row.ratio} for row in _figures(found)}
    return {
        "schema_version": SCHEMA_VERSION,
        "a": {"name": called.a, "workload": asdict(found.a.workload)},
        "b": {"name": called.b, "workload": asdict(found.b.workload)},
        "environment": asdict(found.a.environment),
        "by": found.question.by,
        "verdict": verdict_value(found),
        "ratio": found.ratio.estimate,
        "interval": [found.ratio.low, found.ratio.high],
        "confidence": CONFIDENCE,
        "threshold": found.question.rule.threshold,
        "rounds": [{"a": a, "b": b} for a, b in found.pairs],
        "per_image": figures,
        "flags": dict(found.flags),
        "sentences": [text for text in (verdict(found, called), expectation(found, called), sizes(found)) if text],
    }
