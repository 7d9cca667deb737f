"""The driver of a fleet: it hands rows to an engine, and alone appends the records that come back.

It decides what is to be done about an end: a row that lost its machine, or was refused there, is handed over again and
that machine is not tried any more. Where a row runs, and when, is the engine's matter.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from backbone_bench.base.errors import UserError
from backbone_bench.base.signals import Interrupted, deferred
from backbone_bench.records import store
from backbone_bench.run.fleet.events import EventLog
from backbone_bench.run.fleet.plan import Plan, Row
from backbone_bench.run.runner import JobResult

TRIES = 3  # of a row whose machine is lost: one that takes down its machine must not take down all


class Started(NamedTuple):
    """A row has begun to run on a node."""

    row: Row
    node: str
    job: str | None = None


class Ended(NamedTuple):
    """A row has a result; its record has its placement."""

    row: Row
    node: str
    result: JobResult
    job: str | None = None


class Refused(NamedTuple):
    """A node cannot run rows of this plan, for these reasons; the row has not run."""

    row: Row
    node: str
    reasons: tuple[str, ...]


class Lost(NamedTuple):
    """The engine has lost a row, on its node if it knows which; `gone`: the node is lost too."""

    row: Row
    node: str | None
    reason: str
    gone: bool = True


class Stranded(NamedTuple):
    """No node is left that may run a row, for a reason."""

    row: Row
    reason: str


Happening = Started | Ended | Refused | Lost | Stranded


class Places(Protocol):
    """The devices of an engine, where rows run for the driver in this process."""

    def submit(self, row: Row, avoid: Collection[str]) -> None:
        """Hand over a row, to be run on a node that is not among `avoid`."""

    def next(self) -> Happening:
        """Wait for what happens next to one of the rows."""


OpenPlaces = Callable[[Plan], AbstractContextManager[Places]]


class Driven(NamedTuple):
    """How a drive ended: rows with a complete record, rows that failed with the reason, and what stopped it early."""

    done: int
    failed: tuple[tuple[Row, str], ...]
    ended: Interrupted | UserError | None = None

    @property
    def exit_code(self) -> int:
        if self.ended is not None:
            return self.ended.exit_code
        return 3 if self.failed else 0


def drive(
    plan: Plan,
    rows: Sequence[Row],
    open_places: OpenPlaces,
    say: Callable[[str], None],
    see: Callable[[int, Row], None],
) -> Driven:
    """Run these rows of a plan to their end; `see` gets the number of rows that have ended, and one that has begun.

    A signal, or a full disk here, ends the drive; every record that was appended stays.
    """
    driver = _Driver(plan, EventLog(plan.output, f"driver-{plan.id}"), say)
    try:
        with open_places(plan) as places:
            for row in rows:
                places.submit(row, ())
            while driver.ended < len(rows):
                happening = places.next()
                with deferred():
                    driver.take(happening, places)
                if isinstance(happening, Started):
                    see(driver.ended, happening.row)
    except (Interrupted, UserError) as ended:
        return Driven(driver.done, tuple(driver.failed), ended)
    return Driven(driver.done, tuple(driver.failed))


class _Driver:
    """What is known of the rows that are under way."""

    def __init__(self, plan: Plan, log: EventLog, say: Callable[[str], None]) -> None:
        self._plan, self._log, self._say = plan, log, say
        self._avoid: set[str] = set()
        self._losses: dict[int, int] = {}
        self.done, self.failed = 0, list[tuple[Row, str]]()

    @property
    def ended(self) -> int:
        return self.done + len(self.failed)

    def take(self, happening: Happening, places: Places) -> None:
        """Note what has happened, and hand over again what another node can still run."""
        match happening:
            case Started(row, node, job):
                self._log.note("started", row.row, node, job=job)
            case Ended(row, node, result, job):
                self._keep(row, node, result, job)
            case Refused(row, node, reasons):
                if node not in self._avoid:
                    self._say(f"{node} is not used: {'; '.join(reasons)}.")
                self._log.note("refused", row.row, node, message="; ".join(reasons))
                self._again(row, node, places)
            case Lost(row, node, reason, gone):
                self._lose(row, node, reason, places, gone=gone)
            case Stranded(row, reason):
                self._fail(row, None, reason)

    def _keep(self, row: Row, node: str, result: JobResult, job: str | None) -> None:
        if result.record is not None:
            store.append(self._plan.output, result.record)
        if result.failure is not None:
            self._fail(row, node, result.failure.message, job)
            return
        self._log.note("recorded", row.row, node, job=job)
        self.done += 1

    def _lose(self, row: Row, node: str | None, reason: str, places: Places, *, gone: bool) -> None:
        self._say(f"Row {row.row} ({row}) is lost: {reason}.")
        self._log.note("lost", row.row, node, message=reason)
        self._losses[row.row] = self._losses.get(row.row, 0) + 1
        if self._losses[row.row] == TRIES:
            self._fail(row, node, f"was lost {TRIES} times, the last time because {reason}")
            return
        self._again(row, node if gone else None, places)

    def _again(self, row: Row, node: str | None, places: Places) -> None:
        if node is not None:
            self._avoid.add(node)
        places.submit(row, frozenset(self._avoid))

    def _fail(self, row: Row, node: str | None, message: str, job: str | None = None) -> None:
        self._say(f"Row {row.row} ({row}): {message}")
        self._log.note("failed", row.row, node, job=job, message=message)
        self.failed.append((row, message))
