"""Which of two is faster (or hungrier), by how much, how sure.

Everything is A over B and per image: 0.8 means that A takes four fifths of the
time. The verdict comes from the interval alone, and the interval holds at 99 %
over both looks together (Bonferroni): a first look after a third of the rounds,
a second after all, where the first does not decide. From nine rounds on it is
the interval of Wilcoxon's signed ranks: one round with a neighbour on the
machine would ruin the t-interval that the first look has to make do with.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from backbone_bench.records import Known, Missing, Record, known
from backbone_bench.records.quantities import EXACT, QUANTITIES, Quantity
from backbone_bench.stats import ratios
from backbone_bench.stats.ratios import Ratio

FEWEST, USUAL = 4, 18  # rounds
THRESHOLD = 0.03  # the least difference that matters, as a share

By = Literal["wall", "device", "graph", "energy"]
SpeedVerdict = Literal["less", "more", "no_difference", "unclear"]  # of A's time or energy against B's


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """When to look, and what is called a difference."""

    rounds: int = USUAL
    threshold: float = THRESHOLD
    bound: float = 1.0  # what the ratio is held against

    @property
    def interims(self) -> tuple[int, ...]:
        """After how many rounds; a third is made even, so that each side goes first as often as the other."""
        third = 2 * (self.rounds // 6)
        return (third, self.rounds) if third >= FEWEST else (self.rounds,)

    def ratio(self, pairs: Sequence[ratios.Pair]) -> Ratio:
        """The ratio with the interval of one look."""
        return ratios.interim_ratio(pairs, len(self.interims))

    def verdict(self, ratio: Ratio) -> SpeedVerdict:
        """From the interval alone: within the threshold on both sides, beyond one, or neither."""
        low, high = ratio.low / self.bound, ratio.high / self.bound
        if low >= 1 / (1 + self.threshold) and high <= 1 + self.threshold:
            return "no_difference"
        if high < 1:
            return "less"
        return "more" if low > 1 else "unclear"


@dataclass(frozen=True, slots=True)
class ComparisonQuestion:
    """What is compared, and by which rule."""

    by: By = "wall"
    rule: DecisionRule = field(default_factory=DecisionRule)


def decide(rule: DecisionRule, more: Callable[[int], Sequence[ratios.Pair]]) -> tuple[ratios.Pair, ...]:
    """The pairs after the first look that decides, else after the last; `more` measures so many further rounds."""
    pairs: tuple[ratios.Pair, ...] = ()
    for look in rule.interims:
        pairs += tuple(more(look - len(pairs)))
        if rule.verdict(rule.ratio(pairs)) != "unclear":
            break
    return pairs


# What is compared.


_QUANTITIES: Mapping[By, Quantity] = {
    "wall": QUANTITIES["wall_s"],
    "device": QUANTITIES["device_s"],
    "graph": QUANTITIES["graph_s"],
    "energy": QUANTITIES["gross_per_image_j"],
}


def quantity(by: By) -> Quantity:
    """The quantity that is compared: seconds or joules of an image."""
    return _QUANTITIES[by]


def flags(record: Record, by: By) -> tuple[str, ...]:
    """What was odd when the quantity was measured."""
    mode = None if by == "energy" or isinstance(record.latency, Missing) else getattr(record.latency, by)
    energy = record.energy if by == "energy" else None
    own = tuple(flag for part in (mode, energy) if part and not isinstance(part, Missing) for flag in part.flags)
    return tuple(dict.fromkeys((*record.flags, *own)))


def values(
    rounds: Iterable[tuple[Record, Record]], quantity: Callable[[Record], Known[float]]
) -> Known[list[ratios.Pair]]:
    """One quantity of the two records of each round, in their order; Missing where any record lacks it."""
    found = []
    for one, other in rounds:
        numerator, denominator = quantity(one), quantity(other)
        if isinstance(numerator, Missing):
            return numerator
        if isinstance(denominator, Missing):
            return denominator
        found.append(ratios.Pair(numerator, denominator))
    return found


def counts(record: Record) -> Mapping[str, float]:
    """What an image costs on paper, by the quantity's key; empty where it was not counted."""
    if isinstance(record.cost, Missing):
        return {}
    return {one.key: known(one.per_image(record)) for one in EXACT}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, measured in turn."""

    a: Record  # of the first round
    b: Record
    question: ComparisonQuestion
    pairs: tuple[ratios.Pair, ...]  # A over B, round by round
    flags: Mapping[str, int] = field(default_factory=dict)  # what was odd, and in how many of the processes

    @property
    def ratio(self) -> Ratio:
        return self.question.rule.ratio(self.pairs)

    @property
    def verdict(self) -> SpeedVerdict:
        return self.question.rule.verdict(self.ratio)

    @property
    def count_ratios(self) -> Mapping[str, float]:
        """Of every count that both have and B has any of."""
        a, b = counts(self.a), counts(self.b)
        return {name: a[name] / b[name] for name in a if b.get(name)}
