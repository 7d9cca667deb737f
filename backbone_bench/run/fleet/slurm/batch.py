"""Submit rows to Slurm: an array of jobs for each kind of card, and a job that collects when they have ended.

Each element of an array runs the rows that a submission has written down for it, on a node of its own. Rows that no
node has finished are submitted once more by the collecting job, without the nodes that could not run them: that is
another submission of the same round. A round begins when somebody asks for it.
"""

import shlex
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import Sharing
from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.base.program import PACKAGE
from backbone_bench.base.validation import first_problem
from backbone_bench.records import STRICT, store
from backbone_bench.run.fleet import events, plan
from backbone_bench.run.fleet.drive import TRIES
from backbone_bench.run.fleet.plan import Plan, Row
from backbone_bench.run.fleet.slurm import commands

SUBMISSIONS = 5  # of one round at most, before somebody has to look

# A program that runs from a checkout is not on the import path of the nodes.
_FROM_A_CHECKOUT = (
    ""
    if "site-packages" in PACKAGE.parts
    else f'export PYTHONPATH={shlex.quote(str(PACKAGE.parent))}"${{PYTHONPATH:+:$PYTHONPATH}}"; '
)
# How an element shares its node, in words of `sbatch`. A node for itself comes with its memory only if asked for.
_SHARING: Mapping[Sharing, tuple[str, ...]] = {
    "exclusive": ("--exclusive", "--mem=0"), "side_by_side": ("--exclusive=user",), "shared": (),
}  # fmt: skip
# What the user's words ask for a row, and the collecting job does not need.
_OF_A_ROW = (
    "--g",
    "--cpus",
    "-c",
    "--mem",
    "--nodes",
    "-N",
    "--ntasks",
    "-n",
    "--excl",
    "--nodelist",
    "-w",
    "-C",
    "--con",
)


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
    of_round: int  # the number of the first submission of its round
    at_s: float  # since the epoch
    arrays: tuple[Array, ...]
    avoid: tuple[str, ...]  # nodes that could not run rows before
    collector: str | None = None  # the id of the job that collects


_SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)


def name(of: Plan) -> str:
    """The name of all jobs of a plan in Slurm."""
    return f"bench-{of.id}"


def submission(of: Plan, number: int) -> Submission:
    """The submission with this number. Raises UserError if it cannot be read."""
    path = _path(of, number)
    try:
        return _SUBMISSION.validate_json(store.read_bytes(path))
    except ValidationError as error:
        raise UserError(f"{path} is not a submission: {first_problem(error)}.") from None


def submissions(of: Plan) -> list[Submission]:
    """All submissions of a plan that Slurm has taken, in order. Raises UserError if one cannot be read."""
    numbers = sorted(int(path.stem) for path in _folder(of).glob("*.json") if path.stem.isdecimal())
    return [submission(of, number) for number in numbers]


def submit(of: Plan, rows: Sequence[Row], again: "Left | None" = None) -> Submission:
    """Submit these rows; `again`: what an earlier submission of the same round has left.

    Raises UserError, with nothing left in the queue, if Slurm refuses a part of them.
    """
    if "\\" in str(of.output):
        raise UserError(f"{of.output}: Slurm takes no path with a backslash for its logs.")
    limit, number = commands.largest_array(), _next_number(of)
    arrays = [
        Array(kind, elements)
        for kind, own in group_by(rows, lambda row: row.kind).items()
        for elements in _in_arrays([row.row for row in own], of.conditions.rows_per_job, limit)
    ]
    avoid = sorted(again.avoid) if again else ()
    made = Submission(number, again.of_round if again else number, time.time(), tuple(arrays), tuple(avoid))
    plan.make(_logs(of))
    plan.make(_folder(of))
    _write(of, made)
    try:
        jobs = [
            commands.submit(_words(of, made, array), _command(of, "work", number, index))
            for index, array in enumerate(arrays)
        ]
        collector = commands.submit(_of_collector(of, jobs), _command(of, "gather"))
    except BaseException:  # of a signal too: an array that nobody collects must not stay
        _path(of, number).rename(_path(of, number).with_suffix(".refused"))  # its number is not given again
        commands.cancel(name(of))
        raise
    known = [replace(array, job=job) for array, job in zip(arrays, jobs, strict=True)]
    made = replace(made, arrays=tuple(known), collector=collector)
    _write(of, made)
    return made


class Left(NamedTuple):
    """Rows of the last submission that no node has finished, and what is known for the next one."""

    rows: tuple[Row, ...]
    given_up: tuple[Row, ...]  # they have lost their node too often
    avoid: frozenset[str]  # nodes that could not run rows
    of_round: int
    submissions: int  # of the round


def left(of: Plan, complete: Collection[int]) -> Left:
    """What must be submitted once more, when all arrays of the last submission have ended."""
    made = submissions(of)
    in_round = [one for one in made if one.of_round == made[-1].of_round]
    begun_s = in_round[0].at_s
    happened = [event for event in events.read(of.output) if event.at_s >= begun_s]
    ended = commands.endings([array.job for array in made[-1].arrays if array.job])
    asked = (row for row in _asked(made[-1]) if row not in complete)
    unfinished = [row for row in asked if not _settled(row, made[-1], happened, ended)]
    starts = {row: sum(event.row == row and event.what == "started" for event in happened) for row in unfinished}
    refused = {event.node for event in happened if event.what == "refused" and event.node}
    spoke = {event.job for event in happened}
    silent = {ending.node for job, ending in ended.items() if ending.state == "FAILED" and job not in spoke}
    return Left(
        rows=tuple(of.row(row) for row in unfinished if starts[row] < TRIES),
        given_up=tuple(of.row(row) for row in unfinished if starts[row] >= TRIES),
        avoid=frozenset(refused | silent | set(made[-1].avoid)),
        of_round=made[-1].of_round,
        submissions=len(in_round),
    )


def _asked(of: Submission) -> list[int]:
    return [row for array in of.arrays for rows in array.elements for row in rows]


def _settled(
    row: int, last: Submission, happened: Sequence[events.RowEvent], ended: Mapping[str, commands.Ending]
) -> bool:
    """Whether a row without a complete record is not to run again: it has failed, or its user has ended its element."""
    own = [event for event in happened if event.row == row]
    if own and own[-1].what in ("failed", "recorded"):
        return True
    array, element = next(
        (array, place) for array in last.arrays for place, rows in enumerate(array.elements) if row in rows
    )
    job = f"{array.job}_{element}"
    began = any(event.job == job for event in own)
    ending = ended.get(job) or (None if began else ended.get(f"{array.job}_*"))
    return ending is not None and ending.state.startswith("CANCELLED")


def _next_number(of: Plan) -> int:
    """A number that no submission has had, refused ones included."""
    return 1 + max((int(path.stem) for path in _folder(of).glob("*.*") if path.stem.isdecimal()), default=0)


def _in_arrays(rows: Sequence[int], rows_per_job: int | None, limit: int) -> list[tuple[tuple[int, ...], ...]]:
    """The rows in elements, and the elements in as many arrays as the limit asks for.

    Without a number of rows for a job it is one, or as many as fill one array.
    """
    size = rows_per_job or -(-len(rows) // limit)
    elements = [tuple(rows[start : start + size]) for start in range(0, len(rows), size)]
    return [tuple(elements[start : start + limit]) for start in range(0, len(elements), limit)]


def _words(of: Plan, submission: Submission, array: Array) -> list[str]:
    words = [*_common(of), f"--array=0-{len(array.elements) - 1}", f"--output={_log(of, '%A_%a')}"]
    words += ["--open-mode=append", "--requeue", "--nodes=1", "--ntasks=1", *_SHARING[of.conditions.sharing]]
    if array.kind is not None or any(not of.row(row).job.on_host for rows in array.elements for row in rows):
        words.append(f"--gres=gpu:{array.kind}:1" if array.kind else "--gres=gpu:1")
    if submission.avoid:
        words.append(f"--exclude={','.join(submission.avoid)}")
    return [*words, *of.conditions.words]


def _of_collector(of: Plan, jobs: Sequence[str]) -> list[str]:
    waits = f"--dependency=afterany:{':'.join(jobs)}"
    users = (word for word in of.conditions.words if not word.startswith(_OF_A_ROW))
    return [*_common(of), waits, f"--output={_log(of, 'collect-%j')}", *users]


def _common(of: Plan) -> list[str]:
    """The options of every job; `sbatch` takes the last of two, so those of the user come after all."""
    return [f"--job-name={name(of)}", f"--chdir={of.conditions.folder}"]


def _command(of: Plan, command: str, *words: int) -> str:
    """A subcommand of `bench fleet` for the output, as a line for the shell.

    Modules in the working folder cannot shadow those of the program.
    """
    started = [sys.executable, "-P", "-m", "backbone_bench", "fleet", command, str(of.output), *map(str, words)]
    return f"{_FROM_A_CHECKOUT}exec {shlex.join(started)}"


def _folder(of: Plan) -> Path:
    return plan.folder(of.output) / "submissions"


def _logs(of: Plan) -> Path:
    return plan.folder(of.output) / "logs"


def _log(of: Plan, pattern: str) -> str:
    """A file for the output of a job; Slurm replaces what follows a `%`."""
    return f"{str(_logs(of)).replace('%', '%%')}/{pattern}.log"


def _path(of: Plan, number: int) -> Path:
    return _folder(of) / f"{number}.json"


def _write(of: Plan, submission: Submission) -> None:
    store.write(_path(of, submission.number), _SUBMISSION.dump_json(submission))
