"""`bench run`: profile models on a device, one row per model and combination of settings."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import choose, fleet_run, output
from backbone_bench.cli.app import app, complain, program
from backbone_bench.cli.fleet_options import (
    FleetOption,
    FleetRequest,
    MixedOption,
    OnOption,
    RowsPerJobOption,
    SbatchOption,
    ShareNodeOption,
    SideBySideOption,
)
from backbone_bench.cli.fleet_run import HowShown
from backbone_bench.cli.job_options import (
    BatchSizesOption,
    BudgetOption,
    CacheOption,
    ChannelsLastOption,
    CompileOption,
    DeviceOption,
    EnergyOfOption,
    EnergySourceOption,
    EnergyWindowOption,
    InputSizesOption,
    LatencyOption,
    LockClocksOption,
    MemoryFormatsOption,
    NoEnergyOption,
    PrecisionsOption,
    ProtocolOption,
    QuickOption,
    RequireEnergyOption,
    SeedOption,
    ThreadsOption,
    TimedLayersOption,
    TimeoutOption,
    TraceOption,
    TrainOption,
    WaitForCoolOption,
    WholeCardOption,
    resolved,
    settings_in,
)
from backbone_bench.cli.options import (
    AllOption,
    ArgOption,
    ConventionOption,
    CrossCheckOption,
    DepthOption,
    FamilyOption,
    InputOption,
    ModelsArgument,
    ModelsOption,
    OptimizerOption,
    OutputsOption,
    QuietOption,
    RecordFormatOption,
    VerboseOption,
    WideOption,
    arguments,
)

if TYPE_CHECKING:  # they load pydantic
    from collections.abc import Sequence

    from backbone_bench.cli.progress.lines import Progress
    from backbone_bench.jobs.job import Job
    from backbone_bench.jobs.settings import Settings
    from backbone_bench.records import Record
    from backbone_bench.report.tables.answer import Answer
    from backbone_bench.run.runner import JobResult
    from backbone_bench.run.sweep import Sweep


@app.command()
def run(
    context: typer.Context,
    models: ModelsArgument = None,
    model: ModelsOption = None,
    family: FamilyOption = None,
    everything: AllOption = False,
    device: DeviceOption = None,
    arg: ArgOption = None,
    inputs: InputOption = None,
    input_size: InputSizesOption = None,
    batch_size: BatchSizesOption = None,
    precision: PrecisionsOption = None,
    memory_format: MemoryFormatsOption = None,
    channels_last: ChannelsLastOption = False,
    compile_mode: CompileOption = None,
    train: TrainOption = None,
    optimizer: OptimizerOption = None,
    cache: CacheOption = None,
    threads: ThreadsOption = None,
    seed: SeedOption = None,
    latency: LatencyOption = None,
    no_energy: NoEnergyOption = False,
    require_energy: RequireEnergyOption = False,
    energy_of: EnergyOfOption = None,
    energy_window: EnergyWindowOption = None,
    energy_source: EnergySourceOption = None,
    protocol: ProtocolOption = None,
    whole_card: WholeCardOption = None,
    lock_clocks: LockClocksOption = None,
    cross_check: CrossCheckOption = False,
    quick: QuickOption = None,
    budget: BudgetOption = None,
    wait_for_cool: WaitForCoolOption = None,
    timeout: TimeoutOption = None,
    in_process: Annotated[
        bool | None,
        typer.Option("--in-process/--isolated", help="Run all rows in this process, or each in a fresh one (default)."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Skip rows that have a record in the .jsonl output, from the same workload and machine."
        ),
    ] = False,
    shard: Annotated[
        str | None, typer.Option(help="Run only part I of N of the rows; `bench merge` joins the parts.", metavar="I/N")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the rows and how long they take; run nothing.")
    ] = False,
    fleet: FleetOption = None,
    on: OnOption = None,
    side_by_side: SideBySideOption = False,
    share_node: ShareNodeOption = False,
    mixed: MixedOption = False,
    rows_per_job: RowsPerJobOption = None,
    sbatch: SbatchOption = None,
    layers: TimedLayersOption = None,
    trace: TraceOption = None,
    depth: DepthOption = 2,
    by: Annotated[
        Literal["module", "kind", "op"] | None,
        typer.Option("--by", help="With --layers: only this table of the times.", show_default="all three"),
    ] = None,
    wide: WideOption = False,
    convention: ConventionOption = "1",
    form: RecordFormatOption = None,
    to: OutputsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Profile models on a device: counts, latency, memory, energy.

    Device, batch size, input size, precision, memory format and threads take several values, comma-separated: one row
    for each combination. Each row runs in a fresh process, so a crash costs only that row. A .jsonl output gets each
    record as soon as its row is finished. Options can also be set in bench.toml or in the environment: see
    `bench config`.
    """
    # The options that define a row are not named in this body: `settings_in` takes them by name from the context.
    paths = to or []
    output.check(paths)
    settings = resolved(settings_in(context.params)).settings
    request = FleetRequest(fleet, on, side_by_side, share_node, mixed, rows_per_job, tuple(sbatch or ()))
    if request.fleet is not None:
        jobs = _jobs_of_fleet(settings, shard, resume=resume, verbose=verbose)
        how = HowShown(form, convention, wide, quiet, depth if settings.layers else None, by)
        raise typer.Exit(fleet_run.run(request, jobs, settings, paths, how, resume=resume, dry_run=dry_run))
    request.check_absent()
    jobs = _jobs(settings, shard)
    before = _already_done(jobs, paths) if resume else [None] * len(jobs)
    left = [job for job, record in zip(jobs, before, strict=True) if record is None]
    _check_trace(settings, left)
    _check_sizes(settings, left)
    from backbone_bench.cli.progress.choose import shown

    if dry_run:
        output.emit(_forecast(left), form)
        return
    if settings.in_process:
        choose.watch(job.model for job in left)
    if resume and not quiet:
        complain(f"Already recorded: {len(jobs) - len(left)} of {len(jobs)} rows.")
    with _clocks(settings), shown(quiet=quiet, verbose=verbose) as progress:
        sweep = _sweep(left, settings, paths, progress)
    outcomes = iter(sweep.results)
    found = [record or next(outcomes, None) for record in before]
    records = [record for one in found if (record := _record_of(one)) is not None]
    if records:
        from backbone_bench.report.views.columns import RUN

        whole = [path for path in paths if path.suffix != ".jsonl"]
        shown_depth, rows = depth if settings.layers else None, _rows(found, records)
        answer = output.of_records(records, RUN, convention, shown_depth, wide=wide, by=by, shown=rows)
        output.emit(answer, form, whole)
        _offer_ceilings(records, quiet=quiet)
    if sweep.ended is not None:
        complain(f"{str(sweep.ended).rstrip('.')}: {len(sweep.results)} of {len(left)} rows are finished.")
    raise typer.Exit(sweep.exit_code)


def _record_of(one: "Record | JobResult | None") -> "Record | None":
    from backbone_bench.run.runner import JobResult

    return one.record if isinstance(one, JobResult) else one


def _rows(found: "Sequence[Record | JobResult | None]", records: "Sequence[Record]") -> "list[Record]":
    """The rows of the table in the order of the jobs: those that failed without a record have their reason."""
    from backbone_bench.report.views import failed
    from backbone_bench.run.runner import JobResult

    rows = []
    for one in found:
        if (record := _record_of(one)) is not None:
            rows.append(record)
        elif isinstance(one, JobResult) and one.failure is not None:
            rows.append(failed.row(one.job, one.failure.message, records))
    return rows


def _offer_ceilings(records: "Sequence[Record]", *, quiet: bool) -> None:
    """Say how to get a roofline of the networks that ran on a GPU."""
    from backbone_bench.report.plots.roofline import offer

    if not quiet and (line := offer(records)):
        complain(line)


def _jobs(settings: "Settings", shard: str | None) -> "Sequence[Job]":
    from backbone_bench.run import sweep

    names = choose.models(settings.model, settings.family, everything=settings.all)
    jobs = settings.jobs(names, arguments(list(settings.arg)))
    return jobs if shard is None else sweep.shard(jobs, *sweep.parse_shard(shard))


def _jobs_of_fleet(settings: "Settings", shard: str | None, *, resume: bool, verbose: bool) -> "Sequence[Job]":
    """The jobs of a fleet; none if an earlier plan is resumed as it is. Raises UserError for what a fleet cannot do."""
    of_one_machine = {
        "--shard": shard is not None,
        "--in-process": settings.in_process,
        "--lock-clocks": settings.lock_clocks is not None,
        "--trace": settings.trace is not None,
        "--verbose": verbose,
    }
    for option, given in of_one_machine.items():
        if given:
            raise UserError(f"{option} is for one machine: leave it out with --fleet.")
    if resume and not (settings.model or settings.family or settings.all):
        return ()
    jobs = _jobs(settings, None)
    _check_sizes(settings, jobs)
    return jobs


def _check_trace(settings: "Settings", jobs: "Sequence[Job]") -> None:
    """Raise UserError, before anything runs, for a trace that could not be written."""
    from backbone_bench.records import store

    if settings.trace is None:
        return
    if not settings.layers:
        raise UserError("--trace writes the pass of --layers: give --layers too.")
    if len(jobs) > 1:
        raise UserError(f"--trace takes the profile of one row, and these are {len(jobs)}.")
    store.check_writable(Path(settings.trace))


def _check_sizes(settings: "Settings", jobs: "Sequence[Job]") -> None:
    """Raise UserError for an input size that a network of the zoo cannot take, before the first row runs.

    A network from elsewhere is code, which runs in the process of its row alone.
    """
    if not settings.input_size:
        return
    from backbone_bench.zoo import catalogue

    zoo = catalogue.entries()
    asked = {
        (job.model, job.input_size): job
        for job in jobs
        if job.model in zoo and job.input_size != zoo[job.model].input[1]  # its own size needs no trial
    }
    if not asked:
        return
    from backbone_bench import profiler  # loads torch

    refused: dict[str, list[str]] = {}
    for (model, size), job in asked.items():
        try:  # in evaluation: a batch norm in training refuses a batch of one, and not the size
            profiler.count(replace(job, batch=1, mode="eval", optimizer=None, precision="fp32", cross_check=False))
        except UserError:
            refused.setdefault(model, []).append(str(size))
    if refused:
        which = "; ".join(f"{model} at {', '.join(sizes)}" for model, sizes in refused.items())
        raise UserError(f"--input-size: these networks cannot take an image of this size: {which}. Leave them out.")


def _already_done(jobs: "Sequence[Job]", paths: list[Path]) -> "Sequence[Record | None]":
    """For each job, its record in a .jsonl output, or None."""
    from backbone_bench.records import store
    from backbone_bench.run import resume, runner

    appended = [path for path in paths if path.suffix == ".jsonl"]
    if not appended:
        raise UserError("--resume needs a .jsonl output to continue: name it with -o FILE.jsonl.")
    found = store.read([path for path in appended if path.exists()], warn=complain)
    return resume.already_done(jobs, found, runner.resolve)


def _sweep(jobs: "Sequence[Job]", settings: "Settings", paths: list[Path], progress: "Progress") -> "Sweep":
    from backbone_bench.records import store
    from backbone_bench.run import runner, sweep

    if settings.in_process and settings.timeout is not None:
        raise UserError("--timeout needs each row in its own process: leave --in-process out.")
    run = runner.run_in_process if settings.in_process else runner.isolated(settings.timeout)
    appended = [path for path in paths if path.suffix == ".jsonl"]

    def keep(outcome: runner.JobResult) -> None:
        if outcome.failure is not None:
            progress.say(f"{program()}: {outcome.job}: {outcome.failure.message}")
        if outcome.record is not None:
            for path in appended:
                store.append(path, outcome.record)

    return sweep.sweep(jobs, run, lambda number, job: progress.row(str(job), number, len(jobs)), keep)


def _clocks(settings: "Settings") -> AbstractContextManager[None]:
    """Lock the GPU clocks while rows run. This process does it, because it outlives a row that must be killed."""
    if settings.lock_clocks is None:
        return nullcontext()
    from backbone_bench.measure.devices.available import resolve
    from backbone_bench.measure.nvml.find import card_for  # torch knows which card a device is
    from backbone_bench.measure.nvml.lock import lock_clocks
    from backbone_bench.records import Missing

    if len(settings.device) != 1:
        raise UserError("--lock-clocks locks the clocks of one device: give one --device.")
    card = card_for(resolve(settings.device[0]).name)
    if isinstance(card, Missing):
        raise UserError(f"--lock-clocks: {card.message}")
    return lock_clocks(card, None if settings.lock_clocks == "base" else settings.lock_clocks * 1e6)


def _forecast(jobs: "Sequence[Job]") -> "Answer":
    from backbone_bench.report.views.forecast import Forecast, forecast
    from backbone_bench.run.estimate import estimate

    rows = [Forecast(number, str(job), *estimate(job)) for number, job in enumerate(jobs, start=1)]
    return forecast(rows)
