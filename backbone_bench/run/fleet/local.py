"""The engine that needs nothing: several devices of this machine, each with one row at a time."""

import os
import platform
import select
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import silent
from backbone_bench.jobs.job import Job
from backbone_bench.measure.machine import system
from backbone_bench.run import runner
from backbone_bench.run.fleet import machine
from backbone_bench.run.fleet.drive import Ended, Happening, Started
from backbone_bench.run.fleet.machine import Place
from backbone_bench.run.fleet.plan import Plan, Row
from backbone_bench.run.runner import RunningJob

_POLL_S = 1.0  # a worker that dies without a word is noticed by then, and a timeout too


class _Slot(NamedTuple):
    """A device of this machine, or a share of its cores."""

    device: str | None  # None: that of the job
    cores: frozenset[int] | None  # None: all


@dataclass(slots=True)
class _Running:
    slot: _Slot
    row: Row
    job: RunningJob
    end: ExitStack
    neighbours: int = 0  # the most rows that ran beside this one


@contextmanager
def places(plan: Plan) -> Iterator["LocalPlaces"]:
    """The devices of this machine. Raises UserError if this machine cannot run the rows, or has fewer of them."""
    fitness = machine.fitness(plan.conditions)
    if fitness.refusals:
        raise UserError(f"This machine cannot run the rows of the plan: {'; '.join(fitness.refusals)}.")
    opened = LocalPlaces(plan, _slots(plan), Place(platform.node(), differs=fitness.differs))
    try:
        yield opened
    finally:
        opened.close()


def count(address: str | None) -> int:
    """The number of devices in `local:4`. Raises UserError."""
    if address is None or not address.isdecimal() or not int(address):
        raise UserError("--fleet local:N needs the number of devices of this machine, as in local:4.")
    return int(address)


def check(address: str | None, jobs: Sequence[Job]) -> None:
    """Raise UserError for a number of devices that is none, or jobs whose device is not known before they run."""
    _shares(count(address))
    if count(address) > 1 and (found := next((job for job in jobs if job.device not in ("cpu", "cuda")), None)):
        raise UserError(
            f"--fleet local:{address} gives each row a device of its own, and {found.device} does not say of which "
            f"kind: give --device cuda or --device cpu."
        )


def _slots(plan: Plan) -> list[_Slot]:
    number = count(plan.conditions.address)
    if number == 1:
        return [_Slot(None, None)]
    return [_Slot(f":{index}", cores) for index, cores in enumerate(_shares(number))]


def _shares(number: int) -> list[frozenset[int]]:
    """The cores of this process in equal parts. Raises UserError if there are fewer cores than parts."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < number:
        raise UserError(f"--fleet local:{number}: this process may use {len(allowed)} cores only.")
    cores = sorted(allowed, key=lambda core: (system.siblings(core), core))  # the threads of one core stay together
    size = len(cores) // number
    return [frozenset(cores[start : start + size]) for start in range(0, size * number, size)]


class LocalPlaces:
    """The rows that run on this machine, each in a worker process of this one."""

    def __init__(self, plan: Plan, slots: list[_Slot], place: Place) -> None:
        self._plan, self._place, self._worker = plan, place, machine.worker(plan.conditions)
        self._free, self._waiting = deque(slots), deque[Row]()
        self._running: list[_Running] = []

    def submit(self, row: Row, avoid: Collection[str]) -> None:
        self._waiting.append(row)

    def next(self) -> Happening:
        while True:
            if self._waiting and self._free:
                return self._start(self._waiting.popleft(), self._free.popleft())
            for running in self._running:
                if (result := running.job.poll()) is not None:
                    return self._end(running, result)
            select.select([one.job.process for one in self._running if not one.job.has_closed], [], [], _POLL_S)

    def close(self) -> None:
        """Kill what still runs."""
        for running in self._running:
            running.end.close()

    def _start(self, row: Row, slot: _Slot) -> Started:
        conditions = self._plan.conditions
        with ExitStack() as end:
            with _on(slot.cores):
                job = end.enter_context(
                    runner.started(_on_device(row.job, slot), silent, conditions.timeout_s, self._worker, row.argv)
                )
            self._running.append(_Running(slot, row, job, end.pop_all()))
        for running in self._running:
            running.neighbours = max(running.neighbours, len(self._running) - 1)
        return Started(row, self._place.node)

    def _end(self, running: _Running, result: runner.JobResult) -> Ended:
        running.end.close()
        self._running.remove(running)
        self._free.append(running.slot)
        result = machine.placed(result, self._plan.conditions, running.row, self._place, [running.neighbours])
        return Ended(running.row, self._place.node, result)


def _on_device(job: Job, slot: _Slot) -> Job:
    """The job on the slot's own device; a job on the CPU has the cores of the slot."""
    if slot.device is None or job.on_host:
        return job
    return replace(job, device=job.device + slot.device)


@contextmanager
def _on(cores: frozenset[int] | None) -> Iterator[None]:
    """Stay on these cores, and with this process whatever it starts."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
