"""`bench count`: count the cost of models from shapes alone."""

import gc
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError, visible
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.job_options import InputSizesOption
from backbone_bench.cli.options import (
    AllOption,
    ArgOption,
    ConventionOption,
    CountTrainOption,
    CrossCheckOption,
    DepthOption,
    FamilyOption,
    InputOption,
    LayersOption,
    ModelsArgument,
    OptimizerOption,
    OutputsOption,
    PrecisionOption,
    RecordFormatOption,
    WideOption,
    arguments,
    format_of,
)
from backbone_bench.report.tables.formats import FORMATS
from backbone_bench.zoo import catalogue


@app.command()
def count(
    models: ModelsArgument = None,
    family: FamilyOption = None,
    everything: AllOption = False,
    arg: ArgOption = None,
    inputs: InputOption = None,
    input_size: InputSizesOption = None,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", help="Images in one pass.", min=1, max=1 << 31)] = 1,
    precision: PrecisionOption = "fp32",
    train: CountTrainOption = False,
    optimizer: OptimizerOption = None,
    cross_check: CrossCheckOption = False,
    layers: LayersOption = False,
    depth: DepthOption = 2,
    wide: WideOption = False,
    convention: ConventionOption = "1",
    form: RecordFormatOption = None,
    to: OutputsOption = None,
) -> None:
    """Count the cost of models without running them.

    FLOPs, parameters, memory access, traffic and operations, from shapes alone: no weights, no arithmetic, no device.
    Several input sizes, comma-separated, make a row each.
    """
    gc.disable()  # without garbage collection torch loads 1/8 faster, and counting makes no garbage cycles
    names = choose.models(models, family, everything=everything)
    paths = to or []
    output.check(paths)
    from backbone_bench.jobs.job import Job, mode_of

    mode = mode_of(train=train, optimizer=optimizer)
    changed = (arg, inputs, input_size is not None, batch_size > 1, precision != "fp32", train, cross_check, layers)
    _print_listed(() if any(changed) else names, convention, form, paths, wide=wide)
    choose.watch(names)
    from backbone_bench.records import Record
    from backbone_bench.records.workload import input_specs
    from backbone_bench.report.views.columns import COUNT

    sizes = _sizes(input_size)
    given, specs = arguments(arg), input_specs(inputs or (), sizes[0])
    jobs = [
        Job(
            name,
            given,
            inputs=specs,
            input_size=size,
            batch=batch_size,
            precision=precision,
            mode=mode,
            optimizer=optimizer,
            cross_check=cross_check,
        )
        for name in names
        for size in sizes
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
        output.emit(output.of_records(records, COUNT, convention, depth if layers else None, wide=wide), form, paths)
    if ended is not None:
        complain(f"{ended}: {len(records)} of {len(jobs)} rows were counted.")
        raise typer.Exit(ended.exit_code)
    raise typer.Exit(min(failures.values(), default=0))


def _sizes(text: str | None) -> tuple[int | None, ...]:
    """The sizes in a comma-separated list, each once. Raises UserError for what is no size."""
    words = [None] if text is None else [word.strip() for word in text.split(",")]
    for word in words:
        if word is not None and not re.fullmatch("[0-9]{1,9}", word):
            raise UserError(f"Invalid value for '--input-size': {visible(word)!r} is not a number of pixels.")
    return tuple(dict.fromkeys(None if word is None else int(word) for word in words))


def _print_listed(
    names: Sequence[str], convention: str, form: str | None, paths: Sequence[Path], *, wide: bool
) -> None:
    """Print what the catalogue has of these networks and end, without torch; return if it has not all of it."""
    from backbone_bench.report.views import listed
    from backbone_bench.report.views.columns import COUNT

    forms = [form or output.default_format(), *(format_of(path) for path in paths)]
    if any(FORMATS[name].face not in ("parts", "exact") for name in forms):  # records, with rows by operation
        return
    torch = listed.installed_torch() if names and set(names) <= catalogue.entries().keys() else None
    if torch is None:
        return
    records = [listed.row(name, torch) for name in names]
    output.emit(output.of_records(records, COUNT, convention, wide=wide), form, paths)
    raise typer.Exit
