"""One round of live processes: all sides are alive together, and make short bursts of calls in turn.

A disturbance that lasts longer than a burst affects all sides alike, and their ratio does not contain it. The order
within four bursts is A B B A or B A A B, by a coin; of more sides, any order and then its reverse. The parent never
loads torch. A side that dies or hangs ends its round; no process is left behind.
"""

import math
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from backbone_bench.base.choices import LatencyMode
from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.base.progress import ProgressCallback, silent
from backbone_bench.jobs.job import Job
from backbone_bench.jobs.turns import TURN_REQUEST, Build, Burst, Finish, Needs, Ready, Sampled, TurnRequest
from backbone_bench.records import Known, LiveTurns, Missing, Record
from backbone_bench.run.messages import MESSAGE, UNKNOWN_REQUEST, Done, Failed, Live, Phase
from backbone_bench.run.process import Child, Worker, child, exit_reason, stop_reason

M = TypeVar("M")

# glibc gives the memory of a call back to the system and faults it in again in the next one, in some processes and not
# in others of the same code: kept, it is no difference between the sides.
KEPT = (
    ("MALLOC_TRIM_THRESHOLD_", str(4 << 30)),
    ("MALLOC_MMAP_THRESHOLD_", str(4 << 30)),
    ("MALLOC_TOP_PAD_", str(64 << 20)),
)
PASSIVE = (("OMP_WAIT_POLICY", "passive"), ("KMP_BLOCKTIME", "0"))  # threads that spin would take the other side's turn


class LiveSide(NamedTuple):
    """One side of a round: what it runs, and how its process is started."""

    job: Job
    worker: Worker | None = None


class SideFailed(CouldNotMeasure):
    """One side of a round failed; `place` is its place among the sides."""

    def __init__(self, place: int, job: Job, failure: Failed) -> None:
        super().__init__(f"{job}: {failure.message}")
        self.place, self.failure = place, failure


class NotLive(Exception):
    """The sides cannot be alive together, for the reason in the message."""


class NoRoom(NotLive):
    """The sides do not fit in memory together; fewer of them may."""


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """The bursts of a round: their length and their number."""

    wall_s: float = 0.005  # of the waiting calls of a burst: one call, if it takes so long, shares most noise
    work_s: float = 0.050  # of the device's own work: each change of process costs a GPU time
    least_s: float = 3.0  # of the bursts of a round of two; more where starting the processes took longer
    most_s: float = 15.0  # of a round of two
    least_turns: int = 60
    shortest_s: float = 2.0  # of the bursts of a round of two, even where time is up: a shorter round shows nothing
    fewest_turns: int = 6  # even then
    answer_s: float = 60.0  # a process that does not answer a burst within this time hangs
    timeout_s: float | None = None  # for the start of a process, and for its end
    allowed_s: float = math.inf  # for the whole round

    def calls(self, mode: LatencyMode, call_s: float) -> int:
        """Calls of a burst, for calls that take so long on the slowest side."""
        return max(1, math.ceil((self.wall_s if mode == "wall" else self.work_s) / max(call_s, 1e-6)))

    def bursts_s(self, start_s: float, turn_s: float, sides: int = 2) -> float:
        """Duration of all bursts, if the processes took `start_s` to start and a turn of all takes `turn_s`."""
        usual_s = max(self.least_s * sides / 2, start_s, self.least_turns * turn_s)
        allowed_s = max(self.shortest_s * sides / 2, self.allowed_s - start_s)
        return min(usual_s, self.most_s * sides / 2, allowed_s)


PLAN = TurnPlan()


def take_round(
    sides: Sequence[LiveSide], seed: int, on_progress: ProgressCallback, plan: TurnPlan = PLAN
) -> tuple[Record, ...]:
    """Run one round and return the record of each side. Raises SideFailed, or NotLive before anything was measured.

    The order of the turns and the choice of cores depend on `seed` alone.
    """
    coin = random.Random(seed)
    cores, began_s = _cores(sides, coin), time.monotonic()
    # Whoever starts first was seen to be half a percent faster: each round starts the sides in an order of its own.
    order = coin.sample(range(len(sides)), len(sides))
    with ExitStack() as end:
        started = {
            place: _Process(
                place, sides[place], end.enter_context(_child(sides[place], cores, len(sides) - 1)), plan.timeout_s
            )
            for place in order
        }
        processes = [started[place] for place in range(len(sides))]
        _check_room([process.receive(Needs, on_progress) for process in started.values()])
        for process in started.values():
            process.send(Build())
        told = {place: process.receive(Ready, on_progress) for place, process in started.items()}
        rotation = _Rotation(processes, [told[place] for place in range(len(sides))], coin, plan)
        start_s = time.monotonic() - began_s
        rotation.run(start_s, on_progress)
        for process in processes:  # one by one: what is not measured in turns is measured alone
            process.send(Finish())
            process.finished = process.receive(Done, on_progress)
    return tuple(process.record(rotation, seed, cores) for process in processes)


def _child(side: LiveSide, cores: Known[tuple[int, ...]], partners: int) -> AbstractContextManager[Child]:
    worker = side.worker or Worker.of()
    variables = (*worker.variables, *_allocator(), *(PASSIVE if side.job.threads != 1 else ()))
    return child(Live(side.job, tuple(sys.argv), _pinned(cores), partners), worker._replace(variables=variables))


def _cores(sides: Sequence[LiveSide], coin: random.Random) -> Known[tuple[int, ...]]:
    """The cores of a round, the same for every side: as many as the most threads, drawn from those allowed."""
    if not hasattr(os, "sched_getaffinity"):
        return Missing("no_affinity", "this system does not keep a process on a core")
    allowed = sorted(os.sched_getaffinity(0))
    threads = [side.job.threads or len(allowed) for side in sides]
    return tuple(sorted(coin.sample(allowed, min(len(allowed), max(threads)))))


def _pinned(cores: Known[tuple[int, ...]]) -> tuple[int, ...]:
    """The cores as a process is told them: none if it may use all."""
    return () if isinstance(cores, Missing) or len(cores) == len(os.sched_getaffinity(0)) else cores


def _allocator() -> tuple[tuple[str, str], ...]:
    """The variables that keep memory, unless the user has set one of them."""
    return () if any(name in os.environ for name, _ in KEPT) else KEPT


def _check_room(models: Sequence[Needs]) -> None:
    """Raise NoRoom if the models cannot be in memory together; nothing is said where their needs are unknown."""
    needed = [one.needed_bytes for one in models if one.needed_bytes is not None]
    free = [one.free_bytes for one in models if one.free_bytes is not None]
    if free and sum(needed) > min(free):
        all_gib, free_gib = sum(needed) / 2**30, min(free) / 2**30
        raise NoRoom(f"the models need {all_gib:.1f} GiB together, at least, and {free_gib:.1f} GiB are free")


class _Process:
    """The live process of one side."""

    def __init__(self, place: int, side: LiveSide, running: Child, timeout_s: float | None) -> None:
        self.job = side.job
        self._place, self._child, self._timeout_s = place, running, timeout_s
        self.sampled: list[Sampled] = []
        self.calls: dict[LatencyMode, int] = {}
        self.finished: Done | None = None

    def send(self, request: TurnRequest) -> None:
        self._child.send(TURN_REQUEST.dump_json(request))

    def burst(self, discard: int, limit_s: float, *, kept: bool = True) -> Sampled:
        """Make one burst; raise SideFailed if it takes longer than `limit_s`."""
        self.send(Burst(discard, self.calls, kept))
        taken = self.receive(Sampled, silent, limit_s)
        if kept:
            self.sampled.append(taken)
        return taken

    def receive(self, kind: type[M], on_progress: ProgressCallback, limit_s: float | None = None) -> M:
        """Wait for a message of this kind. Raises SideFailed with the reason if there is none."""
        limit_s = self._timeout_s if limit_s is None else limit_s
        try:
            for line in self._child.lines(limit_s):
                message = MESSAGE.validate_json(line)
                if isinstance(message, kind):
                    return message
                if isinstance(message, Phase):
                    on_progress(message.name, message.share)
                if isinstance(message, Failed):
                    raise self._failed(message)
        except (TimeoutError, ValidationError) as error:
            raise self._failed(Failed(stop_reason(error, limit_s), 3)) from None
        raise self._failed(Failed(exit_reason(self._child.process.wait()), 3))

    def _failed(self, failure: Failed) -> Exception:
        if failure.message == UNKNOWN_REQUEST:
            return NotLive(f"the other revision of {self.job} {UNKNOWN_REQUEST}")
        return SideFailed(self._place, self.job, failure)

    def record(self, rotation: "_Rotation", seed: int, cores: Known[tuple[int, ...]]) -> Record:
        """The record of a process that has finished, with its turns."""
        assert self.finished is not None
        began_s = rotation.began_s
        turns = LiveTurns(
            processes=len(rotation.processes),
            seed=seed,
            allocator="kept" if _allocator() else "default",
            cores=rotation.not_pinned or cores,
            discard=rotation.discard,
            start_s=tuple(round(one.start_s - began_s, 6) for one in self.sampled),
            discarded_s=tuple(each for one in self.sampled for each in one.discarded_s),
            cpu_s=tuple(round(one.cpu_s, 10) for one in self.sampled),
            minor_faults=tuple(one.minor_faults for one in self.sampled),
            preempted=tuple(one.preempted for one in self.sampled),
        )
        return replace(self.finished.record, live=turns)


class _Rotation:
    """The turns of the processes of one round."""

    def __init__(
        self, processes: Sequence[_Process], ready: Sequence[Ready], coin: random.Random, plan: TurnPlan
    ) -> None:
        self.processes, self._coin, self._plan = processes, coin, plan
        reason = next((one.not_pinned for one in ready if one.not_pinned), None)
        self.not_pinned = Missing("not_pinned", reason) if reason else None
        on_accelerator = any(mode != "wall" for one in ready for mode in one.call_s)
        alike = all(process.job == processes[0].job for process in processes)
        self.discard = 2 if on_accelerator else int(not alike)  # caches are cold after another model, or a context
        self.began_s = 0.0
        self._turn_s = self._choose_calls([one.call_s for one in ready])

    def _choose_calls(self, call_s: Sequence[Mapping[LatencyMode, float]]) -> float:
        """Choose the calls of a burst after a trial, when each process has had the cores for itself. Returns the time
        of one turn of all.
        """
        turn_s = 0.0
        for _ in range(2):
            slowest = {is_wall: _slowest(call_s, is_wall=is_wall) for is_wall in (True, False)}
            for process, own in zip(self.processes, call_s, strict=True):
                process.calls = {mode: self._plan.calls(mode, slowest[mode == "wall"]) for mode in own}
            began_s = time.monotonic()
            order = self._coin.sample(range(len(self.processes)), len(self.processes))
            taken = {place: self._burst(self.processes[place], kept=False).call_s for place in order}
            call_s = [taken[place] for place in range(len(self.processes))]
            turn_s = time.monotonic() - began_s
        return turn_s

    def run(self, start_s: float, on_progress: ProgressCallback) -> None:
        """Take turns, two of every side at a time, until the plan is fulfilled."""
        length_s = self._plan.bursts_s(start_s, self._turn_s, len(self.processes))
        self.began_s = told_s = now_s = time.monotonic()
        while now_s - self.began_s < length_s or len(self.processes[0].sampled) < self._plan.fewest_turns:
            order = self._coin.sample(self.processes, len(self.processes))
            for process in (*order, *reversed(order)):
                self._burst(process)
            now_s = time.monotonic()
            if now_s - told_s >= 1:  # drawing the progress takes CPU time from what is measured
                on_progress("taking turns", min(1.0, (now_s - self.began_s) / length_s))
                told_s = now_s

    def _burst(self, process: _Process, *, kept: bool = True) -> Sampled:
        return process.burst(self.discard, self._plan.answer_s, kept=kept)


def _slowest(call_s: Sequence[Mapping[LatencyMode, float]], *, is_wall: bool) -> float:
    """The longest call of all sides: as a caller waits, or of the device's own work."""
    return max((one_s for each in call_s for mode, one_s in each.items() if (mode == "wall") == is_wall), default=1.0)
