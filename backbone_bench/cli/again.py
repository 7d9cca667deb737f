"""`bench merge` and `bench rerun`: join the records of several files, or run their workloads again."""

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

    Records stay in the order of the files, and each id appears once.
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
        list[str] | None, typer.Option("--id", help="Only records whose id begins with this. Repeatable.", metavar="ID")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Also run models that are code: files, modules, exported programs.")
    ] = False,
    timeout: TimeoutOption = None,
    form: RowFormatOption = None,
    to: OutputsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run the workload of a record again and compare old with new.

    JSON contains the new records; the other formats show old and new side by side.
    """
    from backbone_bench.records import store
    from backbone_bench.report.views.rerun import Rerun, answer

    paths = to or []
    output.check(paths, ROWS)
    old = _chosen(store.read(files, warn=complain), chosen or ())
    _check(old, trust=trust)
    sweep = _run(old, timeout, quiet=quiet)
    finished = zip(sweep.results, old, strict=False)  # fewer than `old` after a signal
    pairs = [Rerun(outcome.record, before) for outcome, before in finished if outcome.record is not None]
    if pairs:
        output.emit(answer(pairs), form, paths, ROWS)
    if sweep.ended is not None:
        complain(f"{str(sweep.ended).rstrip('.')}: {len(sweep.results)} of {len(old)} records were run.")
    raise typer.Exit(sweep.exit_code)


def _chosen(records: "Sequence[Record]", ids: Sequence[str]) -> "Sequence[Record]":
    for start in ids:
        if not any(record.id.startswith(start) for record in records):
            raise UserError(f"No record has an id that begins with {start!r}.")
    found = [record for record in records if not ids or record.id.startswith(tuple(ids))]
    if not found:
        raise UserError("The files hold no record to run again.")
    return found


def _check(records: "Sequence[Record]", *, trust: bool) -> None:
    """Raise UserError for a record that cannot be run again, or that names code without `trust`.

    A record may come from anybody, so its code runs only with the user's consent.
    """
    for record in records:
        if record.environment.device == "meta":
            raise UserError(
                f"{record.workload.model} was only counted, not measured: use `bench count` to count it again."
            )
        if record.workload.source == "object":
            raise UserError(
                f"{record.workload.model} was passed in by a Python program: only that program can run it again."
            )
        if record.workload.names_code and not trust:
            raise UserError(f"The record names code to run, {record.workload.model}: if you trust it, add --trust.")


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
