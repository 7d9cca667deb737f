"""An element of an array: it runs its rows on the node where Slurm has put it, and writes files of its own.

A node that cannot run rows says so at once, and what is pending of the array is kept away from it: it would take one
row after the other.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.base.progress import silent
from backbone_bench.base.signals import deferred
from backbone_bench.records import store
from backbone_bench.run import runner
from backbone_bench.run.fleet import collect, events, machine, plan
from backbone_bench.run.fleet.events import EventLog
from backbone_bench.run.fleet.machine import Place
from backbone_bench.run.fleet.plan import Plan, Row
from backbone_bench.run.fleet.slurm import batch, commands
from backbone_bench.run.process import Worker


class Element(NamedTuple):
    """The element that this process is, by Slurm's own variables."""

    array: str  # the id of the array
    place: int  # in the array
    node: str
    restarts: int

    @property
    def job(self) -> str:
        return f"{self.array}_{self.place}"

    @property
    def writer(self) -> str:
        """The name of its files: another one for each time that it is started."""
        return f"{self.job}-{self.restarts}"


def here(environ: Mapping[str, str] = os.environ) -> Element:
    """The element that this process is. Raises UserError outside a job of Slurm."""
    try:
        array, place = environ["SLURM_ARRAY_JOB_ID"], int(environ["SLURM_ARRAY_TASK_ID"])
        node = environ["SLURMD_NODENAME"]
    except KeyError as missing:
        raise UserError(f"This runs within an array of Slurm only: {missing} is not set.") from None
    return Element(array, place, node, int(environ.get("SLURM_RESTART_COUNT", "0")))


def work(of: Plan, submission: int, array: int, element: Element, say: Callable[[str], None]) -> int:
    """Run the rows of an element; return 0, or the exit code of the most serious failure of a row.

    Raises UserError if this node cannot run rows, or cannot write down what it has done.
    """
    numbers = batch.submission(of, submission).arrays[array].elements[element.place]
    rows = _without_ended([of.row(number) for number in numbers], of, element)
    try:
        return _run(of, rows, element, say)
    except UserError:
        with _told(say):
            commands.exclude(element.array, element.node)
        raise
    finally:
        with _told(say):
            commands.release_held(batch.name(of))


@contextmanager
def _told(say: Callable[[str], None]) -> Iterator[None]:
    """Say what Slurm refuses, and go on: it must not hide how the rows ended."""
    try:
        yield
    except UserError as refusal:
        say(str(refusal))


def _without_ended(rows: Sequence[Row], of: Plan, element: Element) -> list[Row]:
    """The rows that the element has not finished before it was started again."""
    ended = {
        event.row
        for event in events.read(of.output)
        if event.job == element.job and event.what in ("recorded", "failed")
    }
    return [row for row in rows if row.row not in ended]


def _run(of: Plan, rows: Sequence[Row], element: Element, say: Callable[[str], None]) -> int:
    log = EventLog(of.output, element.writer)
    fitness = machine.fitness(of.conditions)
    if fitness.refusals:
        reasons = "; ".join(fitness.refusals)
        for row in rows:
            log.note("refused", row.row, element.node, job=element.job, message=reasons)
        raise CouldNotMeasure(f"{element.node} is not used: {reasons}.")
    worker = machine.worker(of.conditions)
    place = Place(element.node, element.job, fitness.differs)
    codes = [_run_row(of, row, element, place, worker, log, say) for row in rows]
    return min(filter(None, codes), default=0)


def _run_row(  # noqa: PLR0913  # what runs where, and who is told
    of: Plan, row: Row, element: Element, place: Place, worker: Worker, log: EventLog, say: Callable[[str], None]
) -> int:
    log.note("started", row.row, element.node, job=element.job)
    say(f"Row {row.row}: {row}")
    hidden = of.conditions.sharing == "shared" and commands.hides_jobs()
    before = commands.neighbours(element.node, element.job, hidden=hidden)
    result = runner.run_isolated(row.job, silent, of.conditions.timeout_s, worker, row.argv)
    after = commands.neighbours(element.node, element.job, hidden=hidden)
    result = machine.placed(result, of.conditions, row, place, [before, after])
    with deferred():
        if result.record is not None:
            path = collect.parts(of.output) / f"{element.writer}.jsonl"
            plan.make(path.parent)
            store.append(path, result.record)
        if result.failure is None:
            log.note("recorded", row.row, element.node, job=element.job)
            return 0
        log.note("failed", row.row, element.node, job=element.job, message=result.failure.message)
    say(f"Row {row.row}: {result.failure.message}")
    return result.failure.exit_code
