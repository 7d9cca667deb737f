"""From the words of `bench gate` to a comparison: which sides there are, and how each is run."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.cli.app import complain, program
from backbone_bench.cli.run_words import jobs_of, settings_of

if TYPE_CHECKING:  # they load pydantic, which `--help` need not wait for
    from backbone_bench.cli.progress.lines import Progress
    from backbone_bench.gate.baseline import Baseline
    from backbone_bench.gate.comparisons import Compared
    from backbone_bench.gate.session import GateRules
    from backbone_bench.gate.sides import Jobs
    from backbone_bench.gate.verdicts import GateReport
    from backbone_bench.jobs.settings import Settings
    from backbone_bench.run.runner import RunJob


class GateOptions(NamedTuple):
    """The words of one gate."""

    words: tuple[str, ...]  # of `bench run`
    baseline: Path | None
    current: Path | None
    base_ref: str | None
    base_python: Path | None
    exact: bool
    calibrate: bool
    update: bool
    reason: str | None
    quiet: bool

    @property
    def accepts(self) -> bool:
        """Whether what changed is meant to."""
        return self.update or self.reason is not None

    def check(self) -> None:
        """Raise UserError for words that contradict each other or leave out what is needed."""
        if self.calibrate:
            if self.update or self.base_ref is not None or self.current is not None:
                raise UserError("--calibrate runs one thing against itself: only --baseline goes with it.")
        elif (self.baseline is None) == (self.base_ref is None):
            raise UserError("Say what to compare with: either --baseline FILE or --base-ref REVISION.")
        if self.current is not None and (self.baseline is None or self.words):
            raise UserError("--current FILE is compared with --baseline FILE, and nothing is run.")
        if self.base_python is not None and self.base_ref is None:
            raise UserError("--base-python is for --base-ref.")
        self._check_reason()

    def _check_reason(self) -> None:
        if self.update and self.baseline is None:
            raise UserError("--update-baseline needs the --baseline FILE to update.")
        if self.reason is not None and not self.update and self.base_ref is None:
            raise UserError("--reason goes with --update-baseline, or accepts a change since --base-ref.")
        if not self.update and not (self.calibrate and self.baseline):
            return
        from backbone_bench.gate import baseline

        assert self.baseline is not None
        baseline.check(self.baseline)
        if self.update and self.reason is None and self.baseline.exists():
            raise UserError("--update-baseline changes what others rely on: say why with --reason.")

    def stored(self) -> "Baseline":
        """The baseline, which may be absent where it is about to be written."""
        from backbone_bench.gate import baseline

        assert self.baseline is not None
        if (self.update or self.calibrate) and not self.baseline.exists():
            return baseline.Baseline()
        return baseline.read(self.baseline)


def rules(rounds: int, latency: float, energy: float) -> "GateRules":
    """What is allowed, as shares, and how many processes a verdict is made of."""
    from backbone_bench.gate.measured import THRESHOLDS
    from backbone_bench.gate.noisy import RoundPlan
    from backbone_bench.gate.session import GateRules

    return GateRules(RoundPlan(rounds), {**THRESHOLDS, "latency": latency, "energy": energy})


class _Work(NamedTuple):
    """What is to be run, and by which rules it is compared."""

    asked: GateOptions
    rules: "GateRules"
    jobs: "Jobs"
    timeout_s: float | None
    progress: "Progress"

    @property
    def run(self) -> "RunJob":
        from backbone_bench.run import runner

        return runner.isolated(self.timeout_s)


def compare(asked: GateOptions, rules: "GateRules") -> "tuple[Compared, GateReport]":
    """Run what must be run, and compare."""
    from backbone_bench.cli.progress.choose import shown

    if asked.current is not None:
        return _files(asked, asked.current, rules)
    settings = settings_of(asked.words)
    jobs = _jobs(settings, exact=asked.exact)
    with shown(quiet=asked.quiet) as progress:
        work = _Work(asked, rules, jobs, settings.timeout, progress)
        if asked.calibrate:
            return _itself(work)
        return _now(work) if asked.base_ref is None else _revision(work, asked.base_ref)


def _jobs(settings: "Settings", *, exact: bool) -> "Jobs":
    from backbone_bench.gate import sides

    jobs = jobs_of(settings)
    if any(job.batch == "auto" for job in jobs):
        raise UserError("--batch-size auto may be another one on each side: give a number.")
    return sides.named(replace(job, latency=False, energy="off") if exact else job for job in jobs)


def _files(asked: GateOptions, current: Path, rules: "GateRules") -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import comparisons
    from backbone_bench.records import store

    old, new = asked.stored(), store.read([current], warn=complain)
    compared = comparisons.files(old, new, replace(rules, noise=old.noise))
    return compared, _report(compared, str(asked.baseline), str(current), "--update-baseline ")


def _now(work: _Work) -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import comparisons, sides

    old = work.asked.stored()
    if sides.counts_only(work.jobs):
        run = sides.counted(work.jobs)
    else:
        run = sides.fresh(work.jobs, work.run, work.progress.whole)
    compared = comparisons.now(old, work.jobs, replace(work.rules, noise=old.noise), run)
    return compared, _report(compared, str(work.asked.baseline), "this run", "--update-baseline ")


def _revision(work: _Work, revision: str) -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import checkout, comparisons, sides

    named = work.asked.base_python
    python = None if named is None else sides.interpreter(named)
    with checkout.checkout(revision, Path.cwd()) as base:
        if python is None and (others := checkout.changed_dependencies(base)):
            raise UserError(
                f"{base} asks for other packages ({', '.join(others)}), and one environment cannot serve both sides: "
                f"make one for it and name its interpreter with --base-python."
            )
        runs = sides.of_revision(base, python, work.timeout_s), sides.head_side(work.run)
        compared = comparisons.revisions(work.jobs, work.rules, runs, work.progress.whole)
        return compared, _report(compared, str(base), checkout.describe(Path.cwd()), "")


def _itself(work: _Work) -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import comparisons, sides

    if sides.counts_only(work.jobs):
        raise UserError("--calibrate measures noise, and counts have none: leave --exact out.")
    compared = comparisons.itself(work.jobs, work.rules, work.run, work.progress.whole)
    kept = f"kept in {work.asked.baseline}" if work.asked.baseline else "kept nowhere, for want of a --baseline FILE"
    remark = f"The noise of this machine, from one thing run against itself; {kept}."
    return compared, _report(compared._replace(remarks=[remark]), "itself", "one thing", "")


def _report(compared: "Compared", base: str, head: str, update: str) -> "GateReport":
    from backbone_bench.gate.verdicts import GateReport

    mine = shlex.join(sys.argv[2:])
    return GateReport(
        base,
        head,
        tuple(compared.findings),
        tuple(compared.remarks),
        again=f"{program()} gate {mine}",
        accept=f"{program()} gate {update}--reason 'why' {mine}",
    )
