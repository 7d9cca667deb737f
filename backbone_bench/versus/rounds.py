"""Take rounds, one process of each side: alive together and in turn, or one after the other in fresh processes.

Slow drift of the machine affects all sides of a round alike. Live rounds (`run.live`) also share what lasts only some
tenths of a second. Energy needs seconds of the same work, so it is compared in fresh rounds.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import ProgressCallback, within
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record, Turn
from backbone_bench.run import live
from backbone_bench.run.live import LiveSide, NoRoom, NotLive, SideFailed
from backbone_bench.run.process import Worker
from backbone_bench.run.runner import RunJob


class RoundPlace(NamedTuple):
    """The place of a round: its comparison, its number from 1 on, and the seconds that it may take."""

    comparison: str
    number: int
    allowed_s: float = math.inf
    so_far: str = ""  # the result of the rounds before it, for the progress

    def __str__(self) -> str:
        return f"round {self.number}{self.so_far and f' ({self.so_far})'}"


# Takes one round of these jobs, and returns the record of each. Raises CouldNotMeasure, mostly as SideFailed.
TakeRound = Callable[[Sequence[Job], RoundPlace, ProgressCallback], tuple[Record, ...]]


@dataclass(frozen=True, slots=True)
class FreshRounds:
    """Rounds of processes that run one after the other: A B, B A, A B, …"""

    runs: Sequence[RunJob]  # the function that runs each side, for example in two checkouts; one alone runs all

    def __call__(self, jobs: Sequence[Job], place: RoundPlace, on_progress: ProgressCallback) -> tuple[Record, ...]:
        order = list(range(len(jobs)))
        if place.number % 2 == 0:
            order.reverse()
        records: dict[int, Record] = {}
        for done, side in enumerate(order):
            step = f"{place}, {ascii_uppercase[side]}"
            run = self.runs[side if len(self.runs) > 1 else 0]
            outcome = run(jobs[side], within(on_progress, step, done, len(jobs)))
            if outcome.failure is not None:
                raise SideFailed(side, jobs[side], outcome.failure)
            assert outcome.record is not None  # a job that has not failed has a record
            records[side] = outcome.record
        return _placed([records[side] for side in range(len(jobs))], place)


@dataclass(slots=True)
class LiveRounds:
    """Rounds of live processes. Where two cannot be alive together, fresh rounds from then on, said once.

    Of more than two that do not fit in memory together, NoRoom is raised: fewer may. A side that fails costs its
    round, which is taken again: said in a line. If it fails again the error is raised.
    """

    fresh: TakeRound
    say: Callable[[str], None]
    timeout_s: float | None = None
    workers: Sequence[Worker | None] = ()  # how the process of each side is started; none: as usual
    coin: random.Random = field(default_factory=random.Random)
    _is_fresh: bool = False
    _too_large: list[Sequence[Job]] = field(default_factory=list)  # two that do not fit

    def __call__(self, jobs: Sequence[Job], place: RoundPlace, on_progress: ProgressCallback) -> tuple[Record, ...]:
        if not self._is_fresh and jobs not in self._too_large and all(job.latency for job in jobs):
            try:
                return _placed(self._take(jobs, place, on_progress), place)
            except NotLive as why:
                self._say(why, jobs)
        return self.fresh(jobs, place, on_progress)

    def _say(self, why: NotLive, jobs: Sequence[Job]) -> None:
        """Say what follows, and remember it; raise NoRoom again if fewer jobs may fit."""
        if isinstance(why, NoRoom) and len(jobs) > 2:
            self.say(f"{why}: fewer of them take turns at a time.")
            raise why
        if isinstance(why, NoRoom):
            self._too_large.append(jobs)
        else:
            self._is_fresh = True
        self.say(f"{why}: they run one after the other, which is slower and shows less.")

    def _take(self, jobs: Sequence[Job], place: RoundPlace, on_progress: ProgressCallback) -> tuple[Record, ...]:
        try:
            return self._once(jobs, place, on_progress)
        except SideFailed as failed:
            if failed.failure.exit_code == UserError.exit_code:
                raise
            self.say(f"Round {place.number} is lost and taken again: {failed}.")
        try:
            return self._once(jobs, place, on_progress)
        except SideFailed as failed:
            if failed.failure.out_of_memory:
                raise NoRoom(f"{failed}") from None
            raise

    def _once(self, jobs: Sequence[Job], place: RoundPlace, on_progress: ProgressCallback) -> tuple[Record, ...]:
        return live.take_round(
            [LiveSide(job, worker) for job, worker in zip(jobs, self.workers or [None] * len(jobs), strict=True)],
            self.coin.getrandbits(32),
            within(on_progress, str(place), 0, 1),
            replace(live.PLAN, timeout_s=self.timeout_s, allowed_s=place.allowed_s),
        )


def _placed(records: Sequence[Record], place: RoundPlace) -> tuple[Record, ...]:
    """The records with their turn, so that the pairs can be read back."""
    return tuple(
        replace(record, turn=Turn(place.comparison, place.number, ascii_uppercase[side]))
        for side, record in enumerate(records)
    )


@dataclass(slots=True)
class Allowance:
    """The time of a comparison, shared out over the rounds of its first analysis: a round that is too short shows
    nothing. Without a limit every round takes what it needs.
    """

    budget_s: float  # infinite: no limit
    rounds: int  # that should fit into it; there are more if they take less
    clock: Callable[[], float] = time.monotonic
    _taken: int = 0
    _spent_s: float = 0.0
    _began_s: float | None = None

    def next_s(self) -> float:
        """Seconds that the next round may take."""
        self._began_s = self.clock() if self._began_s is None else self._began_s
        return self.left_s / max(1, self.rounds - self._taken)

    @property
    def left_s(self) -> float:
        """Seconds that are left of the budget."""
        spent_s = 0.0 if self._began_s is None else self.clock() - self._began_s
        return max(0.0, self.budget_s - spent_s)

    def took_one(self) -> None:
        """A round is over."""
        self._taken += 1
        if self._began_s is not None:
            self._spent_s = self.clock() - self._began_s

    @property
    def is_over(self) -> bool:
        """Whether a further round would end after the time is up. Two rounds are taken anyway: they have a spread."""
        if self.budget_s == math.inf or self._taken < 2:
            return False
        return self._spent_s * (self._taken + 1) / self._taken > self.budget_s
