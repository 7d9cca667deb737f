"""The decision rule: which of two is faster (or uses less energy), by how much, how sure.

Every ratio is A over B and per image: 0.8 means that A takes four fifths of the
time. The verdict comes from the confidence interval alone, which holds at 99 %
over both interim analyses together (Bonferroni): the first after half of the
rounds, the second after all rounds if the first does not decide. From nine
rounds on it is the interval of the Wilcoxon signed-rank test. With fewer rounds
it is a t-interval, which one round disturbed by another process would ruin.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from backbone_bench.records import Known, Latency, Missing, Record, known
from backbone_bench.records.flags import Finding
from backbone_bench.records.quantities import EAGER, EXACT, QUANTITIES, Quantity, turns
from backbone_bench.stats import ratios
from backbone_bench.stats.ratios import Ratio

FEWEST, USUAL = 4, 12  # rounds
THRESHOLD = 0.03  # the least difference that matters, as a share
SLOW_CALL_S = 0.5  # a turn of such calls is longer than most disturbances
FAULTS, FAULTS_SHARE = 20, 0.05  # page faults of a call by which two processes may differ

By = Literal["work", "wall", "device", "graph", "energy"]  # work: the device's own, see `Record.device_work`
SpeedVerdict = Literal["less", "more", "no_difference", "unclear"]  # of A's time or energy against B's


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """When to run an interim analysis, and which difference counts."""

    rounds: int = USUAL
    threshold: float = THRESHOLD
    bound: float = 1.0  # the ratio is compared with this value
    family: int = 1  # ratios whose confidence intervals hold together

    @property
    def interims(self) -> tuple[int, ...]:
        """Rounds before each interim analysis; a half is made even, so that both sides go first equally often."""
        half = 2 * (self.rounds // 4)
        return (half, self.rounds) if half >= FEWEST else (self.rounds,)

    def ratio(self, pairs: Sequence[ratios.Pair]) -> Ratio:
        """The ratio with the confidence interval of one interim analysis."""
        return ratios.interim_ratio(pairs, len(self.interims) * self.family)

    def is_over(self, pairs: Sequence[ratios.Pair]) -> bool:
        """Whether these rounds are all, or an interim analysis after them decides.

        If time is up earlier, the last analysis comes early, and is no less certain.
        """
        if len(pairs) >= self.rounds:
            return True
        return len(pairs) in self.interims and self.verdict(self.ratio(pairs)) != "unclear"

    def verdict(self, ratio: Ratio) -> SpeedVerdict:
        """Verdict from the confidence interval alone: within the threshold, on one side of the bound, or unclear."""
        low, high = ratio.low / self.bound, ratio.high / self.bound
        if low >= 1 / (1 + self.threshold) and high <= 1 + self.threshold:
            return "no_difference"
        if high < 1:
            return "less"
        return "more" if low > 1 else "unclear"


@dataclass(frozen=True, slots=True)
class ComparisonQuestion:
    """The quantity to compare and the decision rule."""

    by: By = "wall"
    rule: DecisionRule = field(default_factory=DecisionRule)
    budget_s: float | None = None  # for the whole comparison; None: whatever the rounds take


def decide(rule: DecisionRule, rounds: Iterable[ratios.Pair]) -> tuple[ratios.Pair, ...]:
    """Take rounds until an interim analysis decides, or there are no more."""
    pairs: list[ratios.Pair] = []
    for pair in rounds:
        pairs.append(pair)
        if rule.is_over(pairs):
            break
    return tuple(pairs)


# Quantities to compare.


_QUANTITIES: Mapping[By, Quantity] = {
    "work": QUANTITIES["device_work_s"],
    "wall": QUANTITIES["wall_s"],
    "device": QUANTITIES["device_s"],
    "graph": QUANTITIES["graph_s"],
    "energy": QUANTITIES["gross_per_image_j"],
}


def quantity(by: By) -> Quantity:
    """The quantity to compare: seconds or joules per image."""
    return _QUANTITIES[by]


def flags(record: Record, by: By) -> tuple[str, ...]:
    """Flags of the record and of the measurement of this quantity, each once."""
    part = record.energy if by == "energy" else record.device_work if by == "work" else _mode(record, by)
    taken = quantity(by).taken
    eager = (EAGER,) if taken and taken(record) == EAGER else ()
    return tuple(dict.fromkeys((*record.flags, *(() if isinstance(part, Missing) else part.flags), *eager)))


def _mode(record: Record, by: Literal["wall", "device", "graph"]) -> Known[Latency]:
    if isinstance(record.latency, Missing):
        return record.latency
    return {"wall": record.latency.wall, "device": record.latency.device, "graph": record.latency.graph}[by]


def values(
    rounds: Iterable[Sequence[Record]], quantity: Quantity, *, per_image: bool = True
) -> Known[list[ratios.Pair]]:
    """One quantity of the first two records of each round as pairs, in order; Missing if any record lacks it."""
    found = []
    for a, b, *_ in rounds:
        pair = value_pair(a, b, quantity, per_image=per_image)
        if isinstance(pair, Missing):
            return pair
        found.append(pair)
    return found


def value_pair(a: Record, b: Record, quantity: Quantity, *, per_image: bool) -> Known[ratios.Pair]:
    """One quantity of two records; of two that took turns, the ratio is that of their turns."""
    numerator, denominator = (quantity.per_image(one) if per_image else quantity.of(one) for one in (a, b))
    if isinstance(numerator, Missing):
        return numerator
    if isinstance(denominator, Missing):
        return denominator
    if numerator <= 0 or denominator <= 0:
        return Missing("zero", "nothing was measured")
    return ratios.of_turns(ratios.Pair(float(numerator), float(denominator)), turns(a, b, quantity))


def cpu_pairs(a: Record, b: Record) -> list[ratios.Pair]:
    """CPU time of a call per image in each turn of a live round, where one thread does all the work; else none.

    Threads that wait for others may spin, and a GPU works by itself: their CPU time says nothing.
    """
    per_image = []
    for one in (a, b):
        if one.live is None or not one.environment.is_host or one.workload.threads != 1:
            return []
        per_image.append([cpu_s / one.workload.batch for cpu_s in one.live.cpu_s])
    return [ratios.Pair(*each) for each in zip(*per_image, strict=True) if all(each)]


def cpu_pair(a: Record, b: Record) -> ratios.Pair | None:
    """CPU time of a call per image in a live round as one pair; None if it says nothing."""
    taken = cpu_pairs(a, b)
    if not taken:
        return None
    medians = ratios.Pair(*(statistics.median(side) for side in zip(*taken, strict=True)))
    return ratios.of_turns(medians, taken)


def seen_in_turns(a: Record, b: Record) -> Iterator[Finding]:
    """What the turns of a live round show that lessens what their ratio says."""
    walls = [one.latency.wall for one in (a, b) if one.live is not None and not isinstance(one.latency, Missing)]
    if any(not isinstance(wall, Missing) and wall.median_s > SLOW_CALL_S for wall in walls):
        yield "slow_turns"
    faults = [per_call for one in (a, b) if (per_call := _faults_per_call(one)) is not None]
    if len(faults) == 2 and max(faults) - min(faults) > max(FAULTS, FAULTS_SHARE * max(faults)):
        yield "faults_differ"


def _faults_per_call(record: Record) -> float | None:
    """Minor page faults of one call in turns; None if the calls are not known."""
    if record.live is None or isinstance(record.latency, Missing) or isinstance(record.latency.wall, Missing):
        return None
    calls = record.latency.wall.n + len(record.live.discarded_s)
    return sum(record.live.minor_faults) / calls if calls else None


def counts(record: Record) -> Mapping[str, float]:
    """Counts per image by the key of the quantity; empty if the model was not counted."""
    if isinstance(record.cost, Missing):
        return {}
    return {count.key: known(count.per_image(record)) for count in EXACT}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a comparison: both sides, the pairs of all rounds and the flags."""

    a: Record  # of the first round
    b: Record
    question: ComparisonQuestion
    pairs: tuple[ratios.Pair, ...]  # A over B, round by round
    flags: Mapping[str, int] = field(default_factory=dict)  # flags, and how many processes have each
    wall_pairs: tuple[ratios.Pair, ...] = ()  # what callers waited in the same rounds, if the device's work decides
    cpu_pairs: tuple[ratios.Pair, ...] = ()  # CPU time in the same rounds, if one thread of a CPU did the work

    @property
    def wall(self) -> Ratio | None:
        """The ratio of what callers wait, if the device's work decides."""
        return self.question.rule.ratio(self.wall_pairs) if self.wall_pairs else None

    @property
    def cpu(self) -> Ratio | None:
        """The ratio of CPU time: informational, because it holds no waiting."""
        return self.question.rule.ratio(self.cpu_pairs) if self.cpu_pairs else None

    @property
    def ratio(self) -> Ratio:
        return self.question.rule.ratio(self.pairs)

    @property
    def verdict(self) -> SpeedVerdict:
        return self.question.rule.verdict(self.ratio)

    @property
    def count_ratios(self) -> Mapping[str, float]:
        """A over B for every count that both sides have and that is not 0 for B."""
        a, b = counts(self.a), counts(self.b)
        return {name: a[name] / b[name] for name in a if b.get(name)}
