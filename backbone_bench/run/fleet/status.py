"""How far a fleet is: the rows of each kind of card by state, what runs where, and the time left."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any, NamedTuple, get_args

from backbone_bench.base.grouping import group_by
from backbone_bench.base.units import PLAIN, Unit, span
from backbone_bench.records import Missing
from backbone_bench.report.tables.answer import Answer, AnswerPart
from backbone_bench.report.tables.listing import listing
from backbone_bench.report.tables.table import Column, tabulate
from backbone_bench.run.fleet import events, lock
from backbone_bench.run.fleet.events import RowEvent, RowNow, RowState
from backbone_bench.run.fleet.plan import Plan
from backbone_bench.run.fleet.slurm import batch, commands

STATES: tuple[RowState, ...] = get_args(RowState)
ENDED: tuple[RowState, ...] = ("done", "failed")
_SECONDS = Unit("s", 1, 0)


class FleetStatus(NamedTuple):
    """The state of every row of a plan at one moment."""

    plan: Plan
    rows: tuple[RowNow, ...]
    at_s: float  # since the epoch
    over: bool  # whether the engine has nothing of it any more
    queue: tuple[str, ...] = ()  # why the engine lets rows wait, in its words

    @property
    def numbers(self) -> Counter[RowState]:
        return Counter(row.state for row in self.rows)

    @property
    def ended(self) -> int:
        return sum(self.numbers[state] for state in ENDED)

    @property
    def left_s(self) -> float | None:
        """Seconds that the rows left take, at the pace of those that have ended; None if nothing runs or has ended."""
        took_s = [row.took_s for row in self.rows if row.took_s is not None]
        running = self.numbers["running"]
        return fmean(took_s) * (len(self.rows) - self.ended) / running if took_s and running else None


def read(of: Plan, recorded: Sequence[int], at_s: float) -> FleetStatus:
    """The state of a plan, as its files and its engine tell it. Raises UserError if the engine does not answer."""
    engine = _of_slurm(of) if of.conditions.engine == "slurm" else _of_driver(of)
    rows = events.states(of, recorded, events.read(of.output), engine.runs)
    return FleetStatus(of, tuple(rows), at_s, engine.over, engine.queue)


class _EngineNow(NamedTuple):
    """What an engine says: which started rows still run, whether it has nothing any more, and why rows wait."""

    runs: Callable[[RowEvent], bool]
    over: bool
    queue: tuple[str, ...] = ()


def _of_slurm(of: Plan) -> _EngineNow:
    tasks = commands.tasks(batch.name(of))
    running = {(task.job, task.node) for task in tasks if task.state != "PENDING"}
    reasons = Counter(task.reason for task in tasks if task.state == "PENDING")
    words = tuple(f"{number} for {reason}" for reason, number in reasons.most_common())
    return _EngineNow(lambda event: (event.job, event.node) in running, not tasks, words)


def _of_driver(of: Plan) -> _EngineNow:
    driver = lock.driver(of.output)
    if driver is None:
        return _EngineNow(lambda event: False, True)
    return _EngineNow(lambda event: event.at_s >= driver.began_s, False)


NOTHING_YET = Missing("nothing_yet", "nothing has happened to the row yet")


class _Kind(NamedTuple):
    """The rows of one kind of card by state."""

    kind: str
    numbers: Counter[RowState]


def _number(state: RowState) -> Column[_Kind]:
    return Column(state, state, lambda one: one.numbers[state], PLAIN)


_KINDS = (
    Column[_Kind]("kind", "cards", lambda one: one.kind),
    Column[_Kind]("rows", "rows", lambda one: sum(one.numbers.values()), PLAIN),
    *map(_number, STATES),
)


class _Line(NamedTuple):
    """One row that runs, or that did not end well."""

    now: RowNow
    at_s: float

    @property
    def since_s(self) -> float | Missing:
        """Seconds since the last event, by the clocks of two machines."""
        return NOTHING_YET if self.now.last is None else max(0.0, self.at_s - self.now.last.at_s)


_LINES = (
    Column[_Line]("row", "row", lambda line: line.now.row.row, PLAIN),
    Column[_Line]("what", "what", lambda line: str(line.now.row)),
    Column[_Line]("state", "state", lambda line: line.now.state),
    Column[_Line]("node", "node", lambda line: (line.now.last and line.now.last.node) or ""),
    Column[_Line]("job", "job", lambda line: (line.now.last and line.now.last.job) or ""),
    Column[_Line]("since_s", "since", lambda line: line.since_s, _SECONDS),
    Column[_Line]("message", "why", lambda line: (line.now.last and line.now.last.message) or ""),
)


def answer(status: FleetStatus) -> Answer:
    """The numbers by kind of card, and a line for each row that runs or did not end well; as JSON, all rows."""

    def parts() -> Sequence[AnswerPart]:
        kinds = group_by(status.rows, lambda row: row.row.kind or "any")
        table = tabulate([_Kind(kind, Counter(row.state for row in rows)) for kind, rows in kinds.items()], _KINDS)
        lines = [_Line(row, status.at_s) for row in status.rows if row.state not in ("done", "waiting")]
        shown: list[AnswerPart] = [replace(table, remarks=(sentence(status),))]
        return [*shown, tabulate(lines, _LINES)] if lines else shown

    lines = [_Line(row, status.at_s) for row in status.rows]
    whole = listing([_plain(line) for line in lines], tabulate(lines, _LINES))
    return replace(whole, parts=parts)


def _plain(line: _Line) -> dict[str, Any]:
    last = line.now.last
    return {
        "row": line.now.row.row,
        "what": str(line.now.row),
        "kind": line.now.row.kind,
        "state": line.now.state,
        "node": last and last.node,
        "job": last and last.job,
        "since_s": None if isinstance(line.since_s, Missing) else line.since_s,
        "message": last and last.message,
    }


def sentence(status: FleetStatus) -> str:
    """`12 of 30 rows have ended, 3 run, about 2 min are left.`"""
    numbers, count = status.numbers, len(status.rows)
    words = [f"{status.ended} of {count} rows have ended", f"{numbers['running']} running"]
    if status.left_s is not None:
        words.append(f"about {span(status.left_s)} left")
    if status.over and status.ended < count:
        words.append("nothing in the queue: --resume goes on")
    if status.queue:
        words.append(f"in the queue {', '.join(status.queue)}")
    return f"{', '.join(words)}."
