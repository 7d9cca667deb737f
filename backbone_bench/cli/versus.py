"""`bench versus`: decide by paired rounds which of two models, A or B, is faster or uses less energy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backbone_bench.base import signals
from backbone_bench.base.errors import CouldNotMeasure, UserError
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
    OptimizerOption,
    QuietOption,
    arguments,
    complete_model,
)

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.jobs.job import Job
    from backbone_bench.records import Record
    from backbone_bench.versus.compare import AskedPair
    from backbone_bench.versus.rounds import TakeRound
    from backbone_bench.versus.rule import By, Comparison

_BUDGET_S = 100.0  # for a whole comparison: an answer in under two minutes
_PROCESS_S = 10.0  # in fresh rounds: many short processes tell more than few long ones (Kalibera and Jones 2013)
_SIDE_HELP = "A setting of {} only, such as precision=fp16 (see `bench config`). Repeatable."


@app.command()
def versus(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help=MODEL_HELP, metavar="A", autocompletion=complete_model)],
    b: Annotated[
        str | None,
        typer.Argument(
            help="The other model; without it, A under other settings.", metavar="B", autocompletion=complete_model
        ),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(help="Further models: every two are compared.", metavar="[C]...", autocompletion=complete_model),
    ] = None,
    settings_a: Annotated[
        list[str] | None, typer.Option("--a", help=_SIDE_HELP.format("A"), metavar="KEY=VALUE")
    ] = None,
    settings_b: Annotated[
        list[str] | None, typer.Option("--b", help=_SIDE_HELP.format("B"), metavar="KEY=VALUE")
    ] = None,
    by: Annotated[
        Literal["work", "wall", "device", "graph", "energy"] | None,
        typer.Option(
            help="Quantity to compare, per image; work: the device's own, without the time that it waits for the host.",
            show_default="work on cuda, wall elsewhere",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Most rounds; a clear result needs half of them.", min=4)] = 12,
    threshold: Annotated[
        float, typer.Option(help="Smallest difference that matters, in percent.", min=0.1, max=100)
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
    optimizer: OptimizerOption = None,
    threads: ThreadsOption = None,
    seed: SeedOption = None,
    quick: QuickOption = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Time for the whole comparison.", metavar="SECONDS", min=1, show_default="100, and no limit for energy"
        ),
    ] = None,
    timeout: TimeoutOption = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Also time every operation of each, and show where two models differ.")
    ] = False,
    form: ComparisonFormatOption = None,
    to: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help="Also write to a file, in the format of its suffix; .jsonl gets every record.",
            metavar="FILE",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Decide which of two is faster or uses less energy.

    Compares two models, or one under two settings: `bench versus resnet50 --a precision=fp16 --b precision=bf16`. A
    process of each is alive on one device, and they take turns of a few calls, so what slows the machine affects both.
    The result is a ratio with its 99 % confidence interval; of more than two models, a table of ratios.
    """
    paths = to or []
    whole = [path for path in paths if path.suffix != ".jsonl"]
    appended = [path for path in paths if path.suffix == ".jsonl"]
    output.check(whole, COMPARISON)
    output.check(appended)
    common = {**settings_in(context.params), "energy": "required" if by == "energy" else "off", "budget": None}
    common["layers"] = None  # a pass of its own, after the rounds
    job_a, timeout_s = _side(a, "--a", settings_a, common)
    job_b, _ = _side(b or a, "--b", settings_b, common)
    if job_a.device != job_b.device:
        raise UserError("A and B must run on one device: give both the same device.")
    others = [_side(model, "", None, common)[0] for model in more or ()]
    if others and (settings_a or settings_b):
        raise UserError("--a and --b are settings of one of two models: leave them out, or compare two.")
    if by == "energy" and layers:
        raise UserError("--layers is about time: leave it out with --by energy.")
    if others and layers:
        raise UserError("--layers shows where two models differ: leave it out, or compare two.")
    from backbone_bench.versus.many import answer_of_many, every_two
    from backbone_bench.versus.report import answer
    from backbone_bench.versus.rule import ComparisonQuestion, DecisionRule

    jobs = [job_a, job_b, *others]
    limit_s = budget or (None if by == "energy" else _BUDGET_S * len(jobs) / 2)
    rule = DecisionRule(rounds, threshold / 100, family=len(jobs) * (len(jobs) - 1) // 2)
    question = ComparisonQuestion(by or usual(job_a.device), rule, limit_s)
    found = _compare(jobs, every_two(len(jobs), question), timeout_s, appended, quiet=quiet)
    made = answer_of_many(found) if others else answer(found[0])
    if layers:
        from backbone_bench.versus.layers import with_layers

        timed = _timed_layers((job_a, job_b), timeout_s, quiet=quiet)
        made = with_layers(found[0], made, timed[0], timed[1])
    output.emit(made, form, whole, COMPARISON)


def usual(device: str) -> "By":
    """Choose what is compared if nothing is asked for: the device's work where it can be told from the host's time.

    That needs graphs or a device that can be held, which CUDA alone has. No device is built here: its context would
    count as another process on the card.
    """
    if device == "auto":
        from backbone_bench.measure.devices import available  # loads torch

        device, _ = available.parse("auto", available.probe())
    return "work" if device.partition(":")[0] == "cuda" else "wall"


def _side(model: str, flag: str, words: list[str] | None, common: Mapping[str, object]) -> "tuple[Job, float | None]":
    """The job of A or B, and the timeout of a row in seconds."""
    own: dict[str, Any] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or name in ("model", "family", "all"):
            raise UserError(f"{flag} {word}: write it as key=value, with the key of a setting of one model.")
        own[name] = [*own[name], value] if name in own else [value] if name in ("arg", "input") else value
    settings = resolved({**common, "model": [model]}, (flag, own)).settings
    job, *more = settings.jobs(choose.models(settings.model, (), everything=False), arguments(list(settings.arg)))
    if more:
        raise UserError(
            f"{flag[2:].upper()} is several rows, {job} and {more[0]} among them: give each setting one value."
        )
    return with_process_budget(job), settings.timeout


def with_process_budget(job: "Job") -> "Job":
    """The job with the default latency budget of one process of many in fresh rounds, unless it is quick."""
    return replace(job, budget_s=None if job.quick else _PROCESS_S)


def rounds_of(by: "By", timeout_s: float | None, say: Callable[[str], None]) -> "TakeRound":
    """How the rounds of a comparison are taken: of energy in fresh processes, else in live ones."""
    from backbone_bench.run import runner
    from backbone_bench.versus.rounds import FreshRounds, LiveRounds

    fresh = FreshRounds([runner.isolated(timeout_s)])
    return fresh if by == "energy" else LiveRounds(fresh, say, timeout_s)


def _timed_layers(jobs: "Sequence[Job]", timeout_s: float | None, *, quiet: bool) -> "list[Record]":
    """A quick record of each job with the times of its layers. Raises CouldNotMeasure if a row fails."""
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.run import runner

    run, records = runner.isolated(timeout_s), []
    with shown(quiet=quiet) as progress:
        for number, job in enumerate(jobs, start=1):
            asked = replace(job, layers=True, quick=True, budget_s=None, energy="off")
            outcome = run(asked, progress.row(f"{job}: layers", number, len(jobs)))
            if outcome.failure is not None:
                raise CouldNotMeasure(f"{job}: {outcome.failure.message}")
            records += [] if outcome.record is None else [outcome.record]
    return records


def _compare(
    jobs: "Sequence[Job]",
    asked: "Sequence[AskedPair]",
    timeout_s: float | None,
    paths: Sequence[Path],
    *,
    quiet: bool,
) -> "list[Comparison]":
    """The comparisons that were possible; raises CouldNotMeasure if there is none."""
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.records import store
    from backbone_bench.versus.compare import compare_rotating

    def keep(record: "Record") -> None:
        for path in paths:
            store.append(path, record)

    try:
        with shown(quiet=quiet) as progress:
            on_progress = progress.whole(" against ".join(map(str, jobs)))
            take = rounds_of(asked[0].question.by, timeout_s, progress.say)
            found = compare_rotating(jobs, asked, on_progress, take, signals.deferred()(keep))
    except signals.Interrupted as interrupted:
        complain(f"{interrupted}: nothing was decided.")
        raise typer.Exit(interrupted.exit_code) from None
    failures = [one for one in found if isinstance(one, CouldNotMeasure)]
    if len(failures) == len(found):
        raise failures[0]
    for failure in dict.fromkeys(map(str, failures)):
        complain(failure)
    return [one for one in found if not isinstance(one, CouldNotMeasure)]
