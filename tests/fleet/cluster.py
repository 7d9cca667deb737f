"""A Slurm cluster on this one machine: virtual nodes that can lose their power, fill their disk or differ in software.

Each node is one slurmd in namespaces of its own: of names (its host name is the node's), of processes (who kills the
first one kills all, as a power cut does) and of mounts (a folder may be another one there, or a disk that is full).
Its card is only a word in the configuration. All of the cluster lies in one folder, with ports and a key of its own, so
that a Slurm that runs on this machine already is left alone. There is no accounting.
"""

import os
import secrets
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

PACKAGES = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "unshare": "util-linux",  # it has setpriv and nsenter, too
    "mount": "mount",
}  # of Debian, by the program that is needed
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])  # daemons are in the latter two
# A dead node is noticed after 10 to 15 s with these (Slurm's own: 300 and 10), and its job starts elsewhere 5 s later
# (cred_expire is that delay as well; Slurm's own: 120, its least: 5).
SILENT_S, ANSWER_S, AGAIN_S = 6, 4, 5
NAMESPACES = (
    "setpriv", "--pdeathsig", "KILL",  # nothing is left if the tests are killed
    "unshare", "--mount", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child",
)  # fmt: skip

CONF = """\
ClusterName=fleet
SlurmctldHost=slurmctld(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire={again_s}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/spool/%n
SlurmdParameters=config_overrides
SlurmdTimeout={silent_s}
MessageTimeout={answer_s}
TCPTimeout=1
KillWait=2
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
MpiDefault=none
GresTypes=gpu
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Reason why no cluster can be started here; None if one can."""
    if absent := {package for program, package in PACKAGES.items() if shutil.which(program, path=PATH) is None}:
        return f"Slurm is not installed: apt-get install {' '.join(sorted(absent))}"
    if os.geteuid() != 0:
        return "only root can start a cluster of virtual nodes"
    tried = subprocess.run([*NAMESPACES, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, text=True)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


@dataclass
class Cluster:
    """Virtual nodes by name with their kind of card, and the environment in which Slurm's commands reach them."""

    folder: Path
    kinds: Mapping[str, str]
    variables: Mapping[str, str]
    prepare: Mapping[str, Sequence[str]]
    daemons: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """What a command prints, as one of Slurm's; raises with its error message if it fails."""
        done = self._try(*command)
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self, name: str) -> None:
        """Switch a node on, or start `slurmctld`."""
        daemon = {
            "munged": f"munged --foreground --force --socket={self.folder}/munge.socket --key-file={self.folder}/key"
            f" --seed-file={self.folder}/seed --pid-file={self.folder}/munged.pid --origin=127.0.0.1",
            "slurmctld": "slurmctld -D",
        }.get(name, f"slurmd -D -N {name}")
        # The shell stays, as the first process there: it reaps orphans, which slurmd would leave as zombies.
        script = "\n".join(["set -e", f"hostname {name}", *self.prepare.get(name, ()), f"{daemon} &", "wait"])
        with (self.folder / f"{name}.log").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                [*NAMESPACES, "sh", "-c", script],
                env=self.variables,
                cwd=self.folder,  # where a daemon that crashes leaves its core
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def kill(self, name: str) -> None:
        """Cut a node's power (or kill `slurmctld`): on return its slurmd and all that its jobs run are gone."""
        while self.daemons[name].poll() is None:
            for first in self._first(name):  # the kernel kills the others with it, and only then lets its parent know
                os.kill(first, SIGKILL)
            time.sleep(0.01)
        del self.daemons[name]

    def inside(self, node: str, script: str) -> str:
        """Output of a line of shell that runs now among the node's mounts and processes: it may fill a disk there."""
        (first,) = self._first(node)
        return self.run("nsenter", f"--target={first}", "--mount", "--uts", "--pid", "sh", "-c", script)

    def drain(self, node: str) -> None:
        """Let no further job start on the node."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")

    def resume(self, node: str) -> None:
        """Let jobs start again on a node that was drained or is down."""
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def states(self) -> dict[str, str]:
        """Each node's state as sinfo gives it: `idle`, `mixed`, `down*` …"""
        rows = self.run("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
        return {node: state for node, state in map(str.split, rows)}

    def wait_until(self, holds: Callable[[], bool], limit_s: float) -> None:
        """Poll until `holds()`; after the limit, raise with the queue, the nodes' states and the logs."""
        end_s = time.monotonic() + limit_s
        while not holds():
            if time.monotonic() > end_s:
                seen = [self._try(command).stdout for command in ("squeue", "sinfo")]
                raise TimeoutError("\n".join([f"{limit_s} s have passed", *seen, self.logs()]))
            time.sleep(0.2)

    def wait_until_idle(self, limit_s: float) -> None:
        """Wait until no job is queued or runs, and every node that is switched on is idle."""
        self.wait_until(lambda: not self.run("squeue", "--noheader") and self._all_idle(), limit_s)

    def logs(self) -> str:
        """What the daemons wrote, each under its name."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')}" for file in files)

    def _first(self, name: str) -> list[int]:
        """Process id, outside, of the first process in the daemon's namespace; none if it has ended."""
        parent = self.daemons[name].pid
        return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def _try(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, env=self.variables, capture_output=True, text=True, timeout=200)

    def _all_idle(self) -> bool:
        states = self.states()
        return all(states[node] == "idle" for node in self.kinds if node in self.daemons)


@contextmanager
def slurm_cluster(
    folder: Path,
    kinds: Sequence[str] = ("a100", "a100", "h100"),
    *,
    cpus: int = 2,
    prepare: Mapping[str, Sequence[str]] | None = None,
    settings: str = "",
) -> Iterator[Cluster]:
    """Start a cluster of nodes n1, n2 …, one per kind of card; on exit nothing of it runs any more.

    `prepare` has, by node, commands of the shell that run before its slurmd: what they mount only this node sees.
    `settings` are further lines of slurm.conf.
    """
    names = {f"n{number}": kind for number, kind in enumerate(kinds, 1)}
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
    variables |= {"PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}
    _write_conf(folder, names, cpus, settings)
    cluster = Cluster(folder, names, variables, prepare or {})
    try:
        cluster.start("munged")
        cluster.wait_until(lambda: (folder / "munge.socket").exists(), 10)
        for name in ("slurmctld", *names):
            cluster.start(name)
        cluster.wait_until(lambda: cluster._try("scontrol", "ping").returncode == 0, 60)
        cluster.wait_until_idle(60)
        yield cluster
    finally:
        for name in [*cluster.daemons]:
            cluster.kill(name)


def _write_conf(folder: Path, kinds: Mapping[str, str], cpus: int, settings: str) -> None:
    for part in ("state", *(f"spool/{node}" for node in kinds)):
        (folder / part).mkdir(parents=True)
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_bytes(secrets.token_bytes(128))
    port, *ports = _free_ports(1 + len(kinds))
    nodes = [
        f"NodeName={node} NodeAddr=127.0.0.1 Port={at} CPUs={cpus} RealMemory=1000 Gres=gpu:{kind}:1"
        for (node, kind), at in zip(kinds.items(), ports, strict=True)
    ]
    conf = CONF.format(port=port, folder=folder, again_s=AGAIN_S, silent_s=SILENT_S, answer_s=ANSWER_S)
    (folder / "slurm.conf").write_text("\n".join([conf, *nodes, settings, ""]))
    # slurmd counts a card only if it names a device; nothing here opens or fences it in.
    cards = [f"NodeName={node} Name=gpu Type={kind} File=/dev/null\n" for node, kind in kinds.items()]
    (folder / "gres.conf").write_text("".join(cards))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
