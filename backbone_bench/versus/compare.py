"""Compare two jobs: take rounds until the rule decides, or the rounds or the time are over."""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.base.progress import ProgressCallback, of_whole
from backbone_bench.jobs.job import Job
from backbone_bench.records import Missing, Record
from backbone_bench.stats import ratios
from backbone_bench.versus.rounds import Allowance, RoundPlace, TakeRound
from backbone_bench.versus.rule import (
    Comparison,
    ComparisonQuestion,
    DecisionRule,
    cpu_pair,
    decide,
    flags,
    quantity,
    value_pair,
    values,
)

KeepRecord = Callable[[Record], None]


def compare_paired(
    sides: tuple[Job, Job],
    question: ComparisonQuestion,
    on_progress: ProgressCallback,
    take: TakeRound,
    keep: KeepRecord = lambda record: None,
) -> Comparison:
    """Measure rounds of A and B until the rule decides or all are over. Raises CouldNotMeasure if a side fails.

    It is also raised if a record lacks the quantity. `keep` gets the records of every round as soon as it is over.
    The progress has the interval so far; only the planned analyses decide.
    """
    taken: list[Sequence[Record]] = []
    pairs: list[ratios.Pair] = []
    comparison, rule = str(uuid.uuid4()), question.rule
    allowance = Allowance(question.budget_s, rule.rounds)

    def measure(count: int) -> Sequence[ratios.Pair]:
        before = len(taken)
        while len(taken) < before + count and not allowance.is_over:
            place = RoundPlace(comparison, len(taken) + 1, allowance.next_s(), _so_far(rule, pairs))
            records = take(sides, place, of_whole(on_progress, len(taken), rule.rounds))
            for record in records:
                keep(record)
            taken.append(records)
            pairs.append(_pair(records, question))
            allowance.took_one()
        return pairs[before:]

    decided = decide(rule, measure)
    raised = Counter(flag for pair in taken for record in pair for flag in flags(record, question.by))
    a, b = taken[0]
    cpu = [] if question.by == "energy" else [cpu_pair(*records) for records in taken]
    worked = tuple(pair for pair in cpu if pair is not None)
    return Comparison(a, b, question, decided, raised, _waits(taken, question), worked)


def _pair(records: Sequence[Record], question: ComparisonQuestion) -> ratios.Pair:
    a, b = records
    compared = quantity(question.by)
    found = compared.refused(a, b) or value_pair(a, b, compared, per_image=True)
    if isinstance(found, Missing):
        instead = "; --by wall compares what callers wait" if question.by == "work" else ""
        raise CouldNotMeasure(f"{question.by} cannot be compared: {found.message}{instead}.")
    return found


def _so_far(rule: DecisionRule, pairs: Sequence[ratios.Pair]) -> str:
    """`so far A/B 1.02, 0.98 to 1.06`; empty with fewer than three pairs, whose spread means nothing."""
    if len(pairs) < 3:
        return ""
    ratio = rule.ratio(pairs)
    return f"so far A/B {ratio.estimate:#.3g}, {ratio.low:#.3g} to {ratio.high:#.3g}"


def _waits(rounds: Sequence[Sequence[Record]], question: ComparisonQuestion) -> tuple[ratios.Pair, ...]:
    """What callers waited in each round, if the device's work decides; on a CPU the two are the same."""
    if question.by != "work" or rounds[0][0].environment.is_host:
        return ()
    found = values(rounds, quantity("wall"))
    return () if isinstance(found, Missing) else tuple(found)
