"""`bench claims`: check published claims by counts, records and measurements."""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.base.grouping import group_by
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.claims_measure import (
    ComparisonBudgetOption,
    KeepOption,
    MeasureDryRunOption,
    MeasureOption,
    NoEnergyClaimsOption,
    PairRoundsOption,
    check_keep,
    comparison_jobs,
    forecast,
    run_comparisons,
)
from backbone_bench.cli.job_options import (
    BatchSizesOption,
    ChannelsLastOption,
    CompileOption,
    DeviceOption,
    MemoryFormatsOption,
    PrecisionsOption,
    QuickOption,
    ThreadsOption,
    TimeoutOption,
    settings_in,
)
from backbone_bench.cli.options import ROWS, OutputsOption, QuietOption, RowFormatOption, WideOption, complete_model

if TYPE_CHECKING:  # they load pydantic or torch, which `--help` need not wait for
    from backbone_bench.claims.data.papers import ClaimEntry
    from backbone_bench.claims.evidence.evidence import Evidence
    from backbone_bench.claims.judges.engine import ClaimResult
    from backbone_bench.claims.judges.plan import PlannedComparison

UNEXPECTED = 1  # exit code: a verdict is not the expected one


def complete_claim(incomplete: str) -> list[str]:
    """Claim ids and papers for shell completion, without loading torch."""
    from backbone_bench.claims.data import papers

    names = dict.fromkeys(
        name for entry in papers.entries(papers.shipped()) for name in (entry.paper.key, entry.claim.id)
    )
    return [name for name in names if name.startswith(incomplete)]


ClaimsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Claims by id (shows the working), or all claims of a paper.",
        metavar="ID|PAPER",
        autocompletion=complete_claim,
    ),
]
ClaimFilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", help="Claims of your own, as TOML, instead of the shipped ones. Repeatable.", metavar="TOML"
    ),
]
FailingOption = Annotated[bool, typer.Option("--failing", help="Only the claims that fail.")]
AboutOption = Annotated[
    str | None, typer.Option(help="Only the claims that contain this text, or whose paper does.", metavar="TEXT")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Only the claims that name this network, whichever library builds it.",
        metavar="NAME",
        autocompletion=complete_model,
    ),
]
RecordsOption = Annotated[
    list[Path] | None,
    typer.Option("--records", help="Records to judge latency and energy by: one or more files.", metavar="FILE …"),
]


@app.command()
def claims(
    context: typer.Context,
    names: ClaimsArgument = None,
    failing: FailingOption = False,
    about: AboutOption = None,
    naming: ModelOption = None,  # not `model`: that is a setting of what is measured
    file: ClaimFilesOption = None,
    records: RecordsOption = None,
    measure: MeasureOption = False,
    device: DeviceOption = None,
    batch_size: BatchSizesOption = None,
    precision: PrecisionsOption = None,
    memory_format: MemoryFormatsOption = None,
    channels_last: ChannelsLastOption = False,
    compile_mode: CompileOption = None,
    threads: ThreadsOption = None,
    rounds: PairRoundsOption = 12,
    quick: QuickOption = None,
    budget: ComparisonBudgetOption = None,
    timeout: TimeoutOption = None,
    no_energy: NoEnergyClaimsOption = False,
    keep: KeepOption = None,
    dry_run: MeasureDryRunOption = False,
    form: RowFormatOption = None,
    to: OutputsOption = None,
    wide: WideOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check published claims.

    One line a claim, what fails first; `bench claims ID` shows the working of one. Counts are made at once; those of
    networks of timm and torchvision are stored. Latency and energy come from --records, or with --measure from paired
    rounds as in `bench versus`. Measurements that others published are shown separately. Exits with 1 if a verdict is
    not the expected one.
    """
    from backbone_bench.claims.evidence import counter
    from backbone_bench.claims.judges import plan
    from backbone_bench.claims.report.tables import answer
    from backbone_bench.claims.report.working import answer_with_working
    from backbone_bench.records import store

    options = {**settings_in(context.params), "energy": None, "budget": None}  # a claim says what is measured
    paths = to or []
    output.check(paths, ROWS)
    measuring = {"keep": keep, "dry-run": dry_run, "no-energy": no_energy, "budget": budget}
    _check_measuring({**options, **measuring}, measure=measure)
    choose.watch(map(str, file or ()))  # claims of one's own may name any model
    names, given = _without_files(names or [], records or [])
    chosen = _chosen(_entries(file or []), names, about, naming)
    found = store.read(given, warn=complain) if given else ()
    ended = None
    if measure:
        check_keep(keep)
        planned = plan.planned(chosen, counter.gather_evidence(), ("time",) if no_energy else ("time", "energy"))
        jobs, timeout_s = comparison_jobs(planned, options, rounds, budget)
        if dry_run:
            output.emit(forecast(jobs), form)
            return
        ours, ended = run_comparisons(jobs, keep, timeout_s, quiet=quiet)
        found = (*found, *ours)
        if ended.by is not None:  # after a signal nobody waits until the other claims are counted
            chosen = _decided_by([planned[place] for place in ended.over], chosen)
            if not chosen:
                raise typer.Exit(ended.exit_code)
    gc.disable()  # as in `bench count`: a collection finds nothing, and takes a fifth of the time
    outcomes = _judged(chosen, counter.gather_evidence(found), quiet=quiet)
    with_working = bool(names) and {entry.claim.id for entry in chosen} == set(names)
    unexpected = [sentence for outcome in outcomes for sentence in outcome.unexpected]
    if failing:
        outcomes = [outcome for outcome in outcomes if outcome.fails]
    with signals.deferred():
        output.emit(answer_with_working(outcomes) if with_working else answer(outcomes, wide=wide), form, paths, ROWS)
        for sentence in unexpected:
            complain(sentence)
    raise typer.Exit((ended.exit_code if ended else 0) or (UNEXPECTED if unexpected else 0))


def _judged(entries: "Sequence[ClaimEntry]", evidence: "Evidence", *, quiet: bool) -> "list[ClaimResult]":
    """The results of the claims, in order, with progress by paper."""
    from backbone_bench.claims.judges import engine
    from backbone_bench.cli.progress.choose import shown

    outcomes: list[ClaimResult] = []
    papers = group_by(entries, lambda entry: entry.paper.short)
    with shown(quiet=quiet or len(papers) == 1) as progress, prints_to_stderr():
        for number, (paper, members) in enumerate(papers.items(), start=1):
            progress.row(paper, number, len(papers))
            outcomes += engine.judge_all(members, evidence)
    return outcomes


def _chosen(
    entries: "Sequence[ClaimEntry]", names: Sequence[str], about: str | None, model: str | None
) -> "tuple[ClaimEntry, ...]":
    """The claims by id or paper, then by what they contain, then by the network that they name."""
    from backbone_bench.claims.data import selection

    chosen = selection.select(entries, names)
    if about is not None:
        chosen = selection.about(chosen, about)
    return chosen if model is None else selection.naming(chosen, model)


def _without_files(names: list[str], records: list[Path]) -> tuple[list[str], list[Path]]:
    """The claims, and all files of records: after --records come several, and all but the first are arguments."""
    files = [name for name in names if records and name.endswith((".json", ".jsonl"))]
    return [name for name in names if name not in files], [*records, *map(Path, files)]


def _decided_by(
    comparisons: "Sequence[PlannedComparison]", entries: "Sequence[ClaimEntry]"
) -> "tuple[ClaimEntry, ...]":
    """The claims that these comparisons decide."""
    names = {name for comparison in comparisons for name in comparison.claims}
    return tuple(entry for entry in entries if entry.claim.id in names)


def _check_measuring(options: Mapping[str, object], *, measure: bool) -> None:
    given = [f"--{name}" for name, value in options.items() if value]
    if given and not measure:
        raise UserError(f"{', '.join(given)}: add --measure; without it nothing is measured.")


def _entries(files: Sequence[Path]) -> "list[ClaimEntry]":
    from backbone_bench.claims.data import papers

    return list(papers.entries(tuple(map(papers.read, files)) if files else papers.shipped()))
