"""`bench run --fleet`: make the plan of a sweep, and hand its rows to an engine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    from backbone_bench.run.fleet.drive import Driven
    from backbone_bench.run.fleet.engines import EngineAddress
    from backbone_bench.run.fleet.plan import Plan, Row


class HowShown(NamedTuple):
    """How progress and results are shown."""

    form: str | None
    convention: str
    wide: bool
    quiet: bool
    verbose: bool


def run(
    request: FleetRequest,
    jobs: "Sequence[Job]",
    settings: "Settings",
    paths: Sequence[Path],
    shown: HowShown,
    *,
    resume: bool,
    dry_run: bool,
) -> int:
    """Run the rows of a plan, or hand them over; return the exit code. Raises UserError."""
    from backbone_bench.run.fleet import engines, plan

    to = _output(paths)
    where = engines.EngineAddress.parse(request.fleet or "")
    words = request.on.split(",") if request.on else []
    engines.check(where, jobs, words)
    planned = _plan(request, where, jobs, engines.kinds(where, words), settings, to, resume=resume)
    rows = _left(planned, resume=resume, dry_run=dry_run)
    if dry_run:
        output.emit(_forecast(rows, where), shown.form)
        return 0
    if resume and not shown.quiet:
        complain(f"Already recorded: {len(planned.rows) - len(rows)} of {len(planned.rows)} rows.")
    plan.write(planned)
    open_places = engines.driven(where.engine)
    if open_places is None:
        return _hand_over(planned, rows, quiet=shown.quiet)
    from backbone_bench.cli.progress.choose import shown as progress_shown
    from backbone_bench.run.fleet import drive, lock

    with lock.driving(to), progress_shown(quiet=shown.quiet, verbose=shown.verbose) as progress:

        def see(ended: int, row: "Row") -> None:
            progress.row(str(row), ended + 1, len(rows))

        driven = drive.drive(planned, rows, open_places, progress.say, see)
    _show(planned, driven, paths, shown)
    if driven.ended is not None:
        ended = driven.done + len(driven.failed)
        complain(f"{str(driven.ended).rstrip('.')}: {ended} of {len(rows)} rows are finished.")
    return driven.exit_code


def _output(paths: Sequence[Path]) -> Path:
    """The output that the records are appended to."""
    appended = [path for path in paths if path.suffix == ".jsonl"]
    if len(appended) != 1:
        raise UserError("--fleet needs one .jsonl output, which gets the records: name it with -o FILE.jsonl.")
    return appended[0].absolute()


def _plan(
    request: FleetRequest,
    where: "EngineAddress",
    jobs: "Sequence[Job]",
    kinds: Sequence[str | None],
    settings: "Settings",
    to: Path,
    *,
    resume: bool,
) -> "Plan":
    from backbone_bench.measure.machine import system
    from backbone_bench.run.fleet import plan

    conditions = plan.Conditions.of(
        where.engine,
        where.address,
        sharing=_sharing(request, where),
        mixed=request.mixed,
        timeout_s=settings.timeout,
        words=request.sbatch,
        rows_per_job=request.rows_per_job,
        variables=system.torch_variables(),
    )
    if not plan.file(to).exists():
        if not jobs:
            raise UserError("Name a model (`bench list` shows the zoo), a --family, or --all.")
        return plan.new(to, conditions, jobs, kinds)
    if not resume:
        raise UserError(f"{plan.file(to)} is the plan of a sweep: --resume continues it, or name another output.")
    before = plan.read(to)
    same = before.conditions  # the plan stays what it is, but for the engine and its options
    conditions = replace(
        conditions,
        id=same.id,
        created_utc=same.created_utc,
        argv=same.argv,
        folder=same.folder,
        variables=same.variables,
        versions=same.versions,
    )
    return replace(before, conditions=conditions).extended(jobs, kinds)


def _sharing(request: FleetRequest, where: "EngineAddress") -> "Sharing":
    if request.side_by_side and request.share_node:
        raise UserError("--share-node allows more than --side-by-side: give one of them.")
    if where.engine == "local":
        return "exclusive" if where.address == "1" else "side_by_side"
    return "side_by_side" if request.side_by_side else "shared" if request.share_node else "exclusive"


def _left(planned: "Plan", *, resume: bool, dry_run: bool) -> "Sequence[Row]":
    """The rows that have no complete record yet. Before rows run, the records of an earlier fleet are collected."""
    from backbone_bench.run.fleet import collect

    if not resume:
        return planned.rows
    found = collect.read(planned, complain) if dry_run else collect.collect(planned, complain).by_row
    done = {row for row, record in found.items() if collect.complete(planned, row, record)}
    return [row for row in planned.rows if row.row not in done]


def _hand_over(planned: "Plan", rows: "Sequence[Row]", *, quiet: bool) -> int:
    from backbone_bench.run.fleet.slurm import batch, commands

    if waiting := commands.tasks(batch.name(planned)):
        raise UserError(
            f"Slurm still has {len(waiting)} jobs of this sweep: wait for them "
            f"(`bench fleet status {planned.output}`), or end them with `bench fleet cancel {planned.output}`."
        )
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


def _show(planned: "Plan", driven: "Driven", paths: Sequence[Path], shown: HowShown) -> None:
    """Print the records of the sweep, those of each kind of card in a table of their own."""
    from backbone_bench.run.fleet import collect

    records = collect.read(planned, complain)
    show(planned, records, dict((row.row, reason) for row, reason in driven.failed), paths, shown)


def show(
    planned: "Plan",
    records: "Mapping[int, Record]",
    failures: Mapping[int, str],
    paths: Sequence[Path],
    shown: HowShown,
) -> None:
    """Print these records in the order of the plan; a row that failed without one has its reason there."""
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
    answer = output.of_records(found, RUN, shown.convention, wide=shown.wide, shown=rows)
    output.emit(answer, shown.form, [path for path in paths if path.suffix != ".jsonl"])


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
