"""What happened to the rows of a plan, as events in files, and the state of each row that follows from them.

Each machine writes its own file, so an event is never lost to another writer. An engine says which of the started rows
still run; what it does not run any more, and has no end, is lost.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.base.validation import first_problem
from backbone_bench.records import STRICT, store
from backbone_bench.run.fleet import plan
from backbone_bench.run.fleet.plan import Plan, Row

What = Literal["started", "recorded", "failed", "refused", "lost"]
RowState = Literal["done", "failed", "running", "waiting", "refused", "lost"]

# The state of a row by its last event; a row that was started is lost if its engine does not run it any more.
_STATES: Mapping[What, RowState] = {
    "started": "running", "recorded": "done", "failed": "failed", "refused": "refused", "lost": "lost",
}  # fmt: skip


@dataclass(frozen=True, slots=True, config=STRICT)
class RowEvent:
    """Something that happened to a row on a node."""

    what: What
    row: Annotated[int, Field(ge=1)]
    at_s: float  # since the epoch, by the clock of the node
    node: str | None  # None: the engine did not say
    job: str | None = None  # the engine's id of the job
    message: str | None = None  # why it failed, was refused or lost


class RowNow(NamedTuple):
    """A row of a plan, its state, and the event behind it."""

    row: Row
    state: RowState
    last: RowEvent | None
    took_s: float | None  # from its start to its end, if it is done or failed


_EVENT: TypeAdapter[RowEvent] = TypeAdapter(RowEvent)


class EventLog:
    """Writes the events of one writer into its file."""

    def __init__(self, output: Path, writer: str) -> None:
        self._path = folder(output) / f"{writer}.jsonl"
        plan.make(self._path.parent)

    def note(
        self, what: What, row: int, node: str | None, *, job: str | None = None, message: str | None = None
    ) -> None:
        """Append an event of now. Raises UserError if it cannot be written.

        It is not synced: what a power cut takes is in the records.
        """
        event = RowEvent(what, row, time.time(), node, job, message)
        store.append_lines(self._path, _EVENT.dump_json(event), sync=False)


def folder(output: Path) -> Path:
    return plan.folder(output) / "events"


def read(output: Path) -> tuple[RowEvent, ...]:
    """All events of all writers, by time; a last line that was cut short is left out. Raises UserError."""
    found = [event for path in sorted(folder(output).glob("*.jsonl")) for event in _events(path)]
    return tuple(sorted(found, key=lambda event: event.at_s))


def _events(path: Path) -> Iterator[RowEvent]:
    *lines, _cut_short = store.read_text(path).split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            yield _EVENT.validate_json(line)
        except ValidationError as error:
            raise UserError(f"{path}, line {number}, is not an event: {first_problem(error)}.") from None


def states(
    of: Plan, recorded: Iterable[int], events: Iterable[RowEvent], runs: Callable[[RowEvent], bool]
) -> Sequence[RowNow]:
    """The state of every row. `recorded`: rows with a complete record; `runs`: whether a started row still runs."""
    by_row, have = group_by(events, lambda event: event.row), set(recorded)
    return [_now(row, by_row.get(row.row, []), recorded=row.row in have, runs=runs) for row in of.rows]


def _now(row: Row, events: Sequence[RowEvent], *, recorded: bool, runs: Callable[[RowEvent], bool]) -> RowNow:
    last = events[-1] if events else None
    state: RowState = "waiting" if last is None else _STATES[last.what]
    if last is not None and state == "running" and not runs(last):
        state = "lost"
    if recorded and state != "running":  # the record may be there, and the event after it not
        state = "done"
    return RowNow(row, state, last, _took_s(events) if state in ("done", "failed") else None)


def _took_s(events: Sequence[RowEvent]) -> float | None:
    """Seconds from the last start before the last event to that event; None if the start was not noted."""
    starts = [event.at_s for event in events if event.what == "started"]
    return events[-1].at_s - starts[-1] if starts and events[-1].what in ("recorded", "failed") else None
