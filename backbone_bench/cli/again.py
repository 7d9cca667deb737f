"""`bench merge` and `bench rerun`: records of earlier runs, joined or made again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain, program
from backbone_bench.cli.job_options import TimeoutOption
from backbone_bench.cli.options import (
    ROWS,
    OutputsOption,
    QuietOption,
    RecordFormatOption,
    RecordsArgument,
    RowFormatOption,
)

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.records import Record
    from backbone_bench.run.sweep import Sweep


@app.command()
def merge(files: RecordsArgument, form: RecordFormatOption = None, to: OutputsOption = None) -> None:
    """Join the records of several files, such as the shards of a sweep.

    In the order of the files, each record once.
    """
    from backbone_bench.records import store
    from backbone_bench.report.views.columns import RUN

    paths = to or []
    output.check(paths)
    records = {record.id: record for record in store.read(files, warn=complain)}
    if not records:
        raise UserError(f"No record in {', '.join(map(str, files))}.")
    output.emit(output.of_records(list(records.values()), RUN, "1"), form, paths)


@app.command()
def rerun(
    files: RecordsArgument,
    chosen: Annotated[
        list[str] | None, typer.Option("--id", help="Only the record whose id begins so. Repeatable.", metavar="ID")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Also run models that are code of their own: files, modules, programs.")
    ] = False,
    timeout: TimeoutOption = None,
    form: RowFormatOption = None,
    to: OutputsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run the workload of a record again, and show both.

    JSON holds the new records; the other forms show old and new side by side.
    """
    from backbone_bench.records import store
    from backbone_bench.report.views.rerun import Rerun, answer

    paths = to or []
    output.check(paths, ROWS)
    old = _chosen(store.read(files, warn=complain), chosen or ())
    _check(old, trust=trust)
    over = _run(old, timeout, quiet=quiet)
    over_now = zip(over.outcomes, old, strict=False)  # a signal may have come in between
    pairs = [Rerun(outcome.record, before) for outcome, before in over_now if outcome.record is not None]
    if pairs:
        output.emit(answer(pairs), form, paths, ROWS)
    if over.ended is not None:
        complain(f"{str(over.ended).rstrip('.')}: {len(over.outcomes)} of {len(old)} records are over.")
    raise typer.Exit(over.exit_code)


def _chosen(records: "Sequence[Record]", ids: Sequence[str]) -> "Sequence[Record]":
    for wanted in ids:
        if not any(record.id.startswith(wanted) for record in records):
            raise UserError(f"No record has an id that begins with {wanted!r}.")
    found = [record for record in records if not ids or record.id.startswith(tuple(ids))]
    if not found:
        raise UserError("There is no record to run again.")
    return found


def _check(records: "Sequence[Record]", *, trust: bool) -> None:
    """A record may come from anybody: the code that it names runs only where the user says so."""
    for record in records:
        if record.environment.device == "meta":
            raise UserError(f"{record.workload.model} was only counted: `bench count` does that again.")
        if record.workload.source == "object":
            raise UserError(f"{record.workload.model} was handed over by a Python program: only that can run it again.")
        if record.workload.names_code and not trust:
            raise UserError(f"The record names code to run, {record.workload.model}: --trust runs it.")


def _run(old: "Sequence[Record]", timeout_s: float | None, *, quiet: bool) -> "Sweep":
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.run import resume, runner, sweep

    jobs = resume.jobs_again(old, runner.resolve)
    with shown(quiet=quiet) as progress:

        def say(outcome: runner.JobResult) -> None:
            if outcome.failure is not None:
                progress.say(f"{program()}: {outcome.job}: {outcome.failure.message}")

        run = runner.isolated(timeout_s)
        return sweep.sweep(jobs, run, lambda number, job: progress.row(str(job), number, len(jobs)), say)
