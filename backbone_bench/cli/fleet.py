"""`bench fleet`: how far a sweep on many machines is, its records so far, and its end."""

import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import (
    RECORDS,
    ROWS,
    OutputsOption,
    QuietOption,
    RecordFormatOption,
    RowFormatOption,
    WideOption,
)

if TYPE_CHECKING:  # they load pydantic
    from collections.abc import Sequence

    from backbone_bench.report.tables.answer import Face
    from backbone_bench.run.fleet.plan import Plan
    from backbone_bench.run.fleet.status import FleetStatus

fleet = typer.Typer(help="Show, collect or end a sweep on many machines.", no_args_is_help=True)
app.add_typer(fleet, name="fleet")

SweepArgument = Annotated[
    Path, typer.Argument(help="The .jsonl output of `bench run --fleet`.", metavar="SWEEP", show_default=False)
]
_LOOK_S = 5.0  # between two looks at a fleet


@fleet.command()
def status(
    sweep: SweepArgument,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show progress until nothing runs or waits; Ctrl-C leaves the fleet alone.")
    ] = False,
    form: RowFormatOption = None,
    to: OutputsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show how many rows are done, run, wait or are lost, on which machines, and the time left."""
    from backbone_bench.run.fleet import plan
    from backbone_bench.run.fleet import status as fleet_status

    planned = plan.read(sweep.absolute())
    _check_outputs(to or [], planned, ROWS)
    now = _follow(planned, quiet=quiet) if follow else _look(planned)
    output.emit(fleet_status.answer(now), form, to or [], ROWS)


@fleet.command()
def collect(
    sweep: SweepArgument,
    wide: WideOption = False,
    form: RecordFormatOption = None,
    to: OutputsOption = None,
) -> None:
    """Collect the records that the machines have written so far, each row once, and show them.

    Each kind of card has a table of its own. The exit code is 3 while rows have no record.
    """
    from backbone_bench.cli.fleet_run import HowShown, show
    from backbone_bench.run.fleet import collect, events, plan

    planned = plan.read(sweep.absolute())
    _check_outputs(to or [], planned, RECORDS)
    found = collect.collect(planned, complain)
    failures = {event.row: event.message or "" for event in events.read(planned.output) if event.what == "failed"}
    show(planned, found.by_row, failures, to or [], HowShown(form, wide=wide))
    done = len(collect.done(planned, found.by_row))
    complain(f"Records: {done} of {len(planned.rows)} rows, {found.added} of them collected now.")
    raise typer.Exit(0 if done == len(planned.rows) else 3)


@fleet.command()
def cancel(sweep: SweepArgument) -> None:
    """End what still runs or waits; the records so far stay, and --resume continues the sweep."""
    from backbone_bench.run.fleet import lock, plan
    from backbone_bench.run.fleet.slurm import batch, commands

    planned = plan.read(sweep.absolute())
    ended = 0
    if batch.submissions(planned):
        while count := commands.cancel(batch.name(planned)):  # a collecting job may submit more meanwhile
            ended = max(ended, count)
            time.sleep(1)
    if ended:
        complain(f"Ended {ended} jobs of Slurm.")
    driver = lock.driver(planned.output)
    if driver is None:
        complain("Nothing runs any more.")
        return
    if driver.host != platform.node():
        raise UserError(f"The driver runs on {driver.host}, as process {driver.pid}: end it there.")
    try:
        os.kill(driver.pid, signal.SIGTERM)
    except (ProcessLookupError, PermissionError) as error:
        raise UserError(f"Cannot end the driver, process {driver.pid}: {error.strerror}.") from None
    complain(f"Asked the driver, process {driver.pid}, to end.")


@fleet.command(hidden=True)
def work(sweep: SweepArgument, submission: int, array: int) -> None:
    """Run the rows of one element of an array, within a job of Slurm."""
    from backbone_bench.run.fleet import plan
    from backbone_bench.run.fleet.slurm import element

    planned = plan.read(sweep.absolute())
    raise typer.Exit(element.work(planned, submission, array, element.here(), complain))


@fleet.command(hidden=True)
def gather(sweep: SweepArgument) -> None:
    """Collect the records when all arrays have ended, and submit once more what no machine has finished."""
    from backbone_bench.run.fleet import collect, plan
    from backbone_bench.run.fleet.drive import TRIES
    from backbone_bench.run.fleet.slurm import batch, commands

    planned = plan.read(sweep.absolute())
    found = collect.collect(planned, complain)
    done = collect.done(planned, found.by_row)
    complain(f"Records: {len(done)} of {len(planned.rows)} rows.")
    own = os.environ.get("SLURM_JOB_ID")
    if any(task.job != own for task in commands.tasks(batch.name(planned))):
        complain("Other jobs of this sweep are in the queue: they are not submitted again.")  # it was started twice
        return
    left = batch.left(planned, done)
    for row in left.given_up:
        complain(f"Row {row.row} ({row}) has lost its machine {TRIES} times and is not tried again.")
    if not left.rows:
        return
    if left.submissions >= batch.SUBMISSIONS:
        raise UserError(f"{len(left.rows)} rows were submitted {batch.SUBMISSIONS} times and have no record.")
    submission = batch.submit(planned, left.rows, left)
    complain(f"Submitted {len(left.rows)} rows again, without {', '.join(submission.avoid) or 'leaving a node out'}.")


def _check_outputs(paths: "Sequence[Path]", planned: "Plan", faces: "Sequence[Face]") -> None:
    """Raise UserError for an output that could not be written, or that is the sweep itself."""
    output.check(paths, faces)
    if any(path.absolute() == planned.output for path in paths):
        raise UserError(f"{planned.output} is the sweep itself: name another output.")


def _look(planned: "Plan") -> "FleetStatus":
    """The state of a fleet now."""
    from backbone_bench.run.fleet import collect
    from backbone_bench.run.fleet import status as fleet_status

    return fleet_status.read(planned, collect.recorded(planned), time.time())


def _follow(planned: "Plan", *, quiet: bool) -> "FleetStatus":
    """Show progress until nothing runs or waits; return the last state."""
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.run.fleet import status as fleet_status

    with shown(quiet=quiet, verbose=not sys.stderr.isatty()) as progress:
        on_progress = progress.whole(planned.output.name)
        while True:
            now = _look(planned)
            on_progress(fleet_status.sentence(now), now.ended / max(1, len(now.rows)))
            if now.over:
                return now
            time.sleep(_LOOK_S)
