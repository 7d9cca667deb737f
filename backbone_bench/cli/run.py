"""`bench run`: profile models on a device."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain, program
from backbone_bench.cli.job_options import (
    BatchSizesOption,
    BudgetOption,
    CacheOption,
    ChannelsLastOption,
    CompileOption,
    DeviceOption,
    EnergySourceOption,
    EnergyWindowOption,
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
    TimeoutOption,
    TrainOption,
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
    InputSizeOption,
    LayersOption,
    ModelsArgument,
    ModelsOption,
    OutputsOption,
    QuietOption,
    RecordFormatOption,
    VerboseOption,
    arguments,
)

if TYPE_CHECKING:  # they load pydantic
    from collections.abc import Sequence

    from backbone_bench.cli.progress.lines import Progress
    from backbone_bench.jobs.job import Job
    from backbone_bench.jobs.settings import Settings
    from backbone_bench.records import Record
    from backbone_bench.report.tables.answer import Answer
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
    input_size: InputSizeOption = None,
    batch_size: BatchSizesOption = None,
    precision: PrecisionsOption = None,
    memory_format: MemoryFormatsOption = None,
    channels_last: ChannelsLastOption = False,
    compile_mode: CompileOption = None,
    train: TrainOption = None,
    cache: CacheOption = None,
    threads: ThreadsOption = None,
    seed: SeedOption = None,
    latency: LatencyOption = None,
    no_energy: NoEnergyOption = False,
    require_energy: RequireEnergyOption = False,
    energy_window: EnergyWindowOption = None,
    energy_source: EnergySourceOption = None,
    protocol: ProtocolOption = None,
    whole_card: WholeCardOption = None,
    lock_clocks: LockClocksOption = None,
    cross_check: CrossCheckOption = False,
    quick: QuickOption = None,
    budget: BudgetOption = None,
    timeout: TimeoutOption = None,
    in_process: Annotated[
        bool | None,
        typer.Option("--in-process/--isolated", help="Run the rows in this process, or each in a fresh one (usual)."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what the .jsonl output has already, made here by the same workload.")
    ] = False,
    shard: Annotated[
        str | None, typer.Option(help="Only the i-th of n parts of the rows; `bench merge` joins them.", metavar="I/N")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the rows and how long they will take.")] = False,
    layers: LayersOption = False,
    depth: DepthOption = 2,
    convention: ConventionOption = "1",
    form: RecordFormatOption = None,
    to: OutputsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Profile models on a device: counts, latency, memory, energy.

    Each row runs in a fresh process: a crash costs that row only. A .jsonl output grows by every row that is over.
    Options can also stand in bench.toml or the environment: see `bench config`.
    """
    # The options that say what a row is are not named here: `settings_in` takes them from the context by their names.
    paths = to or []
    output.check(paths)
    settings = resolved(settings_in(context.params)).settings
    jobs = _jobs(settings, shard)
    before = _answered(jobs, paths) if resume else [None] * len(jobs)
    left = [job for job, record in zip(jobs, before, strict=True) if record is None]
    from backbone_bench.cli.progress.choose import shown

    if dry_run:
        output.emit(_forecast(left), form)
        return
    if resume and not quiet:
        complain(f"{len(jobs) - len(left)} of {len(jobs)} rows are there already.")
    with _clocks(settings), shown(quiet=quiet, verbose=verbose) as progress:
        over = _sweep(left, settings, paths, progress)
    outcomes = iter(over.outcomes)
    rows = [record or getattr(next(outcomes, None), "record", None) for record in before]
    records = [record for record in rows if record is not None]
    if records:
        from backbone_bench.report.views.columns import RUN

        whole = [path for path in paths if path.suffix != ".jsonl"]
        output.emit(output.of_records(records, RUN, convention, depth if layers else None), form, whole)
    if over.ended is not None:
        complain(f"{str(over.ended).rstrip('.')}: {len(over.outcomes)} of {len(left)} rows are over.")
    raise typer.Exit(over.exit_code)


def _jobs(settings: "Settings", shard: str | None) -> "Sequence[Job]":
    from backbone_bench.run import sweep

    names = choose.models(settings.model, settings.family, everything=settings.all)
    jobs = settings.jobs(names, arguments(list(settings.arg)))
    return jobs if shard is None else sweep.shard(jobs, *sweep.parse_shard(shard))


def _answered(jobs: "Sequence[Job]", paths: list[Path]) -> "Sequence[Record | None]":
    """The record of every row that an output has already."""
    from backbone_bench.records import store
    from backbone_bench.run import resume, runner

    grown = [path for path in paths if path.suffix == ".jsonl"]
    if not grown:
        raise UserError("--resume goes on with a .jsonl output: name it with -o FILE.jsonl.")
    found = store.read([path for path in grown if path.exists()], warn=complain)
    return resume.already_done(jobs, found, runner.resolve)


def _sweep(jobs: "Sequence[Job]", settings: "Settings", paths: list[Path], progress: "Progress") -> "Sweep":
    from backbone_bench.records import store
    from backbone_bench.run import runner, sweep

    if settings.in_process and settings.timeout is not None:
        raise UserError("--timeout needs rows in processes of their own: leave --in-process out.")
    run = runner.run_in_process if settings.in_process else runner.isolated(settings.timeout)
    grown = [path for path in paths if path.suffix == ".jsonl"]

    def keep(outcome: runner.JobResult) -> None:
        if outcome.failure is not None:
            progress.say(f"{program()}: {outcome.job}: {outcome.failure.message}")
        if outcome.record is not None:
            for path in grown:
                store.append(path, outcome.record)

    return sweep.sweep(jobs, run, lambda number, job: progress.row(str(job), number, len(jobs)), keep)


def _clocks(settings: "Settings") -> AbstractContextManager[None]:
    """The clocks held while rows run, by this process: it outlives a row that has to be killed."""
    if settings.lock_clocks is None:
        return nullcontext()
    from backbone_bench.measure.devices.available import resolve
    from backbone_bench.measure.nvml.find import card_for  # torch knows which card a device is
    from backbone_bench.measure.nvml.lock import lock_clocks
    from backbone_bench.records import Missing

    if len(settings.device) != 1:
        raise UserError("--lock-clocks holds the clocks of one device: give one --device.")
    card = card_for(resolve(settings.device[0]).name)
    if isinstance(card, Missing):
        raise UserError(f"--lock-clocks: {card.message}")
    return lock_clocks(card, None if settings.lock_clocks == "base" else settings.lock_clocks * 1e6)


def _forecast(jobs: "Sequence[Job]") -> "Answer":
    from backbone_bench.report.views.forecast import Forecast, forecast
    from backbone_bench.run.estimate import estimate

    rows = [Forecast(number, str(job), *estimate(job)) for number, job in enumerate(jobs, start=1)]
    return forecast(rows)
