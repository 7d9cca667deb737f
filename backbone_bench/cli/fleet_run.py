"""`bench run --fleet`: make the plan of a sweep, and hand its rows to an engine."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.cli import output
from backbone_bench.cli.app import complain
from backbone_bench.cli.fleet_options import FleetRequest
from backbone_bench.report.tables.answer import Answer

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.base.choices import Sharing
    from backbone_bench.jobs.job import Job
    from backbone_bench.jobs.settings import Settings
    from backbone_bench.records import Record
    from backbone_bench.run.fleet.drive import Driven, OpenPlaces
    from backbone_bench.run.fleet.engines import EngineAddress
    from backbone_bench.run.fleet.plan import Plan, Row


class HowShown(NamedTuple):
    """How progress and results are shown."""

    form: str | None = None
    convention: str = "1"
    wide: bool = False
    quiet: bool = False
    depth: int | None = None  # of the layers, if they were timed
    by: Literal["module", "kind", "op"] | None = None


def run(
    request: FleetRequest,
    jobs: "Sequence[Job]",
    settings: "Settings",
    paths: Sequence[Path],
    how: HowShown,
    *,
    resume: bool,
    dry_run: bool,
) -> int:
    """Run the rows of a plan, or hand them over; return the exit code. Raises UserError."""
    from backbone_bench.run.fleet import collect, engines, lock, plan

    to = _output(paths)
    where = engines.EngineAddress.parse(request.fleet or "")
    words = request.on.split(",") if request.on else []
    engines.check(where, jobs, words)
    _check(request, where, paths, to)
    planned = _plan(request, where, settings, to, resume=resume).extended(jobs, engines.kinds(where, words))
    if not planned.rows:
        raise UserError("Name a model (`bench list` shows the zoo), a --family, or --all.")
    engines.check_rows(where, planned.rows)
    if dry_run:
        output.emit(_forecast(_left(planned, collect.read(planned, complain)), where), how.form)
        return 0
    with lock.driving(to):
        _check_idle(planned)
        rows = _left(planned, collect.collect(planned, complain).by_row)
        if resume and not how.quiet:
            complain(f"Already recorded: {len(planned.rows) - len(rows)} of {len(planned.rows)} rows.")
        plan.write(planned)
        open_places = engines.driven(where.engine)
        if open_places is None:
            return _hand_over(planned, rows, quiet=how.quiet)
        return _drive(planned, rows, open_places, paths, how)


def _output(paths: Sequence[Path]) -> Path:
    """The output that the records are appended to."""
    appended = [path for path in paths if path.suffix == ".jsonl"]
    if len(appended) != 1:
        raise UserError("--fleet needs one .jsonl output, which gets the records: name it with -o FILE.jsonl.")
    return appended[0].absolute()


def _check(request: FleetRequest, where: "EngineAddress", paths: Sequence[Path], to: Path) -> None:
    """Raise UserError for what this engine does not do."""
    if where.engine != "slurm" and (request.sbatch or request.rows_per_job):
        raise UserError("--sbatch and --rows-per-job are for --fleet slurm.")
    if where.engine == "local" and (request.side_by_side or request.share_node):
        raise UserError("--side-by-side and --share-node are for many machines: local:N runs N rows side by side.")
    if request.side_by_side and request.share_node:
        raise UserError("--share-node allows more than --side-by-side: give one of them.")
    if where.engine == "slurm" and len(paths) > 1:
        raise UserError(
            f"--fleet slurm writes the records alone: give the other outputs to `bench fleet collect {to}`."
        )


def _plan(request: FleetRequest, where: "EngineAddress", settings: "Settings", to: Path, *, resume: bool) -> "Plan":
    """The plan in its file, run as the options ask now; what they leave open stays as it was. A new one has no rows."""
    from backbone_bench.measure.machine import system
    from backbone_bench.run.fleet import plan

    variables = system.torch_variables()
    if not plan.file(to).exists():
        conditions = plan.Conditions.of(where.engine, where.address, variables=variables)
        before = plan.new(to, conditions, (), ())
    elif not resume:
        raise UserError(f"{plan.file(to)} is the plan of a sweep: --resume continues it, or name another output.")
    else:
        before = plan.read(to)
        if (before.conditions.folder, before.conditions.variables) != (os.getcwd(), variables):
            complain("The plan keeps the working folder and the environment variables of its first command.")
    same = before.conditions
    return replace(
        before,
        conditions=replace(
            same,
            engine=where.engine,
            address=where.address,
            sharing=_sharing(request, where) or same.sharing,
            mixed=request.mixed or same.mixed,
            timeout_s=same.timeout_s if settings.timeout is None else settings.timeout,
            words=request.sbatch or same.words,
            rows_per_job=request.rows_per_job or same.rows_per_job,
        ),
    )


def _sharing(request: FleetRequest, where: "EngineAddress") -> "Sharing | None":
    """How rows are to share a machine; None if the options leave it open."""
    if where.engine == "local":
        return "exclusive" if where.address == "1" else "side_by_side"
    return "side_by_side" if request.side_by_side else "shared" if request.share_node else None


def _left(planned: "Plan", records: "Mapping[int, Record]") -> "Sequence[Row]":
    """The rows that have no complete record yet."""
    from backbone_bench.run.fleet import collect

    done = collect.done(planned, records)
    return [row for row in planned.rows if row.row not in done]


def _check_idle(planned: "Plan") -> None:
    """Raise UserError if Slurm still has jobs of the sweep, whatever engine goes on with it."""
    from backbone_bench.run.fleet.slurm import batch, commands

    if batch.submissions(planned) and (waiting := commands.tasks(batch.name(planned))):
        raise UserError(
            f"Slurm still has {len(waiting)} jobs of this sweep: wait for them "
            f"(`bench fleet status {planned.output}`), or end them with `bench fleet cancel {planned.output}`."
        )


def _hand_over(planned: "Plan", rows: "Sequence[Row]", *, quiet: bool) -> int:
    from backbone_bench.run.fleet.slurm import batch

    if not rows:
        return 0
    submission = batch.submit(planned, rows)
    if not quiet:
        jobs = ", ".join(array.job or "" for array in submission.arrays)
        complain(
            f"{len(rows)} rows are handed to Slurm (job {jobs}); job {submission.collector} collects the records. "
            f"`bench fleet status {planned.output}` shows how far they are."
        )
    return 0


def _drive(
    planned: "Plan", rows: "Sequence[Row]", open_places: "OpenPlaces", paths: Sequence[Path], how: HowShown
) -> int:
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.run.fleet import collect, drive

    with shown(quiet=how.quiet) as progress:

        def see(ended: int, row: "Row") -> None:
            progress.row(str(row), ended + 1, len(rows))

        driven = drive.drive(planned, rows, open_places, progress.say, see)
    failures = {row.row: reason for row, reason in driven.failed}
    others = [path for path in paths if path.absolute() != planned.output]
    show(planned, collect.read(planned, complain), failures, others, how)
    _say_the_end(driven, len(rows))
    return driven.exit_code


def _say_the_end(driven: "Driven", count: int) -> None:
    if driven.ended is not None:
        complain(f"{str(driven.ended).rstrip('.')}: {driven.done + len(driven.failed)} of {count} rows are finished.")


def show(
    planned: "Plan", records: "Mapping[int, Record]", failures: Mapping[int, str], paths: Sequence[Path], how: HowShown
) -> None:
    """Print these records in the order of the plan; a row that failed without one has its reason there."""
    from backbone_bench.report.plots.roofline import offer
    from backbone_bench.report.views import failed
    from backbone_bench.report.views.columns import RUN

    found = [records[row] for row in sorted(records)]
    if not found:
        return
    of_kind = group_by(found, lambda record: record.placement and record.placement.kind)
    rows = [
        records.get(row.row) or failed.row(row.job, failures[row.row], of_kind.get(row.kind, found))
        for row in planned.rows
        if row.row in records or row.row in failures
    ]
    answer = output.of_records(found, RUN, how.convention, how.depth, wide=how.wide, by=how.by, shown=rows)
    output.emit(answer, how.form, paths)
    if not how.quiet and (line := offer(found)):
        complain(line)


def _forecast(rows: "Sequence[Row]", where: "EngineAddress") -> Answer:
    """The rows and their times, and what each way to share a machine costs."""
    from backbone_bench.report.views.forecast import Forecast, forecast
    from backbone_bench.run.estimate import estimate
    from backbone_bench.run.fleet import engines

    lines = [Forecast(row.row, str(row), *estimate(row.job)) for row in rows]
    cards = engines.cards(where)
    if not cards:
        return forecast(lines)
    alone_s = sum(line.least_s * cards[row.kind] for line, row in zip(lines, rows, strict=True))
    shared_s = sum(line.least_s for line in lines)
    return forecast(
        lines,
        f"Card-hours: {alone_s / 3600:.2f} if a row holds all cards of its machine, {shared_s / 3600:.2f} with "
        f"--side-by-side or --share-node.",
    )
