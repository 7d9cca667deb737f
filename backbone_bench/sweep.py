"""Many jobs, one after the other: what is finished is kept, whatever comes.

SIGINT, SIGTERM and SIGHUP end a sweep between rows or within one; never while a
finished row is being written.
"""

import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple, TypeVar

from backbone_bench.errors import UserError
from backbone_bench.jobs import Job
from backbone_bench.records import Record
from backbone_bench.runner import Outcome, Run, Told

T = TypeVar("T")


class Stopped(BaseException):
    """A signal asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Sweep(NamedTuple):
    """The rows that are over, and what kept the others from being run, if anything did."""

    outcomes: tuple[Outcome, ...]
    ended: Stopped | UserError | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(outcome.record for outcome in self.outcomes if outcome.record is not None)

    @property
    def exit_code(self) -> int:
        """That of what ended it, else the gravest of the rows' (2 before 3)."""
        if self.ended is not None:
            return self.ended.exit_code
        return min((outcome.failure.exit_code for outcome in self.outcomes if outcome.failure), default=0)


def sweep(jobs: Sequence[Job], run: Run, begin: Callable[[int, Job], Told], keep: Callable[[Outcome], None]) -> Sweep:
    """Run the jobs in order; `begin` hears of each row and hears its phases, `keep` gets each that is over.

    A UserError of `keep` (a full disk) ends the sweep as a signal does.
    """
    outcomes: list[Outcome] = []
    with stops() as stop:
        try:
            for number, job in enumerate(jobs, start=1):
                outcome = run(job, begin(number, job))
                with stop.held():
                    outcomes.append(outcome)
                    keep(outcome)
        except (Stopped, UserError) as ended:
            return Sweep(tuple(outcomes), ended)
    return Sweep(tuple(outcomes))


class Stops:
    """What to do when a signal comes: raise Stopped at once, or when what must not be cut is over; the first counts."""

    def __init__(self) -> None:
        self._holding, self._came = False, False
        self._held: int | None = None

    def come(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        if self._came:
            return
        self._came = True
        if not self._holding:
            raise Stopped(number)
        self._held = number

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes meanwhile waits until the end."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._held is not None:
            raise Stopped(self._held)


@contextmanager
def stops() -> Iterator[Stops]:
    """Handle the signals that ask a program to end; one that is ignored (nohup) stays so."""
    stop = Stops()
    ours = [s for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop.come) for number in ours}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def shard(jobs: Sequence[T], number: int, of: int) -> Sequence[T]:
    """Every so-many-th job: the shards 1/n to n/n together are all jobs, each once."""
    return jobs[number - 1 :: of]


def parse_shard(text: str) -> tuple[int, int]:
    """`2/5` as numbers; raise UserError where it is no such part."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard {text}: write it as 1/4 to 4/4, for the first to the last of four parts.")
    return int(match[1]), int(match[2])
