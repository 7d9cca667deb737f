"""`bench run`: profile models on a device."""

from typing import Annotated, Literal

import typer

from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import (
    All,
    Argument,
    Convention,
    Family,
    Input,
    InputSize,
    ModelNames,
    Models,
    OutputFormat,
    Outputs,
    Precision,
    Quiet,
    Train,
    arguments,
)
from backbone_bench.errors import UserError


@app.command()
def run(
    models: ModelNames = None,
    model: Models = None,
    family: Family = None,
    everything: All = False,
    device: Annotated[
        str, typer.Option("--device", "-d", help="auto, cpu, cuda, cuda:1 or any accelerator that torch reports.")
    ] = "auto",
    arg: Argument = None,
    inputs: Input = None,
    input_size: InputSize = None,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", help="Images in one call.", min=1)] = 1,
    precision: Precision = "fp32",
    channels_last: Annotated[bool, typer.Option("--channels-last", help="Lay images out with the channels last.")] = (
        False
    ),
    compile_mode: Annotated[
        str | None, typer.Option("--compile", help="Compile with torch.compile in this mode.", metavar="MODE")
    ] = None,
    train: Train = False,
    cache: Annotated[Literal["warm", "cold"], typer.Option(help="cold: empty the last cache before every call.")] = (
        "warm"
    ),
    threads: Annotated[int | None, typer.Option("--threads", "-t", help="Threads of the CPU.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of the weights and inputs.")] = 0,
    no_latency: Annotated[bool, typer.Option("--no-latency", help="Do not time.")] = False,
    no_energy: Annotated[bool, typer.Option("--no-energy", help="Do not measure energy.")] = False,
    require_energy: Annotated[
        bool, typer.Option("--require-energy", help="Exit 3 where energy cannot be measured.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A first answer within seconds, said to be one.")] = False,
    budget: Annotated[float | None, typer.Option(help="Seconds for the latency of each row.", min=0.1)] = None,
    convention: Convention = "1",
    form: OutputFormat = None,
    to: Outputs = None,
    quiet: Quiet = False,
) -> None:
    """Profile models on a device: counts, latency, memory, energy.

    Each row runs in a fresh process.
    """
    names = choose.models([*(models or ()), *(model or ())], family, everything=everything)
    paths = to or []
    output.check(paths)
    from backbone_bench.jobs import Job
    from backbone_bench.records import TensorSpec
    from backbone_bench.report.columns import RUN, doubled
    from backbone_bench.report.progress import shown
    from backbone_bench.report.render import render
    from backbone_bench.runner import run_isolated

    if inputs and input_size is not None:
        raise UserError("--input and --input-size say the same thing twice: give one.")
    jobs = [
        Job(
            model=name,
            arguments=arguments(arg),
            inputs=tuple(str(TensorSpec.parse(text)) for text in inputs or ()),
            size=input_size,
            batch=batch_size,
            device=device,
            precision=precision,
            memory_format="channels_last" if channels_last else "contiguous",
            compile=compile_mode,
            train=train,
            cache=cache,
            threads=threads,
            seed=seed,
            latency=not no_latency,
            quick=quick,
            budget_s=budget,
            energy="off" if no_energy else "required" if require_energy else "auto",
        )
        for name in names
    ]
    outcomes = []
    with shown(quiet=quiet) as progress:
        for number, job in enumerate(jobs, start=1):
            outcome = run_isolated(job, progress.row(str(job), number, len(jobs)))
            if outcome.failure is not None:
                complain(f"{job}: {outcome.failure.message}")
            outcomes.append(outcome)
    columns = doubled(RUN) if convention == "2" else RUN
    records = [outcome.record for outcome in outcomes if outcome.record is not None]
    if records:
        output.emit(records, form, paths, lambda some, into: render(some, into, columns))
    codes = [outcome.failure.exit_code for outcome in outcomes if outcome.failure is not None]
    if codes:
        raise typer.Exit(min(codes))
