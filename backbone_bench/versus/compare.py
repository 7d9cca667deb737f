"""Compare jobs: take rounds until the rule decides, or the rounds or the time are over."""

import math
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.base.progress import ProgressCallback, of_whole
from backbone_bench.jobs.job import Job
from backbone_bench.records import Missing, Record
from backbone_bench.run.live import NoRoom, SideFailed
from backbone_bench.stats import ratios
from backbone_bench.versus.rotations import MOST_LIVE, packed
from backbone_bench.versus.rounds import Allowance, RoundPlace, TakeRound
from backbone_bench.versus.rule import (
    FEWEST,
    Comparison,
    ComparisonQuestion,
    DecisionRule,
    cpu_pair,
    flags,
    quantity,
    seen_in_turns,
    value_pair,
    values,
)

KeepRecord = Callable[[Record], None]


class AskedPair(NamedTuple):
    """Two of several jobs, by their places, and the question about them."""

    a: int
    b: int
    question: ComparisonQuestion


def compare_paired(
    sides: tuple[Job, Job],
    question: ComparisonQuestion,
    on_progress: ProgressCallback,
    take: TakeRound,
    keep: KeepRecord = lambda record: None,
) -> Comparison:
    """Compare two jobs. Raises CouldNotMeasure if a side fails or a record lacks the quantity."""
    (found,) = compare_rotating(sides, [AskedPair(0, 1, question)], on_progress, take, keep)
    if isinstance(found, CouldNotMeasure):
        raise found
    return found


def compare_rotating(
    jobs: Sequence[Job],
    asked: Sequence[AskedPair],
    on_progress: ProgressCallback,
    take: TakeRound,
    keep: KeepRecord = lambda record: None,
) -> list[Comparison | CouldNotMeasure]:
    """Compare pairs of jobs in common rounds, until each pair is decided or all rounds are over.

    A job that no open pair needs takes no part in later rounds. Jobs that do not fit in memory together take part in
    rounds of half as many, one after the other, and share the time that is left. A failure is the result of the pairs
    that it concerns. `keep` gets the records of every round as soon as it is over. The progress has the interval so
    far; only the planned analyses decide.
    """
    pairings = [_Pairing(one) for one in asked]
    budget_s = max(one.question.budget_s or math.inf for one in asked)
    waiting = _shared_out(pairings, MOST_LIVE, budget_s)
    while waiting:
        rotation = waiting[0]
        left = sum(len(one.pairings) for one in waiting)
        progress = of_whole(on_progress, len(pairings) - left, len(pairings), len(rotation.pairings))
        try:
            rotation.run(jobs, take, keep, progress)
        except NoRoom:
            waiting[:1] = rotation.split()
        else:
            del waiting[0]
    return [pairing.result() for pairing in pairings]


@dataclass(slots=True)
class _Rotation:
    """Pairs that share their rounds."""

    pairings: "Sequence[_Pairing]"
    budget_s: float
    _allowance: Allowance = field(init=False)

    def __post_init__(self) -> None:
        self._allowance = Allowance(self.budget_s, max(one.rule.interims[0] for one in self.pairings))

    def run(self, jobs: Sequence[Job], take: TakeRound, keep: KeepRecord, on_progress: ProgressCallback) -> None:
        """Take the rounds. Raises NoRoom if the jobs do not fit in memory together."""
        rounds, comparison, number = max(one.rule.rounds for one in self.pairings), str(uuid.uuid4()), 0
        while (running := self._running()) and not self._allowance.is_over:
            needed = sorted({place for pairing in running for place in pairing.places})
            so_far = running[0].so_far() if len(self.pairings) == 1 else ""
            place = RoundPlace(comparison, number + 1, self._allowance.next_s(), so_far)
            try:
                records = take([jobs[one] for one in needed], place, of_whole(on_progress, number, rounds))
            except SideFailed as failed:
                for pairing in running:
                    pairing.fail(needed[failed.place], failed)
                continue
            for record in records:
                keep(record)
            taken = dict(zip(needed, records, strict=True))
            for pairing in running:
                pairing.add(*(taken[one] for one in pairing.places))
            self._allowance.took_one()
            number += 1

    def split(self) -> "list[_Rotation]":
        """The same in rotations of half as many jobs, which share the time that is left."""
        running = self._running()
        most = max(2, len({place for pairing in running for place in pairing.places}) // 2)
        return _shared_out(running, most, self._allowance.left_s)

    def _running(self) -> "list[_Pairing]":
        return [pairing for pairing in self.pairings if not pairing.is_over]


def _shared_out(pairings: "Sequence[_Pairing]", most: int, budget_s: float) -> list[_Rotation]:
    """The pairs in rotations of at most `most` jobs, each with its share of the time."""
    groups = [[pairings[number] for number in group] for group in packed([one.places for one in pairings], most)]
    return [_Rotation(group, budget_s * len(group) / len(pairings)) for group in groups]


class _Pairing:
    """The rounds of one pair so far."""

    def __init__(self, asked: AskedPair) -> None:
        self.places, self._question = (asked.a, asked.b), asked.question
        self.rule = asked.question.rule
        self._taken: list[tuple[Record, Record]] = []
        self._pairs: list[ratios.Pair] = []
        self._failure: CouldNotMeasure | None = None

    @property
    def is_over(self) -> bool:
        return self._failure is not None or (bool(self._pairs) and self.rule.is_over(self._pairs))

    def add(self, a: Record, b: Record) -> None:
        """Add a round; a record that lacks the quantity is a failure."""
        try:
            self._pairs.append(_pair((a, b), self._question))
        except CouldNotMeasure as failure:
            self._failure = failure
        else:
            self._taken.append((a, b))

    def fail(self, place: int, failure: CouldNotMeasure) -> None:
        if place in self.places:
            self._failure = failure

    def so_far(self) -> str:
        return _so_far(self.rule, self._pairs)

    def result(self) -> Comparison | CouldNotMeasure:
        """The comparison. A failure after rounds that can be judged ends them early, and they are judged."""
        if not self._pairs or (self._failure is not None and len(self._pairs) < FEWEST):
            return self._failure or CouldNotMeasure("There was no time for a round.")
        question = self._question
        raised = Counter(flag for pair in self._taken for record in pair for flag in flags(record, question.by))
        raised.update(flag for pair in self._taken for flag in seen_in_turns(*pair) for _ in pair)
        cpu = [] if question.by == "energy" else [cpu_pair(a, b) for a, b in self._taken]
        worked = tuple(pair for pair in cpu if pair is not None)
        waits = _waits(self._taken, question)
        return Comparison(*self._taken[0], question, tuple(self._pairs), raised, waits, worked)


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
