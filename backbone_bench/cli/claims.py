"""`bench claims`: what the papers say, and whether it holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.claims_measure import (
    KeepOption,
    MeasureDryRunOption,
    MeasureOption,
    NoEnergyClaimsOption,
    PairRoundsOption,
    check_keep,
    contests,
    forecast,
    measured,
)
from backbone_bench.cli.job_options import (
    BatchSizesOption,
    BudgetOption,
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
from backbone_bench.cli.options import ROWS, OutputsOption, QuietOption, RowFormatOption

if TYPE_CHECKING:  # they load pydantic or torch, which `--help` need not wait for
    from backbone_bench.claims.data.papers import ClaimEntry
    from backbone_bench.claims.judges.plan import PlannedComparison

UNEXPECTED = 1  # a verdict is not the one that its claim is expected to have


def complete_claim(incomplete: str) -> list[str]:
    """Ids and papers for the shell, without torch."""
    from backbone_bench.claims.data import papers

    names = dict.fromkeys(
        name for entry in papers.entries(papers.shipped()) for name in (entry.paper.key, entry.claim.id)
    )
    return [name for name in names if name.startswith(incomplete)]


ClaimsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Claims by their id, with the working, or all of a paper.",
        metavar="ID|PAPER",
        autocompletion=complete_claim,
    ),
]
ClaimFilesOption = Annotated[
    list[Path] | None,
    typer.Option("--file", help="Claims of your own, as TOML, in place of those shipped. Repeatable.", metavar="TOML"),
]
RecordsOption = Annotated[
    list[Path] | None,
    typer.Option("--records", help="Records to judge latency and energy by. Repeatable.", metavar="FILE"),
]


@app.command()
def claims(
    context: typer.Context,
    names: ClaimsArgument = None,
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
    rounds: PairRoundsOption = 18,
    quick: QuickOption = None,
    budget: BudgetOption = None,
    timeout: TimeoutOption = None,
    no_energy: NoEnergyClaimsOption = False,
    keep: KeepOption = None,
    dry_run: MeasureDryRunOption = False,
    form: RowFormatOption = None,
    to: OutputsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check published claims.

    Counts are made on the spot; latency and energy come from records, or with --measure from pairs that run in turn
    as those of `bench versus` do; what others published is shown apart. Ends with 1 where a verdict is not the one
    that its claim is expected to have.
    """
    from backbone_bench.claims.evidence import counter
    from backbone_bench.claims.judges import engine, plan
    from backbone_bench.claims.report.tables import answer
    from backbone_bench.claims.report.working import answer_with_working
    from backbone_bench.records import store

    words = {**settings_in(context.params), "energy": None}  # claims say themselves what is measured
    paths = to or []
    output.check(paths, ROWS)
    _check_measuring({**words, "keep": keep, "dry-run": dry_run, "no-energy": no_energy}, measure=measure)
    chosen = engine.select(_entries(file or []), names or [])
    found = store.read(records, warn=complain) if records else ()
    ended = None
    if measure:
        check_keep(keep)
        wanted = plan.wanted(chosen, counter.gather_evidence(), ("time",) if no_energy else ("time", "energy"))
        asked, timeout_s = contests(wanted, words, rounds)
        if dry_run:
            output.emit(forecast(asked), form)
            return
        ours, ended = measured(asked, keep, timeout_s, quiet=quiet)
        found = (*found, *ours)
        if ended.by is not None:  # the rest would be counted first, and nobody waits for that now
            chosen = _asked_by(wanted[: ended.over], chosen)
            if not chosen:
                raise typer.Exit(ended.exit_code)
    outcomes = engine.judge_all(chosen, counter.gather_evidence(found))
    with_working = bool(names) and {entry.claim.id for entry in chosen} == set(names or [])
    unexpected = [sentence for outcome in outcomes for sentence in outcome.unexpected]
    with signals.deferred():
        output.emit(answer_with_working(outcomes) if with_working else answer(outcomes), form, paths, ROWS)
        for told in unexpected:
            complain(told)
    raise typer.Exit((ended.exit_code if ended else 0) or (UNEXPECTED if unexpected else 0))


def _asked_by(over: "Sequence[PlannedComparison]", entries: "Sequence[ClaimEntry]") -> "tuple[ClaimEntry, ...]":
    """The claims that these comparisons decide."""
    names = {name for one in over for name in one.claims}
    return tuple(entry for entry in entries if entry.claim.id in names)


def _check_measuring(words: Mapping[str, object], *, measure: bool) -> None:
    given = [f"--{name}" for name, value in words.items() if value]
    if given and not measure:
        raise UserError(f"{', '.join(given)}: say --measure too, or nothing is measured.")


def _entries(files: Sequence[Path]) -> "list[ClaimEntry]":
    from backbone_bench.claims.data import papers

    return list(papers.entries(tuple(map(papers.read, files)) if files else papers.shipped()))
