"""A Ray cluster: the connection to it, its nodes and their cards, and what else runs there."""

import os
import re
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from backbone_bench.base.errors import UserError, first_line, visible
from backbone_bench.base.signals import Interrupted, deferred
from backbone_bench.records import Known, Missing

_MISSING = "--fleet ray needs Ray: pip install 'backbone-bench[ray]'."
_TOKEN = "its token is missing or wrong: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to the file with its token"
KIND = "accelerator_type:"  # Ray's resource of a kind of card
_CONNECT_S = 5.0


class RayNode(NamedTuple):
    """A node that lives, as Ray describes it."""

    id: str
    cpus: int
    gpus: int
    kind: str | None


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster. Raises UserError, in one line, if it cannot be."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    try:
        import ray
    except ImportError:
        raise UserError(_MISSING) from None
    where = _reached(ray, address)
    with _unprinted(ray):
        with _handlers_kept():
            _connect(ray, where)
        try:
            yield ray
        finally:
            with deferred():
                ray.shutdown()


@contextmanager
def _unprinted(ray: Any) -> Iterator[None]:
    """Keep Ray from printing to stdout, without a setting against it, the last lines of the log of a node that died."""
    module = ray._private.worker
    before, module.print_to_stdstream = module.print_to_stdstream, lambda lines, ignore_prefix: None
    try:
        yield
    finally:
        module.print_to_stdstream = before


def _reached(ray: Any, address: str | None) -> str:
    """The address of a cluster, at which something listens: Ray itself would try for two minutes."""
    named = address or os.environ.get("RAY_ADDRESS") or "auto"
    if "://" in named:
        raise UserError(
            f"--fleet ray:{visible(named)}: this does not work through Ray Client: run it on a machine of the cluster, "
            f"with the address HOST:PORT."
        )
    try:
        found = str(ray._private.services.canonicalize_bootstrap_address_or_die(named))
    except (ConnectionError, ValueError, OSError) as error:
        if named == "auto":
            raise UserError(
                "No Ray cluster is found on this machine: `ray start --head` starts one, and --fleet ray:HOST:PORT or "
                "RAY_ADDRESS names another."
            ) from None
        raise UserError(f"--fleet ray:{visible(named)}: {first_line(error)}. An address is HOST:PORT.") from None
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise UserError(
            f"No Ray cluster answers at {visible(found)} ({reason}): is it up, and the address right?"
        ) from None
    return found


def _connect(ray: Any, address: str) -> None:
    import logging

    try:
        with _hushed() as lines:
            ray.init(address=address, logging_level=logging.CRITICAL, log_to_driver=False)
    except SystemError as error:  # so Ray's calls in C pass on what a signal raises
        raise error.__cause__ if isinstance(error.__cause__, Interrupted) else error from None
    except ray.exceptions.AuthenticationError:
        raise UserError(f"The Ray cluster at {address} does not let this program in: {_TOKEN}.") from None
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        if re.search(r"InvalidAuthToken|Unauthenticated", "".join(lines)):
            raise UserError(f"The Ray cluster at {address} does not let this program in: {_TOKEN}.") from None
        raise UserError(f"Cannot use the Ray cluster at {address}: {first_line(error)}.") from None


@contextmanager
def _hushed() -> Iterator[list[str]]:
    """Keep what Ray writes to stderr, from Python or from C, in lines: it repeats itself while it connects."""
    lines: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines += file


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, in whose place Ray puts its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def nodes(ray: Any, names: dict[str, str] | None = None) -> Mapping[str, RayNode]:
    """The nodes that live, by id; `names` gets a name of its own for each."""
    found = {}
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        id, resources = node["NodeID"], node["Resources"]
        kind = next((name.removeprefix(KIND) for name in sorted(resources) if name.startswith(KIND)), None)
        found[id] = RayNode(id, int(resources.get("CPU", 0)), int(resources.get("GPU", 0)), kind)
        if names is not None and id not in names:
            host = node["NodeName"] if node["NodeName"] != node["NodeManagerAddress"] else node["NodeManagerHostname"]
            names[id] = host if host not in names.values() else f"{host}-{id[:8]}"
    return found


def cards(address: str | None) -> Mapping[str | None, int]:
    """The kinds of card of a cluster, and the most that one node has; None: of any kind. Raises UserError."""
    with connected(address) as ray:
        most: dict[str | None, int] = {}
        for node in nodes(ray).values():
            for kind in {node.kind, None} if node.gpus else ():
                most[kind] = max(most.get(kind, 0), node.gpus)
        return most


class Others:
    """What runs on the nodes that is not of this plan, as Ray says it.

    A row that holds all of a node has no other task beside it. An actor that holds nothing is in Ray's table of actors;
    a list of tasks needs Ray's dashboard.
    """

    def __init__(self, ray: Any, exclusive: bool) -> None:
        self._ray, self._exclusive = ray, exclusive
        self._own = ray.get_runtime_context().get_job_id()
        self._by_node: Counter[str] = Counter()
        self._unknown: Missing | None = None

    def on(self, node: str) -> Known[int]:
        return self._unknown if self._unknown is not None else self._by_node[node]

    def look(self) -> None:
        """Ask Ray anew."""
        if self._unknown is not None:
            return
        actors = self._ray._private.state.actors()
        self._by_node = Counter(
            actor["Address"]["NodeID"]
            for actor in actors.values()
            if actor["State"] == "ALIVE" and actor["JobID"] != self._own
        )
        if not self._exclusive:
            self._look_at_tasks()

    def _look_at_tasks(self) -> None:
        from ray.util.state import list_tasks
        from ray.util.state.exception import RayStateApiException

        try:
            tasks = list_tasks(
                filters=[("state", "=", "RUNNING"), ("job_id", "!=", self._own), ("type", "=", "NORMAL_TASK")],
                limit=10_000,
                timeout=5,
                raise_on_missing_output=False,
            )
        except RayStateApiException:
            self._unknown = Missing(
                "no_task_list", "Ray lists the tasks of a node only with its dashboard (pip install 'ray[default]')."
            )
        else:
            self._by_node.update(task.node_id for task in tasks if task.node_id)


def remote(ray: Any) -> Any:
    """The task of a row. As a function within one it travels by value, so a node without this program can say so."""

    def row(conditions: str, row: str) -> Iterator[str]:
        import json

        import ray

        context = ray.get_runtime_context()
        node = context.get_node_id()
        try:
            from backbone_bench.run.fleet.ray import task
        except ImportError as error:
            reason = f"backbone-bench with the engine Ray is not installed: {error}"
            yield json.dumps({"kind": "unfit", "node": node, "reasons": [reason]})
        else:
            yield from task.answers(node, context.get_task_id(), conditions, row)

    return ray.remote(num_returns="streaming", max_retries=0)(row)
