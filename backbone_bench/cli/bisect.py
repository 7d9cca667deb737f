"""`bench bisect`: find the commit between a good and a bad one at which a model became worse."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base import signals
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.cli import gate_sides, output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.gate import (
    EnergyThresholdOption,
    ExactOption,
    GateRoundsOption,
    LatencyThresholdOption,
    RunWordsArgument,
)
from backbone_bench.cli.options import COMPARISON, ComparisonFormatOption, OutputsOption, QuietOption
from backbone_bench.cli.run_words import settings_of

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.cli.progress.lines import Progress
    from backbone_bench.gate.between import TakeBetween
    from backbone_bench.gate.bisect import BisectReport, BisectStep
    from backbone_bench.gate.session import GateRules
    from backbone_bench.gate.sides import Begin
    from backbone_bench.jobs.settings import Settings

GoodArgument = Annotated[str, typer.Argument(help="The older revision, which is good.", metavar="GOOD")]
BadArgument = Annotated[str, typer.Argument(help="The newer revision, which is worse.", metavar="BAD")]
EveryCommitOption = Annotated[
    bool,
    typer.Option("--every-commit", help="Also search the branches that were merged, not only what merged them."),
]


@app.command(context_settings={"ignore_unknown_options": True})
def bisect(
    good: GoodArgument,
    bad: BadArgument,
    words: RunWordsArgument = None,
    exact: ExactOption = False,
    every_commit: EveryCommitOption = False,
    rounds: GateRoundsOption = 5,
    latency_threshold: LatencyThresholdOption = 3.0,
    energy_threshold: EnergyThresholdOption = 5.0,
    form: ComparisonFormatOption = None,
    to: OutputsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Find the commit between a good and a bad one that made a model worse.

    Compares as `bench gate --base-ref` does, each commit in a checkout of its own: counts exactly, and measurements by
    rounds. A commit that cannot be built is skipped. Exit code 3: it could not be decided; 4: BAD is no worse.
    """
    paths = to or []
    output.check(paths, COMPARISON)
    rules = gate_sides.rules(rounds, latency_threshold / 100, energy_threshold / 100)
    settings = settings_of(tuple(words or ()))
    try:
        with prints_to_stderr():
            report = _search(good, bad, settings, rules, exact=exact, every_commit=every_commit, quiet=quiet)
    except signals.Interrupted as interrupted:
        complain(f"{interrupted}: the first bad commit was not found.")
        raise typer.Exit(interrupted.exit_code) from None
    from backbone_bench.gate.report.bisect import answer

    output.emit(answer(report), form, paths, COMPARISON)
    raise typer.Exit(report.exit_code)


def _search(
    good: str, bad: str, settings: "Settings", rules: "GateRules", *, exact: bool, every_commit: bool, quiet: bool
) -> "BisectReport":
    from backbone_bench.base.progress import silent
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.gate import bisect, commits, sides
    from backbone_bench.gate.between import Checkouts, Commits, CountedBetween, MeasuredBetween
    from backbone_bench.gate.checkout import repository_of

    repository = repository_of(Path.cwd(), "holds the commits to search")
    first, last = (commits.read(repository, revision) for revision in (good, bad))
    commits.check_order(repository, first, last)
    jobs = gate_sides.named_jobs(settings, exact=exact)
    with ExitStack() as whole:
        progress = whole.enter_context(shown(quiet=quiet))
        checkouts = Checkouts(repository, first, whole, progress.say)
        take: TakeBetween = MeasuredBetween(checkouts, settings.timeout, progress.say)
        begin: Begin = progress.whole
        if sides.counts_only(jobs):
            take, begin = CountedBetween(checkouts, settings.timeout), lambda _name: silent
        history = Commits(repository, jobs, rules, take, begin, first_parent=not every_commit)
        ends = history.compare(first, last)
        return bisect.bisect(history.narrowed(bisect.worse(ends)), first, last, ends, _teller(progress))


def _teller(progress: "Progress") -> "Callable[[BisectStep, int], None]":
    """A function that prints each step as a line."""
    from backbone_bench.gate.report.bisect import line

    numbers = count(1)
    return lambda step, left: progress.say(line(step, next(numbers), left))
