"""`bench calibrate`: measure a few networks on a device, and write the calibration that `bench predict` needs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.choices import Precision, is_host
from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import ROWS, QuietOption, RowFormatOption

if TYPE_CHECKING:  # they load pydantic
    from collections.abc import Sequence

    from backbone_bench.jobs.job import Job
    from backbone_bench.predictor import DeviceCalibration
    from backbone_bench.records import ModelCost, Record

BUDGET_S = 2.0  # for the latency of a row


@app.command()
def calibrate(
    to: Annotated[
        Path, typer.Option("--output", "-o", help="The calibration to write, a .toml file.", metavar="FILE.toml")
    ],
    device: Annotated[str, typer.Option("--device", "-d", help="The device to measure.", metavar="DEVICE")] = "auto",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Measure resnet50 alone, in seconds: no grouped convolutions, a wider error."),
    ] = False,
    more: Annotated[
        str | None,
        typer.Option(
            "--with", help="Also measure networks of these kinds: depthwise, attention.", metavar="KIND[,KIND]"
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Also measure this model. Repeatable.", metavar="MODEL"),
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option("--batch-size", "-b", help="Images in one call.", metavar="N[,N]", show_default="1,32"),
    ] = None,
    input_size: Annotated[
        int, typer.Option("--input-size", help="Height and width of the image.", metavar="PIXELS", min=32)
    ] = 224,
    precision: Annotated[Precision, typer.Option(help="Precision of the arithmetic.")] = "fp32",
    channels_last: Annotated[bool, typer.Option("--channels-last", help="Channels-last memory format.")] = False,
    compile_mode: Annotated[
        str | None, typer.Option("--compile", help="Compile with torch.compile in this mode.", metavar="MODE")
    ] = None,
    energy: Annotated[
        bool, typer.Option("--energy/--no-energy", help="Measure energy at the largest batch, if the device has it.")
    ] = True,
    budget: Annotated[
        float, typer.Option(help="Time for the latency of a row.", metavar="SECONDS", min=0.1)
    ] = BUDGET_S,
    records: Annotated[
        list[Path] | None,
        typer.Option(
            "--records", help="Measure nothing: calibrate with the records of a file. Repeatable.", metavar="FILE"
        ),
    ] = None,
    form: RowFormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Calibrate `bench predict` for a GPU at hand.

    Measures four networks at two batch sizes, about a minute on a GPU, fits what one of each count costs, and shows how
    far each network is off when it is left out. Nothing is written if the fit misses a row by more than 30 %. The
    records are kept in a .jsonl file beside the calibration.
    """
    if to.suffix != ".toml":
        raise UserError(f"-o {to}: a calibration is a .toml file.")
    from backbone_bench.records import store

    store.check_writable(to)
    if records:
        found = list(store.read(records, warn=complain))
        choose.watch(record.workload.model for record in found)
    else:
        choose.watch(models or ())
        from backbone_bench.jobs.job import Job
        from backbone_bench.predictor import sets

        asked = Job(
            "",
            {},
            input_size=input_size,
            device=device,
            precision=precision,
            memory_format="channels_last" if channels_last else "contiguous",
            compile=compile_mode,
            quick=True,
            budget_s=budget,
            energy="auto" if energy else "off",
        )
        sets.check_device(host=is_host(_resolved(device)))
        names = _names(models or (), more.split(",") if more else (), quick=quick)
        found = _measured(_jobs(names, asked, batch_size), to.with_suffix(".jsonl"), quiet=quiet)
    calibration = _shown(to.stem, found, form)
    from backbone_bench.predictor.calibration import dumps
    from backbone_bench.predictor.learn import WORST, misfit

    bad = [row for row in calibration.rows if abs(misfit(row, calibration.constants)) > WORST]
    if bad:
        which = ", ".join(f"{row.model} at batch {row.batch}" for row in bad)
        raise CouldNotMeasure(f"{to} was not written: the fit misses {which} by more than {100 * WORST:.0f} %.")
    store.write(to, dumps(calibration))
    complain(f"{to} is written: `bench predict MODEL --on {to}`.")


def _names(models: "Sequence[str]", more: "Sequence[str]", *, quick: bool) -> "Sequence[str]":
    """The networks to measure, each once."""
    from backbone_bench.predictor import sets

    return choose.models([*sets.networks(quick=quick, more=more), *models], None, everything=False)


def _jobs(names: "Sequence[str]", asked: "Job", batch_size: str | None) -> "list[Job]":
    """Each network at each batch, in the asked setting; energy is measured at the largest batch alone."""
    from backbone_bench.cli.predict import batches
    from backbone_bench.predictor import sets

    sizes = sets.BATCHES if batch_size is None else batches(batch_size)
    return [
        replace(asked, model=name, batch=batch, energy=asked.energy if batch == max(sizes) else "off")
        for name in names
        for batch in sizes
    ]


def _resolved(device: str) -> str:
    if device != "auto":
        return device
    from backbone_bench.measure.devices import available  # loads torch

    return available.parse("auto", available.probe())[0]


def _measured(jobs: "Sequence[Job]", kept: Path, *, quiet: bool) -> "list[Record]":
    """Measure every row in a fresh process. Raises CouldNotMeasure if one fails: a set with a gap calibrates badly."""
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.records import store
    from backbone_bench.run import runner, sweep

    store.check_writable(kept)
    with shown(quiet=quiet) as progress:

        def keep(result: runner.JobResult) -> None:
            if result.record is not None and result.failure is None:
                store.append(kept, result.record)

        done = sweep.sweep(jobs, runner.isolated(), lambda number, job: progress.row(str(job), number, len(jobs)), keep)
    if done.ended is not None:
        raise done.ended
    failures = [result.failure for result in done.results if result.failure is not None]
    if failures:
        raise CouldNotMeasure(f"A row of the set failed: {failures[0].message}")
    return list(done.records)


def _shown(name: str, records: "Sequence[Record]", form: str | None) -> "DeviceCalibration":
    """Fit the records and print the fit; with too few for a band of their own it is as wide as the shipped one."""
    from backbone_bench.cli.calibrated import answer
    from backbone_bench.predictor import choose, learn, sets
    from backbone_bench.predictor.calibration import CalibrationOrigin
    from backbone_bench.predictor.rows import rows_of

    sets.check_device(host=any(record.environment.is_host for record in records))
    days = sorted(record.started_utc[:10] for record in records)
    origin = CalibrationOrigin("measured", f"bench calibrate, {days[0]}" if days else "bench calibrate")
    taken = rows_of(name, records, origin, _count)
    calibration = learn.calibration(taken, choose("h200").calibration.bands)
    output.emit(answer(calibration, taken, records), form, (), ROWS)
    return calibration


def _count(record: "Record") -> "ModelCost":
    """The cost of a record's workload, as this version counts it."""
    from backbone_bench import profiler  # loads torch
    from backbone_bench.jobs.job import Job
    from backbone_bench.records import known

    return known(profiler.count(Job.from_record(record)).cost)
