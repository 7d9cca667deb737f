"""Slurm's commands, and what they answer. No accounting (`sacct`) is needed."""

import os
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from backbone_bench.base.errors import UserError, visible
from backbone_bench.records import Known, Missing

_LIMIT_S = 180.0  # a full queue makes `sbatch` wait for two minutes before it says so
_LOST_INDEX = "4294967294"  # Slurm's number for none
_CHANGING = ("SLURM_", "SQUEUE_", "SINFO_", "SCANCEL_", "SCONTROL_")
_OF_THE_SITE = ("SLURM_CONF", "SLURM_CLUSTERS")
HELD = "launch failed requeued held"  # the reason of an element that a node could not start, which waits for ever


class Task(NamedTuple):
    """An element of an array that Slurm still has to run, or runs."""

    job: str  # of the array and the element: `17_4`
    name: str
    state: str  # Slurm's: PENDING, RUNNING …
    node: str
    reason: str  # why it is pending


class Ending(NamedTuple):
    """How Slurm saw an element end."""

    state: str
    node: str


class Cards(NamedTuple):
    """The cards of one kind in one node."""

    kind: str | None  # None: the site gives them no type
    number: int


def ask(*command: str) -> str:
    """What a command prints. Raises UserError with its complaint if it fails, is not there or does not answer."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_LIMIT_S, env=_variables(os.environ)
        )
    except FileNotFoundError:
        raise UserError(f"There is no command {command[0]}: --fleet slurm needs a login node of Slurm.") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"Slurm does not answer: {command[0]} has waited for {_LIMIT_S:g} s.") from None
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if line.strip()), f"exit code {done.returncode}")
        raise UserError(f"Slurm refuses: {visible(complaint.strip().removesuffix('.'))}.")
    return done.stdout


def _variables(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of Slurm's commands, without what would change their answers.

    A job that is submitted within a job would take itself for that one; `SQUEUE_STATES` would hide jobs. Those of
    `sbatch` stay: they say how jobs are submitted here.
    """
    own = {name: value for name, value in environ.items() if not name.startswith(_CHANGING) or name in _OF_THE_SITE}
    return own | {"SLURM_BITSTR_LEN": "0"}


def submit(words: Sequence[str], command: str) -> str:
    """Submit a shell command as a batch job with these options of `sbatch`; return the id of the job."""
    return ask("sbatch", "--parsable", *words, "--wrap", command).strip().partition(";")[0]


def tasks(name: str) -> list[Task]:
    """The elements of all jobs with this name that wait or run."""
    lines = ask("squeue", "--noheader", "--array", f"--name={name}", "--format=%i|%j|%T|%N|%r").splitlines()
    return [Task(*line.split("|", 4)) for line in lines if line.count("|") >= 4]


def endings(jobs: Collection[str]) -> Mapping[str, Ending]:
    """How the elements of these arrays ended, as far as Slurm remembers; it forgets after some minutes.

    Elements that were canceled before they began stand under `17_*`: Slurm does not say which they are.
    """
    found: dict[str, Ending] = {}
    for job in jobs:
        try:
            shown = _shown(job)
        except UserError:  # it is forgotten
            continue
        for facts in shown:
            if "ArrayTaskId" in facts:
                index = facts["ArrayTaskId"]
                one = index if index.isdecimal() and index != _LOST_INDEX else "*"
                found[f"{facts.get('ArrayJobId', job)}_{one}"] = Ending(
                    facts.get("JobState", ""), facts.get("NodeList", "")
                )
    return found


def _shown(job: str) -> list[dict[str, str]]:
    """What Slurm knows of the elements of an array, by its own words; those that wait alike are one."""
    lines = ask("scontrol", "--oneliner", "show", "job", job).splitlines()
    return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]


def exclude(job: str, node: str) -> None:
    """Keep what is pending of an array away from this node too; end it if no node is left that may run it.

    Slurm would let it wait for ever.
    """
    pending = [facts for facts in _shown(job) if facts.get("JobState") == "PENDING"]
    if not pending:
        return
    lists = {facts["ExcNodeList"] for facts in pending if facts.get("ExcNodeList", "(null)") != "(null)"}
    out = {name for one in lists for name in ask("scontrol", "show", "hostnames", one).split()} | {node}
    if out >= _nodes(pending[0].get("Partition", "")):
        ask("scancel", "--state=PENDING", job)
        raise UserError(f"No node is left that may run the rows: {', '.join(sorted(out))} are not used.")
    with suppress(UserError):  # it complains of elements that have begun meanwhile: their nodes tell for themselves
        ask("scontrol", "update", f"JobId={job}", f"ExcNodeList={','.join(sorted(out))}")


def _nodes(partitions: str) -> set[str]:
    """The nodes of partitions; of all if none is named."""
    words = (f"--partition={partitions}",) if partitions else ()
    return set(ask("sinfo", "--noheader", "--Node", *words, "--format=%N").split())


def release_held(name: str) -> None:
    """Let the elements run elsewhere that a node could not start; Slurm has taken that node out of service."""
    for task in tasks(name):
        if task.reason == HELD:
            ask("scontrol", "release", task.job)


def cancel(name: str) -> int:
    """End all jobs with this name; return how many elements there were."""
    count = len(tasks(name))
    if count:
        ask("scancel", f"--name={name}")
    return count


def largest_array() -> int:
    """The most elements that an array may have; the largest index is one less."""
    size = _configured("MaxArraySize")
    if not size.isdecimal():
        raise UserError("Slurm does not say its MaxArraySize.")
    return int(size)


@cache
def hides_jobs() -> bool:
    """Whether this site does not show the jobs of others."""
    return "jobs" in _configured("PrivateData").split(",")


def _configured(name: str) -> str:
    """A setting of the site; empty if Slurm does not name it."""
    found = re.search(rf"^{name}\s*=\s*(\S+)", ask("scontrol", "show", "config"), re.MULTILINE)
    return found[1] if found else ""


def neighbours(node: str, own: str, *, hidden: bool = False) -> Known[int]:
    """How many other jobs Slurm runs on a node beside this one; `hidden`: it does not show those of others."""
    if hidden:
        return Missing("hidden", "this site of Slurm does not show the jobs of others (PrivateData)")
    try:
        running = ask("squeue", "--noheader", "--array", f"--nodelist={node}", "--states=R,CG", "--format=%i").split()
    except UserError as error:
        return Missing("not_told", str(error))
    return len(set(running) - {own})


def cards() -> list[Cards]:
    """The cards of every node, kind by kind."""
    return [
        cards for line in ask("sinfo", "--noheader", "--Node", "--format=%G").splitlines() for cards in _cards(line)
    ]


def _cards(gres: str) -> Iterator[Cards]:
    """`gpu:a100:4(S:0-1),gpu:h100:2` has four cards of one kind and two of another."""
    for found in re.finditer(r"(?:^|,)gpu:(?:([^:,()]+):)?(\d+)", gres):
        yield Cards(found[1], int(found[2]))
