"""The engine Ray: each row is a task, which Ray places on a node that has what the row needs.

A row says what it needs, and Ray decides where it runs and when. So that a row has a node for itself, it asks for all
CPUs and cards of one; nodes of different sizes are asked for by tasks of different sizes, no more of each than its
nodes can run. Only text travels: a row to its node, and its record back.
"""

import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from backbone_bench.base.errors import UserError, first_line
from backbone_bench.base.signals import deferred
from backbone_bench.records import Known, Missing
from backbone_bench.run.fleet import machine
from backbone_bench.run.fleet.drive import Ended, Happening, Lost, Refused, Started, Stranded
from backbone_bench.run.fleet.machine import Place
from backbone_bench.run.fleet.plan import Plan, Row
from backbone_bench.run.fleet.ray import cluster
from backbone_bench.run.fleet.ray.cluster import KIND, Others, RayNode
from backbone_bench.run.fleet.ray.task import ANSWER, CONDITIONS, ROW, Begun, NodeAnswer, NodeResult, Unfit
from backbone_bench.run.runner import JobResult

_NODE = "ray.io/node-id"  # Ray's label of a node
_POLL_S = 1.0  # how often the nodes are looked at
_WAIT_S = 0.5  # a signal waits so long
_LOOK_S = 5.0  # how often Ray is asked what else runs on them
_DEATH_S = 3.0  # a node that has died is known as dead by then
_AHEAD = 2  # rows per place that Ray has at once: one runs, and the next one waits


class _Need(NamedTuple):
    """What a row needs of its node."""

    kind: str | None  # in small letters
    card: bool
    threads: int | None


class _Ask(NamedTuple):
    """What a row takes of a node."""

    cpus: int
    gpus: int
    kind: str | None  # as Ray spells it

    def on(self, node: RayNode) -> int:
        """How many rows the node can run that ask so."""
        return min(node.cpus // self.cpus, node.gpus // self.gpus if self.gpus else node.cpus)


@dataclass(slots=True)
class _Task:
    row: Row
    need: _Need
    ask: _Ask
    node: str | None = None  # the id; None: it has not begun
    job: str | None = None
    beside: int = 0  # the most rows of this plan that ran on its node beside this one
    others: Known[int] = 0  # the most other jobs


@contextmanager
def places(plan: Plan) -> Iterator["RayPlaces"]:
    """The nodes of a Ray cluster. Raises UserError if there is none."""
    with cluster.connected(plan.conditions.address) as ray:
        with deferred():
            opened = RayPlaces(ray, plan)
        yield opened


class RayPlaces:
    """The rows that are with a Ray cluster. Those for which it has no place yet wait here."""

    def __init__(self, ray: Any, plan: Plan) -> None:
        self._ray, self._plan = ray, plan
        self._conditions = CONDITIONS.dump_json(plan.conditions).decode()
        self._remote = cluster.remote(ray)
        self._waiting: dict[_Need, deque[Row]] = {}
        self._tasks: dict[Any, _Task] = {}  # by generator of what a task says
        self._with_ray: Counter[_Ask] = Counter()
        self._happened = deque[Happening]()
        self._names: dict[str, str] = {}  # of nodes, by id
        self._left_out: set[str] = set()  # ids of nodes that have refused
        self._nodes: Mapping[str, RayNode] = {}
        self._asks: dict[_Need, Mapping[_Ask, frozenset[str]]] = {}
        self._looked_s, self._asked_s = -_POLL_S, -_LOOK_S
        self._others = Others(ray, plan.conditions.sharing == "exclusive")
        self._look()
        self._checked = False

    def submit(self, row: Row, avoid: Collection[str]) -> None:
        left_out = {id for id, name in self._names.items() if name in avoid} - self._left_out
        if left_out:
            self._left_out |= left_out
            self._look()
        self._waiting.setdefault(self._need(row), deque()).append(row)

    def next(self) -> Happening:
        if not self._checked:
            self._check()
            self._checked = True
        while not self._happened:
            with deferred():  # Ray's calls in C do not pass on what a signal raises
                if time.monotonic() - self._looked_s >= _POLL_S:
                    self._look()
                self._hand_over()
                if not self._happened:
                    self._wait()
        return self._happened.popleft()

    def _check(self) -> None:
        """Raise UserError, before a row runs, if no node has what a row needs."""
        for need, rows in self._waiting.items():
            if rows and not self._asks_of(need):
                raise UserError(
                    f"No node of the Ray cluster has {self._wanted(rows[0])} for {rows[0]}. {self._there()}"
                )

    def _wanted(self, row: Row) -> str:
        what = "CPUs" if row.job.on_host else "a card"
        return f"{what} of kind {row.kind}" if row.kind is not None else what

    def _there(self) -> str:
        there = sorted({node.kind for node in self._nodes.values() if node.kind is not None})
        if there:
            return f"The kinds of card are {', '.join(there)}."
        return f"It has {len(self._nodes)} nodes and {sum(node.gpus for node in self._nodes.values())} cards."

    def _need(self, row: Row) -> _Need:
        return _Need(None if row.kind is None else row.kind.lower(), not row.job.on_host, row.job.threads)

    def _look(self) -> None:
        """See which nodes live; what is with Ray for a node that does not comes back here."""
        self._nodes, self._looked_s = cluster.nodes(self._ray, self._names), time.monotonic()
        self._asks.clear()
        for said, task in list(self._tasks.items()):
            if task.node is None and task.ask not in self._asks_of(task.need):
                self._ray.cancel(said, force=True)
                self._forget(said)
                self._waiting.setdefault(task.need, deque()).append(task.row)
        if self._looked_s - self._asked_s >= _LOOK_S:
            self._asked_s = self._looked_s
            self._others.look()
            self._count_others(self._tasks.values())

    def _asks_of(self, need: _Need) -> Mapping[_Ask, frozenset[str]]:
        """What a row with this need may ask for, and the nodes that it then may run on."""
        if need not in self._asks:
            asks: dict[_Ask, set[str]] = {}
            for node in self._nodes.values():
                if node.id not in self._left_out and (ask := self._ask(need, node)) is not None:
                    asks.setdefault(ask, set()).add(node.id)
            self._asks[need] = {ask: frozenset(ids) for ask, ids in asks.items()}
        return self._asks[need]

    def _ask(self, need: _Need, node: RayNode) -> _Ask | None:
        """What a row takes of this node; None if the node lacks it."""
        if not node.cpus or (need.card and not node.gpus):
            return None
        if need.kind is not None and (node.kind or "").lower() != need.kind:
            return None
        kind = node.kind if need.kind is not None else None
        match self._plan.conditions.sharing:
            case "exclusive":
                return _Ask(node.cpus, node.gpus, kind)
            case "side_by_side":
                cpus = max(1, node.cpus // node.gpus) if need.card else need.threads or node.cpus
            case "shared":
                cpus = 1 if need.card else need.threads or 1
        return _Ask(min(cpus, node.cpus), int(need.card), kind)

    def _hand_over(self) -> None:
        """Give Ray the rows that it has places for; a row without any node is stranded."""
        for need, rows in self._waiting.items():
            while rows:
                asks = self._asks_of(need)
                if not asks:
                    self._happened.append(self._stranded(rows.popleft()))
                    continue
                ahead = _AHEAD if len(asks) == 1 else 1  # with a choice, a row must not wait for the wrong node
                room = {ask: ahead * self._places(ask, ids) - self._with_ray[ask] for ask, ids in asks.items()}
                ask = max(room, key=lambda one: room[one])
                if room[ask] <= 0:
                    break
                self._start(rows.popleft(), need, ask, asks[ask])

    def _stranded(self, row: Row) -> Stranded:
        but = " that has not refused or lost a row" if self._left_out else ""
        return Stranded(row, f"no node with {self._wanted(row)} is left{but}")

    def _places(self, ask: _Ask, ids: Collection[str]) -> int:
        return sum(ask.on(self._nodes[id]) for id in ids)

    def _start(self, row: Row, need: _Need, ask: _Ask, ids: Collection[str]) -> None:
        others = [node.id for node in self._nodes.values() if node.id not in ids and ask.on(node)]
        said = self._remote.options(
            name=f"row {row.row}",
            num_cpus=ask.cpus,
            num_gpus=ask.gpus,
            resources={f"{KIND}{ask.kind}": 0.001} if ask.kind else None,
            label_selector={_NODE: f"!in({','.join(sorted(others))})"} if others else None,
        ).remote(self._conditions, ROW.dump_json(row).decode())
        self._tasks[said] = _Task(row, need, ask)
        self._with_ray[ask] += 1

    def _forget(self, said: Any) -> _Task:
        task = self._tasks.pop(said)
        self._with_ray[task.ask] -= 1
        return task

    def _wait(self) -> None:
        """Wait for a task to say something, and take what all of them have said."""
        with_ray = list(self._tasks)
        if not self._ray.wait(with_ray, num_returns=1, timeout=_WAIT_S)[0]:
            return
        for said in self._ray.wait(with_ray, num_returns=len(with_ray), timeout=0)[0]:
            self._take(said)

    def _take(self, said: Any) -> None:
        """Take what a task has said: that it has begun, or how it has ended."""
        errors = self._ray.exceptions
        try:
            answer = ANSWER.validate_json(self._ray.get(next(said)))
        except StopIteration:
            self._lose(said, "its task has ended without a word")
        except errors.RayTaskError:
            raise  # a bug of ours
        except errors.RayError as error:
            self._lose(said, first_line(error), gone=isinstance(error, errors.NodeDiedError))
        else:
            self._understand(said, answer)

    def _understand(self, said: Any, answer: NodeAnswer) -> None:
        match answer:
            case Begun():
                self._begin(self._tasks[said], answer)
            case Unfit(node, reasons):
                self._happened.append(Refused(self._forget(said).row, self._name(node), reasons))
            case NodeResult():
                self._end(self._forget(said), answer)

    def _begin(self, task: _Task, begun: Begun) -> None:
        task.node, task.job = begun.node, begun.task
        beside = [other for other in self._tasks.values() if other.node == begun.node]
        for other in beside:
            other.beside = max(other.beside, len(beside) - 1)
        self._count_others([task])
        self._happened.append(Started(task.row, self._name(begun.node), begun.task))

    def _end(self, task: _Task, end: NodeResult) -> None:
        self._count_others([task])
        assert task.node is not None
        place = Place(self._name(task.node), task.job, end.differs)
        result = JobResult(task.row.job, end.record, end.failure)
        result = machine.placed(result, self._plan.conditions, task.row, place, [_neighbours(task)])
        self._happened.append(Ended(task.row, place.node, result, task.job))

    def _lose(self, said: Any, reason: str, *, gone: bool = False) -> None:
        task = self._forget(said)
        if task.node is None:
            self._happened.append(Lost(task.row, None, reason, gone))
            return
        gone = gone or self._has_died(task.node)
        node = self._name(task.node)
        self._happened.append(Lost(task.row, node, f"{node} has died" if gone else reason, gone))

    def _has_died(self, node: str) -> bool:
        """Whether a node is dead: Ray may notice that a moment after the end of what ran there."""
        until_s = time.monotonic() + _DEATH_S
        while node in self._nodes:
            self._look()
            if node in self._nodes and time.monotonic() >= until_s:
                return False
            time.sleep(0.1)
        return True

    def _count_others(self, tasks: Collection[_Task]) -> None:
        for task in tasks:
            if task.node is not None:
                task.others = _most(task.others, self._others.on(task.node))

    def _name(self, id: str) -> str:
        """The name of a node: that of its machine, with a part of its id if another node has that name."""
        if id not in self._names:
            self._nodes = cluster.nodes(self._ray, self._names)
        return self._names.get(id, id)


def _neighbours(task: _Task) -> Known[int]:
    """The jobs beside a row; that it had company is known, even if not how much."""
    if isinstance(task.others, Missing):
        return task.beside or task.others
    return task.beside + task.others


def _most(one: Known[int], other: Known[int]) -> Known[int]:
    if isinstance(one, Missing):
        return one
    return other if isinstance(other, Missing) else max(one, other)
