"""`bench predict`: time and energy on a device that is not here, from counts and a calibration."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.choices import MemoryFormat, Precision
from backbone_bench.base.errors import UserError
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.base.program import PACKAGE
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import (
    ROWS,
    AllOption,
    ArgOption,
    FamilyOption,
    InputOption,
    InputSizeOption,
    ModelsArgument,
    OutputsOption,
    RowFormatOption,
    arguments,
    complete_model,
)

if TYPE_CHECKING:  # they load pydantic
    from collections.abc import Sequence

    from backbone_bench.jobs.job import Job
    from backbone_bench.predictor import Prediction
    from backbone_bench.predictor.shipped import Chosen
    from backbone_bench.records import Record


def shipped_names(incomplete: str = "") -> list[str]:
    """The devices of the shipped calibrations, without reading them: a file is called by its device and its setting."""
    files = (PACKAGE / "predictor" / "calibrations").glob(f"{incomplete}*.toml")
    return sorted({file.stem.partition("-")[0] for file in files})


@app.command()
def predict(
    on: Annotated[
        str,
        typer.Option(
            help=f"A device with a shipped calibration ({', '.join(shipped_names())}), or a file that "
            "`bench calibrate` wrote.",
            metavar="DEVICE|FILE.toml",
            autocompletion=shipped_names,
        ),
    ],
    models: ModelsArgument = None,
    family: FamilyOption = None,
    everything: AllOption = False,
    arg: ArgOption = None,
    inputs: InputOption = None,
    input_size: InputSizeOption = None,
    batch_size: Annotated[
        str | None,
        typer.Option(
            "--batch-size", "-b", help="Images in one call.", metavar="N[,N]", show_default="those of the calibration"
        ),
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Precision of the arithmetic.", show_default="that of the calibration")
    ] = None,
    channels_last: Annotated[
        bool | None,
        typer.Option("--channels-last/--contiguous", help="Memory format.", show_default="that of the calibration"),
    ] = None,
    compile_mode: Annotated[
        str | None, typer.Option("--compile", help="Compiled with torch.compile in this mode.", metavar="MODE")
    ] = None,
    relative_to: Annotated[
        str | None,
        typer.Option(
            help="Also show the time as a ratio to that of this model.", metavar="MODEL", autocompletion=complete_model
        ),
    ] = None,
    by_op: Annotated[bool, typer.Option("--by-op", help="Also show which operations the time is spent on.")] = False,
    depth: Annotated[int, typer.Option(help="With --by-op: depth of nested modules to show.", min=1)] = 1,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Predict what is outside of the calibrated range too, without a band.")
    ] = False,
    records: Annotated[
        list[Path] | None,
        typer.Option("--records", help="Records of that device to compare with. Repeatable.", metavar="FILE"),
    ] = None,
    form: RowFormatOption = None,
    to: OutputsOption = None,
) -> None:
    """Predict time and energy on a device that is not here.

    From counts alone, in seconds: device work, wall latency and energy, each with a 90 % band, and what bounds the
    time. What lies outside of the calibrated range is refused in a sentence.
    """
    paths = to or []
    output.check(paths, ROWS)
    names = choose.models(models, family, everything=everything)
    if relative_to is not None:
        names = list(dict.fromkeys([*names, *choose.models([relative_to], None, everything=False)]))
    choose.watch(names)
    from backbone_bench.predictor.shipped import AskedSetting
    from backbone_bench.predictor.shipped import choose as choose_calibration

    layout: MemoryFormat | None = None if channels_last is None else "channels_last" if channels_last else "contiguous"
    chosen = choose_calibration(on, AskedSetting(precision, layout, compile_mode))
    if chosen.outside and not extrapolate:
        raise UserError(f"{on} is not calibrated for {'; '.join(chosen.outside)}. --extrapolate predicts all the same.")
    jobs = _jobs(names, chosen, arg, inputs, input_size, batch_size)
    from backbone_bench.records import store

    measured = store.read(records or (), warn=complain)
    predictions, failures = _predicted(jobs, chosen, measured, extrapolate=extrapolate)
    for message in failures:
        complain(message)
    if predictions:
        from backbone_bench.cli import predicted

        shown = predicted.answer(predictions, relative_to, depth if by_op else None)
        output.emit(shown, form, paths, ROWS)
    raise typer.Exit(min(failures.values(), default=0))


def _jobs(
    names: "Sequence[str]",
    chosen: "Chosen",
    arg: list[str] | None,
    inputs: list[str] | None,
    input_size: int | None,
    batch_size: str | None,
) -> "list[Job]":
    """What is counted: each model at each batch, in the precision that the calibration is counted in."""
    from backbone_bench.jobs.job import Job
    from backbone_bench.records.workload import input_specs

    given, specs = arguments(arg), input_specs(inputs or (), input_size)
    sizes = chosen.calibration.batches if batch_size is None else batches(batch_size)
    precision = chosen.calibration.conditions.counted_in
    return [
        Job(name, given, inputs=specs, input_size=input_size, batch=batch, precision=precision)
        for name in names
        for batch in sizes
    ]  # fmt: skip


def batches(text: str) -> list[int]:
    """Parse the sizes of `--batch-size`, each once. Raises UserError."""
    words = text.split(",")
    if not all(word.strip().isdecimal() and 0 < len(word) < 11 and int(word) for word in words):
        raise UserError(f"--batch-size {text!r}: write whole numbers, such as 1,32.")
    return list(dict.fromkeys(map(int, words)))


def _predicted(
    jobs: "Sequence[Job]", chosen: "Chosen", measured: "Sequence[Record]", *, extrapolate: bool
) -> "tuple[list[Prediction], dict[str, int]]":
    """The predictions, and the message and exit code of each job that is refused or cannot be counted."""
    from backbone_bench import profiler  # loads torch, so only after the options are checked
    from backbone_bench.predictor import predict

    predictions, failures = [], {}
    for job in jobs:
        try:
            with prints_to_stderr():
                record = profiler.count(job)
            predictions.append(predict(record, chosen, extrapolate=extrapolate, records=measured))
        except UserError as error:  # the others are still predicted
            failures[str(error)] = error.exit_code
    return predictions, failures
