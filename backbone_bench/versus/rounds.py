"""Two jobs in turn, each time in fresh processes, so that what drifts slows both alike: A B, B A, A B, …

What a claim, the gate or `bench versus` makes of the pairs is their affair.
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
    """Run both jobs so many times, in alternating order; raise CouldNotMeasure where one of them fails.

    `runs` are the ways to run A and B: of two checkouts, say. `told` hears
    which round it is, and which share of all rounds is over.
    """
    pairs = []
    for number in range(count):
        records: dict[str, Record] = {}
        for place, side in enumerate("AB" if number % 2 == 0 else "BA"):
            job, run = (a, runs[0]) if side == "A" else (b, runs[1])
            records[side] = _whole(
                run(job, within(on_progress, f"round {number + 1}, {side}", 2 * number + place, 2 * count))
            )
        pairs.append(Round(records["A"], records["B"]))
    return pairs


def _whole(outcome: JobResult) -> Record:
    if outcome.failure is not None:
        raise CouldNotMeasure(f"{outcome.job}: {outcome.failure.message}")
    assert outcome.record is not None  # what has not failed has a record
    return outcome.record


KeepRecord = Callable[[Record], None]


def compare_paired(
    sides: tuple[Job, Job],
    question: ComparisonQuestion,
    on_progress: ProgressCallback,
    run: RunJob = run_isolated,
    keep: KeepRecord = lambda record: None,
) -> Comparison:
    """Rounds of A and B until the rule decides or all are over; raise CouldNotMeasure where a side has no answer.

    `keep` gets every record as soon as it is made, with its turn, so that the pairs can be read back.
    """
    taken: list[Round] = []
    name = str(uuid.uuid4())
    runs = _in_turn(run, name, "A", keep), _in_turn(run, name, "B", keep)

    def more(count: int) -> Sequence[ratios.Pair]:
        before, most = len(taken), question.rule.rounds

        def tell(phase: str, share: float) -> None:
            on_progress(f"after {before} rounds, {phase}" if before else phase, (before + share * count) / most)

        taken.extend(rounds(*sides, count, tell, runs))
        found = values(taken[before:], quantity(question.by).per_image)
        if isinstance(found, Missing):
            raise CouldNotMeasure(f"{question.by} cannot be compared: {found.message}.")
        return found

    pairs = decide(question.rule, more)
    odd = Counter(flag for pair in taken for record in pair for flag in flags(record, question.by))
    return Comparison(taken[0].a, taken[0].b, question, pairs, odd)


def _in_turn(run: RunJob, comparison: str, side: Literal["A", "B"], keep: KeepRecord) -> RunJob:
    """The run of one side, whose records say which turn of the comparison they are."""
    numbers = counting(1)

    def attempt(job: Job, on_progress: ProgressCallback) -> JobResult:
        outcome = run(job, on_progress)
        if outcome.record is None:
            return outcome
        record = replace(outcome.record, turn=Turn(comparison, next(numbers), side))
        keep(record)
        return replace(outcome, record=record)

    return attempt
