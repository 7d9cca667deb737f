"""Submit rows to Slurm: an array of jobs for each kind of card, and a job that collects when they have ended.

Each element of an array runs the rows that a submission has written down for it, on a node of its own. Rows that no
node has finished are submitted once more by the collecting job, without the nodes that could not run them.
"""

import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import Sharing
from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.records import STRICT, store
from backbone_bench.run.fleet import events, plan
from backbone_bench.run.fleet.drive import TRIES
from backbone_bench.run.fleet.plan import Plan, Row
from backbone_bench.run.fleet.slurm import commands

SUBMISSIONS = 5  # of one sweep at most, before somebody has to look

# How an element shares its node, in words of `sbatch`.
_SHARING: Mapping[Sharing, tuple[str, ...]] = {
    "exclusive": ("--exclusive",), "side_by_side": ("--exclusive=user",), "shared": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True, config=STRICT)
class Array:
    """The elements of one array: the rows of each, all for one kind of card."""

    kind: str | None
    elements: tuple[tuple[int, ...], ...]
    job: str | None = None  # Slurm's id, as soon as it is known


@dataclass(frozen=True, slots=True, config=STRICT)
class Submission:
    """What was handed to Slurm at one time."""

    number: int
    arrays: tuple[Array, ...]
    avoid: tuple[str, ...]  # nodes that could not run rows before
    collector: str | None = None  # the id of the job that collects


_SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)


def name(of: Plan) -> str:
    """The name of all jobs of a plan in Slurm."""
    return f"bench-{of.id}"


def submissions(of: Plan) -> list[Submission]:
    """All submissions of a plan, in order."""
    files = sorted(_folder(of).glob("*.json"), key=lambda path: int(path.stem))
    return [_SUBMISSION.validate_json(path.read_bytes()) for path in files]


def submit(of: Plan, rows: Sequence[Row], avoid: Collection[str] = ()) -> Submission:
    """Submit these rows. Raises UserError, with nothing left in the queue, if Slurm refuses a part of them."""
    limit, number = commands.largest_array(), len(submissions(of)) + 1
    arrays = [
        Array(kind, elements)
        for kind, own in group_by(rows, lambda row: row.kind).items()
        for elements in _in_arrays([row.row for row in own], of.conditions.rows_per_job, limit)
    ]
    submission = Submission(number, tuple(arrays), tuple(sorted(avoid)))
    for folder in (_folder(of), _logs(of)):
        folder.mkdir(parents=True, exist_ok=True)
    _write(of, submission)
    jobs: list[str] = []
    try:
        for index, array in enumerate(arrays):
            jobs.append(commands.submit(_words(of, submission, array), _command(of, "work", number, index)))
        collector = commands.submit(_of_collector(of, jobs), _command(of, "gather"))
    except UserError:
        if jobs:
            commands.cancel(jobs)
        _path(of, number).unlink()
        raise
    known = [replace(array, job=job) for array, job in zip(arrays, jobs, strict=True)]
    submission = replace(submission, arrays=tuple(known), collector=collector)
    _write(of, submission)
    return submission


class Left(NamedTuple):
    """Rows that no node has finished, and the nodes that could not run them."""

    rows: tuple[Row, ...]
    avoid: frozenset[str]


def left(of: Plan, recorded: Collection[int]) -> Left:
    """What must be submitted once more when all arrays have ended."""
    happened = events.read(of.output)
    now = events.states(of, recorded, happened, lambda event: False)
    ended = commands.endings([array.job for one in submissions(of) for array in one.arrays if array.job])
    canceled = {job for job, ending in ended.items() if ending.state.startswith("CANCELLED")}
    tries = {row.row: sum(event.row == row.row and event.what == "started" for event in happened) for row in of.rows}
    rows = [
        one.row
        for one in now
        if one.state in ("waiting", "lost", "refused")
        and tries[one.row.row] < TRIES
        and not (one.last is not None and one.last.job in canceled)
    ]
    refused = {event.node for event in happened if event.what == "refused" and event.node}
    silent = {ending.node for job, ending in ended.items() if ending.state == "FAILED" and not _spoke(job, happened)}
    return Left(tuple(rows), frozenset(refused | silent))


def _spoke(job: str, happened: Sequence[events.RowEvent]) -> bool:
    """Whether an element could write down what happened to it."""
    return any(event.job == job for event in happened)


def _in_arrays(rows: Sequence[int], rows_per_job: int | None, limit: int) -> list[tuple[tuple[int, ...], ...]]:
    """The rows in elements, and the elements in as many arrays as the limit asks for.

    Without a number of rows for a job it is one, or as many as fill one array.
    """
    size = rows_per_job or -(-len(rows) // limit)
    elements = [tuple(rows[start : start + size]) for start in range(0, len(rows), size)]
    return [tuple(elements[start : start + limit]) for start in range(0, len(elements), limit)]


def _words(of: Plan, submission: Submission, array: Array) -> list[str]:
    words = [*_common(of), f"--array=0-{len(array.elements) - 1}", f"--output={_logs(of)}/%A_%a.log"]
    words += ["--open-mode=append", "--requeue", "--nodes=1", "--ntasks=1", *_SHARING[of.conditions.sharing]]
    if array.kind is not None or any(not of.row(row).job.on_host for rows in array.elements for row in rows):
        words.append(f"--gres=gpu:{array.kind}:1" if array.kind else "--gres=gpu:1")
    if submission.avoid:
        words.append(f"--exclude={','.join(submission.avoid)}")
    return [*words, *of.conditions.words]


def _of_collector(of: Plan, jobs: Sequence[str]) -> list[str]:
    waits = f"--dependency=afterany:{':'.join(jobs)}"
    return [*_common(of), waits, f"--output={_logs(of)}/collect-%j.log", *of.conditions.words]


def _common(of: Plan) -> list[str]:
    """The options of every job; `sbatch` takes the last of two, so those of the user come after all."""
    return [f"--job-name={name(of)}", f"--chdir={of.conditions.folder}"]


def _command(of: Plan, command: str, *words: int) -> str:
    """A subcommand of `bench fleet` for the output, as a line for the shell."""
    started = [sys.executable, "-m", "backbone_bench", "fleet", command, str(of.output), *map(str, words)]
    return f"exec {shlex.join(started)}"


def _folder(of: Plan) -> Path:
    return plan.folder(of.output) / "submissions"


def _logs(of: Plan) -> Path:
    return plan.folder(of.output) / "logs"


def _path(of: Plan, number: int) -> Path:
    return _folder(of) / f"{number}.json"


def _write(of: Plan, submission: Submission) -> None:
    store.write(_path(of, submission.number), _SUBMISSION.dump_json(submission))
