"""A Ray that is a script: its nodes are a list, and its tasks say what a test lets them say."""

import json
from collections import deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class NodeDiedError(RayError):
    pass


class Said:
    """What a task says, one text after the other; an exception is raised."""

    def __init__(self, options: dict[str, Any], row: int) -> None:
        self.options, self.row = options, row
        self.texts: deque[str | RayError] = deque()
        self.cancelled = False

    def __next__(self) -> str | RayError:
        return self.texts.popleft()

    def begins(self, node: str) -> None:
        self.texts.append(json.dumps({"kind": "begun", "node": node, "task": f"task {self.row}"}))

    def refuses(self, node: str) -> None:
        self.texts.append(json.dumps({"kind": "unfit", "node": node, "reasons": ["no room"]}))

    def fails(self) -> None:
        failure = {"kind": "failed", "message": "no", "exit_code": 3}
        self.texts.append(json.dumps({"kind": "result", "record": None, "failure": failure, "differs": []}))


class ScriptedRay:
    """The calls of Ray that the places make."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, NodeDiedError=NodeDiedError)

    def __init__(self, *nodes: dict[str, Any]) -> None:
        self.there = list(nodes)
        self.tasks: list[Said] = []
        self.actors: dict[str, Any] = {}
        self._private = SimpleNamespace(state=SimpleNamespace(actors=lambda: self.actors))

    def nodes(self) -> list[dict[str, Any]]:
        return self.there

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_job_id=lambda: "own")

    def remote(self, **given: Any) -> Any:
        return lambda function: SimpleNamespace(options=lambda **more: SimpleNamespace(remote=self._starter(more)))

    def _starter(self, options: dict[str, Any]) -> Any:
        def start(conditions: str, row: str) -> Said:
            self.tasks.append(Said(options, json.loads(row)["row"]))
            return self.tasks[-1]

        return start

    def wait(self, tasks: Sequence[Said], *, num_returns: int, timeout: float) -> tuple[list[Said], list[Said]]:
        ready = [task for task in tasks if task.texts]
        return ready[:num_returns], []

    def get(self, text: str | RayError) -> str:
        if isinstance(text, RayError):
            raise text
        return text

    def cancel(self, task: Said, *, force: bool) -> None:
        task.cancelled = True


def node(name: str, cpus: int = 4, gpus: int = 0, kind: str | None = None) -> dict[str, Any]:
    """A node, as Ray describes it."""
    resources = {"CPU": float(cpus), "GPU": float(gpus), **({f"accelerator_type:{kind}": 1.0} if kind else {})}
    return {
        "Alive": True,
        "NodeID": f"id of {name}",
        "NodeName": name,
        "NodeManagerAddress": "10.0.0.1",
        "NodeManagerHostname": name,
        "Resources": resources,
    }
