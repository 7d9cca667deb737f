"""`bench versus`: which of two is faster, by how much, how sure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.job_options import (
    BatchSizesOption,
    ChannelsLastOption,
    CompileOption,
    DeviceOption,
    MemoryFormatsOption,
    PrecisionsOption,
    QuickOption,
    SeedOption,
    ThreadsOption,
    TimeoutOption,
    TrainOption,
    resolved,
    settings_in,
)
from backbone_bench.cli.options import (
    COMPARISON,
    MODEL_HELP,
    ArgOption,
    ComparisonFormatOption,
    InputOption,
    InputSizeOption,
    QuietOption,
    arguments,
    complete_model,
)

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.jobs.job import Job
    from backbone_bench.records import Record
    from backbone_bench.versus.rule import Comparison, ComparisonQuestion

_BUDGET_S = 10.0  # of a process: many short ones say more than few long ones (Kalibera and Jones 2013)
_SIDE_HELP = "A setting of {} alone, as precision=fp16 (see `bench config`). Repeatable."


@app.command()
def versus(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help=MODEL_HELP, metavar="A", autocompletion=complete_model)],
    b: Annotated[
        str | None,
        typer.Argument(
            help="The other model; left out, it is A under other settings.", metavar="B", autocompletion=complete_model
        ),
    ] = None,
    settings_a: Annotated[
        list[str] | None, typer.Option("--a", help=_SIDE_HELP.format("A"), metavar="KEY=VALUE")
    ] = None,
    settings_b: Annotated[
        list[str] | None, typer.Option("--b", help=_SIDE_HELP.format("B"), metavar="KEY=VALUE")
    ] = None,
    by: Annotated[
        Literal["wall", "device", "graph", "energy"], typer.Option(help="What is compared, per image.")
    ] = "wall",
    rounds: Annotated[int, typer.Option(help="At most so many; a third may be enough.", min=4)] = 18,
    threshold: Annotated[
        float, typer.Option(help="The least difference that matters, in percent.", min=0.1, max=100)
    ] = 3,
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
    threads: ThreadsOption = None,
    seed: SeedOption = None,
    quick: QuickOption = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Seconds for the latency of each process.", metavar="SECONDS", show_default="10"),
    ] = None,
    timeout: TimeoutOption = None,
    form: ComparisonFormatOption = None,
    to: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", help="Also write to a file; a .jsonl takes every record.", metavar="FILE"),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Say which of two is faster (or hungrier), by how much, how sure.

    Two models, or one under two settings: `bench versus resnet50 --a precision=fp16 --b precision=bf16`. Both run in
    turn, A B B A, in fresh processes on one device, so that what slows the machine slows both.
    """
    paths = to or []
    whole = [path for path in paths if path.suffix != ".jsonl"]
    grown = [path for path in paths if path.suffix == ".jsonl"]
    output.check(whole, COMPARISON)
    output.check(grown)
    common = {**settings_in(context.params), "energy": "required" if by == "energy" else "off"}
    one, timeout_s = _side(a, "--a", settings_a, common)
    other, _ = _side(b or a, "--b", settings_b, common)
    if one.device != other.device:
        raise UserError("Both sides run on one device, so that what slows one slows the other.")
    from backbone_bench.versus.report import answer
    from backbone_bench.versus.rule import ComparisonQuestion, DecisionRule

    found = _contest(
        (one, other), ComparisonQuestion(by, DecisionRule(rounds, threshold / 100)), timeout_s, grown, quiet=quiet
    )
    output.emit(answer(found), form, whole, COMPARISON)


def _side(model: str, place: str, words: list[str] | None, common: Mapping[str, object]) -> "tuple[Job, float | None]":
    """One side's job, and how long it may take."""
    own: dict[str, Any] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or name in ("model", "family", "all"):
            raise UserError(f"{place} {word}: write it as key=value, with the key of a setting of one model.")
        own[name] = [*own[name], value] if name in own else [value] if name in ("arg", "input") else value
    settings = resolved({**common, "model": [model]}, (place, own)).settings
    job, *more = settings.jobs(choose.models(settings.model, (), everything=False), arguments(list(settings.arg)))
    if more:
        raise UserError(
            f"{place[2:].upper()} is several rows, {job} and {more[0]} among them: give one value a setting."
        )
    return briefly(job), settings.timeout


def briefly(job: "Job") -> "Job":
    """The job with the time that one of many processes has, where nothing else was asked for."""
    return replace(job, budget_s=job.budget_s or (None if job.quick else _BUDGET_S))


def _contest(
    sides: "tuple[Job, Job]",
    question: "ComparisonQuestion",
    timeout_s: float | None,
    paths: Sequence[Path],
    *,
    quiet: bool,
) -> "Comparison":
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.records import store
    from backbone_bench.run import runner
    from backbone_bench.versus.rounds import compare_paired

    def keep(record: "Record") -> None:
        for path in paths:
            store.append(path, record)

    try:
        with shown(quiet=quiet) as progress:
            told = progress.whole(f"{sides[0]} against {sides[1]}")
            return compare_paired(sides, question, told, runner.isolated(timeout_s), signals.deferred()(keep))
    except signals.Interrupted as stopped:
        complain(f"{stopped}: nothing was decided.")
        raise typer.Exit(stopped.exit_code) from None
