"""A Ray cluster of virtual nodes on this machine, with tokens on."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"
PATH = f"{SITE}:{ROOT}"
STORE_BYTES = 80 << 20


class VirtualCluster:
    """A head without CPUs, where drivers run, and the nodes that a test adds."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES})
        self.nodes: dict[str, object] = {}

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, name: str, *, path: str = PATH, row: str = "stand_in", cpus: int = 1, **given: object) -> None:
        """Add a node. `env`: further variables of its environment."""
        variables = {"PYTHONPATH": path, "FLEET_ROW": row, **given.pop("env", {})}  # type: ignore[dict-item]
        sizes = {"num_cpus": cpus, "object_store_memory": STORE_BYTES}
        self.nodes[name] = self.cluster.add_node(node_name=name, env_vars=variables, **sizes, **given)

    def kill(self, name: str) -> None:
        """Kill all processes of a node."""
        self.cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def clear(self) -> None:
        """Remove the nodes that are left, so that the cluster has only its head."""
        for node in self.nodes.values():
            self.cluster.remove_node(node)
        self.nodes.clear()
        self.cluster.wait_for_nodes()

    def driver(self, output: Path, **variables: str) -> "subprocess.Popen[str]":
        """Start a driver of the plan of an output."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.fleet.ray_driver", str(output)],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def started() -> Iterator[VirtualCluster]:
    """A cluster, and the token in the environment of this process."""
    before = dict(os.environ)
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        made = VirtualCluster()
        try:
            yield made
        finally:
            made.cluster.shutdown()
    finally:
        os.environ.clear()
        os.environ.update(before)
