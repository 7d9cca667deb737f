"""`bench count`: count the cost of models from shapes alone."""

import gc
from typing import Annotated

import typer

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import (
    AllOption,
    ArgOption,
    ConventionOption,
    CountTrainOption,
    CrossCheckOption,
    DepthOption,
    FamilyOption,
    InputOption,
    InputSizeOption,
    LayersOption,
    ModelsArgument,
    OptimizerOption,
    OutputsOption,
    PrecisionOption,
    RecordFormatOption,
    arguments,
)


@app.command()
def count(
    models: ModelsArgument = None,
    family: FamilyOption = None,
    everything: AllOption = False,
    arg: ArgOption = None,
    inputs: InputOption = None,
    input_size: InputSizeOption = None,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", help="Images in one pass.", min=1, max=1 << 31)] = 1,
    precision: PrecisionOption = "fp32",
    train: CountTrainOption = False,
    optimizer: OptimizerOption = None,
    cross_check: CrossCheckOption = False,
    layers: LayersOption = False,
    depth: DepthOption = 2,
    convention: ConventionOption = "1",
    form: RecordFormatOption = None,
    to: OutputsOption = None,
) -> None:
    """Count the cost of models without running them.

    FLOPs, parameters, memory access, traffic and operations, from shapes alone: no weights, no arithmetic, no device.
    """
    gc.disable()  # without garbage collection torch loads 1/8 faster, and counting makes no garbage cycles
    names = choose.models(models, family, everything=everything)
    paths = to or []
    output.check(paths)
    from backbone_bench.jobs.job import Job, mode_of
    from backbone_bench.records import Record
    from backbone_bench.records.workload import input_specs
    from backbone_bench.report.views.columns import COUNT

    given, specs = arguments(arg), input_specs(inputs or (), input_size)
    mode = mode_of(train=train, optimizer=optimizer)
    jobs = [
        Job(
            name,
            given,
            inputs=specs,
            input_size=input_size,
            batch=batch_size,
            precision=precision,
            mode=mode,
            optimizer=optimizer,
            cross_check=cross_check,
        )
        for name in names
    ]
    from backbone_bench import profiler  # loads torch, so only after the options are checked

    records: list[Record] = []
    failures: dict[str, int] = {}  # message to exit code
    ended: signals.Interrupted | None = None
    try:
        for job in jobs:
            try:
                with prints_to_stderr():
                    records.append(profiler.count(job))
            except UserError as error:  # the other models are still counted
                failures[str(error)] = error.exit_code
    except signals.Interrupted as interrupted:
        ended = interrupted
    for message in failures:
        complain(message)
    if records:
        output.emit(output.of_records(records, COUNT, convention, depth if layers else None), form, paths)
    if ended is not None:
        complain(f"{ended}: {len(records)} of {len(jobs)} models were counted.")
        raise typer.Exit(ended.exit_code)
    raise typer.Exit(min(failures.values(), default=0))
