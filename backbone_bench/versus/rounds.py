"""Run two jobs in alternating rounds: A B, B A, A B, … Each job of a round gets a fresh process.

Slow drift of the machine then affects both sides alike. Claims, the gate and
`bench versus` draw their own verdicts from the pairs.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count as counting
from typing import Literal, NamedTuple

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.base.progress import ProgressCallback, within
from backbone_bench.jobs.job import Job
from backbone_bench.records import Missing, Record, Turn
from backbone_bench.run.runner import JobResult, RunJob, run_isolated
from backbone_bench.stats import ratios
from backbone_bench.versus.rule import Comparison, ComparisonQuestion, decide, flags, quantity, values


class Round(NamedTuple):
    """The records of both sides of one round."""

    a: Record
    b: Record


def rounds(
    a: Job,
    b: Job,
    count: int,
    on_progress: ProgressCallback,
    runs: tuple[RunJob, RunJob] = (run_isolated, run_isolated),
) -> Sequence[Round]:
    """Run `count` rounds of both jobs, in alternating order. Raises CouldNotMeasure if a job fails.

    `runs` are the functions that run A and B, for example in two checkouts.
    `on_progress` gets the round and the share of all rounds that is over.
    """
    return _rounds((a, b), count, on_progress, runs)


def _rounds(
    sides: tuple[Job, Job], count: int, on_progress: ProgressCallback, runs: tuple[RunJob, RunJob], before: int = 0
) -> Sequence[Round]:
    """The rounds; the progress also names the number of rounds `before` them, if any."""
    after = f"after {before} rounds, " if before else ""
    pairs = []
    for number in range(count):
        records: dict[str, Record] = {}
        for place, side in enumerate("AB" if number % 2 == 0 else "BA"):
            job, run = (sides[0], runs[0]) if side == "A" else (sides[1], runs[1])
            step = f"{after}round {number + 1}, {side}"
            records[side] = _record(run(job, within(on_progress, step, 2 * number + place, 2 * count)))
        pairs.append(Round(records["A"], records["B"]))
    return pairs


def _record(outcome: JobResult) -> Record:
    """The record of a job that succeeded; raise CouldNotMeasure if it failed."""
    if outcome.failure is not None:
        raise CouldNotMeasure(f"{outcome.job}: {outcome.failure.message}")
    assert outcome.record is not None  # a job that has not failed has a record
    return outcome.record


KeepRecord = Callable[[Record], None]


def compare_paired(
    sides: tuple[Job, Job],
    question: ComparisonQuestion,
    on_progress: ProgressCallback,
    run: RunJob = run_isolated,
    keep: KeepRecord = lambda record: None,
) -> Comparison:
    """Measure rounds of A and B until the rule decides or all are over. Raises CouldNotMeasure if a job fails.

    It is also raised if a record lacks the quantity. `keep` gets every record as soon as it is made, with its
    turn (comparison, round, side), so that the pairs can be read back.
    """
    taken: list[Round] = []
    comparison = str(uuid.uuid4())
    runs = _with_turn(run, comparison, "A", keep), _with_turn(run, comparison, "B", keep)

    def measure(count: int) -> Sequence[ratios.Pair]:
        before, most = len(taken), question.rule.rounds

        def overall(phase: str, share: float) -> None:
            on_progress(phase, (before + share * count) / most)

        taken.extend(_rounds(sides, count, overall, runs, before))
        compared = quantity(question.by)
        refused = next((why for pair in taken[before:] if (why := compared.refused(*pair))), None)
        found = refused or values(taken[before:], compared.per_image)
        if isinstance(found, Missing):
            instead = "; --by wall compares what callers wait" if question.by == "work" else ""
            raise CouldNotMeasure(f"{question.by} cannot be compared: {found.message}{instead}.")
        return found

    pairs = decide(question.rule, measure)
    raised = Counter(flag for pair in taken for record in pair for flag in flags(record, question.by))
    return Comparison(taken[0].a, taken[0].b, question, pairs, raised, _waits(taken, question))


def _waits(rounds: Sequence[Round], question: ComparisonQuestion) -> tuple[ratios.Pair, ...]:
    """What callers waited in each round, if the device's work decides; on a CPU the two are the same."""
    if question.by != "work" or rounds[0].a.environment.is_host:
        return ()
    found = values(rounds, quantity("wall").per_image)
    return () if isinstance(found, Missing) else tuple(found)


def _with_turn(run: RunJob, comparison: str, side: Literal["A", "B"], keep: KeepRecord) -> RunJob:
    """`run` for one side, with records that say their turn: the comparison, the round and the side."""
    numbers = counting(1)

    def attempt(job: Job, on_progress: ProgressCallback) -> JobResult:
        outcome = run(job, on_progress)
        if outcome.record is None:
            return outcome
        record = replace(outcome.record, turn=Turn(comparison, next(numbers), side))
        keep(record)
        return replace(outcome, record=record)

    return attempt
