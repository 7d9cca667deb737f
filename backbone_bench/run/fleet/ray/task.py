"""A row on a node of Ray: whether the node may run it, and its result, as lines of text.

What Ray sets for its own workers (variables, import path, niceness) does not reach the row.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import silent
from backbone_bench.records import STRICT, Record
from backbone_bench.run import runner
from backbone_bench.run.fleet import machine
from backbone_bench.run.fleet.plan import Conditions, Row
from backbone_bench.run.messages import Failed
from backbone_bench.run.process import Worker


@dataclass(frozen=True, slots=True, config=STRICT)
class Begun:
    """The row has begun to run on this node."""

    node: str
    task: str
    kind: Literal["begun"] = "begun"


@dataclass(frozen=True, slots=True, config=STRICT)
class Unfit:
    """The node cannot run rows of this plan, for these reasons."""

    node: str
    reasons: tuple[str, ...]
    kind: Literal["unfit"] = "unfit"


@dataclass(frozen=True, slots=True, config=STRICT)
class NodeResult:
    """How the row has ended, and what is another version on the node."""

    record: Record | None
    failure: Failed | None
    differs: tuple[str, ...]
    kind: Literal["result"] = "result"


NodeAnswer = Begun | Unfit | NodeResult

ANSWER: TypeAdapter[NodeAnswer] = TypeAdapter(NodeAnswer)
CONDITIONS: TypeAdapter[Conditions] = TypeAdapter(Conditions)
ROW: TypeAdapter[Row] = TypeAdapter(Row)


def answers(node: str, task: str, conditions_text: str, row_text: str) -> Iterator[str]:
    """Run a row on this node, and say how it goes."""
    conditions, row = CONDITIONS.validate_json(conditions_text), ROW.validate_json(row_text)
    began_under = os.getppid()
    fitness = machine.fitness(conditions)
    if fitness.refusals:
        yield _text(Unfit(node, fitness.refusals))
        return
    yield _text(Begun(node, task))
    result = _run(conditions, row, fitness.differs)
    if result.failure is None or os.getppid() == began_under:
        yield _text(result)  # else the node is dying: Ray kills the rows of its workers, which is no failure of theirs


def _text(answer: NodeAnswer) -> str:
    return ANSWER.dump_json(answer).decode()


def _run(conditions: Conditions, row: Row, differs: tuple[str, ...]) -> NodeResult:
    try:
        with runner.started(row.job, silent, conditions.timeout_s, worker(conditions), row.argv) as running:
            _as_nice_as_the_node(running.process.process.pid)
            result = running.wait()
    except UserError as error:  # no process could be started
        return NodeResult(None, Failed(str(error), error.exit_code), differs)
    return NodeResult(result.record, result.failure, differs)


def worker(conditions: Conditions) -> Worker:
    """A worker without what Ray has put into the environment and the import path of this process."""
    planned = machine.worker(conditions)
    found = find_spec("ray")
    own = Path(found.origin).parent if found is not None and found.origin is not None else None
    path = [folder for folder in sys.path if own is None or not Path(folder).is_relative_to(own)]
    ours = {name: None for name in os.environ if name.startswith("RAY_") or name in ("PYTHONBREAKPOINT", "SPT_NOENV")}
    return planned._replace(command=Worker.of(path).command, variables=(*planned.variables, *ours.items()))


def _as_nice_as_the_node(pid: int) -> None:
    """Take back the niceness that Ray gives to its workers, if this user may."""
    with suppress(KeyError, OSError):
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, int(os.environ["RAY_RAYLET_PID"])))
