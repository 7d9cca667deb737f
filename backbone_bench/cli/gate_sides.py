"""From the options of `bench gate` to a comparison: what base and head are, and how each is run."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backbone_bench.base.errors import NotComparable, UserError
from backbone_bench.cli import choose
from backbone_bench.cli.app import complain, program
from backbone_bench.cli.run_words import jobs_of, settings_of

if TYPE_CHECKING:  # they load pydantic, which `--help` need not wait for
    from backbone_bench.cli.progress.lines import Progress
    from backbone_bench.gate.baseline import Baseline
    from backbone_bench.gate.comparisons import Compared
    from backbone_bench.gate.session import GateRules
    from backbone_bench.gate.sides import Jobs
    from backbone_bench.gate.verdicts import GateReport
    from backbone_bench.jobs.job import Job
    from backbone_bench.jobs.settings import Settings
    from backbone_bench.run.runner import RunJob


class GateOptions(NamedTuple):
    """The options of one `bench gate` call."""

    words: tuple[str, ...]  # options of `bench run`
    baseline: Path | None
    current: Path | None
    base_ref: str | None
    base_python: Path | None
    exact: bool
    calibrate: bool
    update: bool
    reason: str | None
    part: bool
    shard: str | None
    quiet: bool

    @property
    def is_part(self) -> bool:
        """Whether this run compares only a part of what the baseline holds."""
        return self.part or self.shard is not None

    def check(self) -> None:
        """Raise UserError for options that contradict each other or are incomplete."""
        if self.calibrate:
            if self.update or self.base_ref is not None or self.current is not None:
                raise UserError(
                    "--calibrate runs the same code on both sides: it can be combined with --baseline only."
                )
        elif (self.baseline is None) == (self.base_ref is None):
            raise UserError("Say what to compare with: either --baseline FILE or --base-ref REVISION.")
        if self.current is not None and (self.baseline is None or self.words):
            raise UserError("--current FILE is compared with --baseline FILE, and nothing is run.")
        if self.base_python is not None and self.base_ref is None:
            raise UserError("--base-python needs --base-ref: add it, or leave --base-python out.")
        self._check_part()
        self._check_reason()

    def _check_part(self) -> None:
        if self.is_part and self.baseline is None:
            raise UserError("--part and --shard compare a part of a baseline: add --baseline FILE, or leave them out.")
        if self.shard is not None and self.current is not None:
            raise UserError("--shard says what to run, and --current FILE runs nothing: use --part.")

    def _check_reason(self) -> None:
        if self.update and self.baseline is None:
            raise UserError("--update-baseline needs the --baseline FILE to update.")
        if self.reason is not None and not self.update and self.base_ref is None:
            raise UserError("--reason goes with --update-baseline or with --base-ref: add one of them.")
        if not self.update and not (self.calibrate and self.baseline):
            return
        from backbone_bench.gate import baseline

        assert self.baseline is not None
        baseline.check(self.baseline)
        if self.update and self.reason is None and self.baseline.exists():
            raise UserError("--update-baseline changes a baseline that others rely on: say why with --reason TEXT.")

    def stored(self) -> "Baseline":
        """The baseline; an empty one if its file is about to be written."""
        from backbone_bench.gate import baseline

        assert self.baseline is not None
        found = baseline.read(self.baseline)
        return replace(found, absent=None) if self.update or self.calibrate else found


def rules(rounds: int, latency: float, energy: float) -> "GateRules":
    """The rules of a gate: thresholds as shares (0.03 is 3 %), and processes per side."""
    from backbone_bench.gate import tolerances
    from backbone_bench.gate.measured import THRESHOLDS
    from backbone_bench.gate.noisy import RoundPlan
    from backbone_bench.gate.session import GateRules

    thresholds = {**THRESHOLDS, "latency": latency, "energy": energy}
    return GateRules(RoundPlan(rounds), thresholds, tolerances=tolerances.read(Path.cwd()))


class _Work(NamedTuple):
    """The jobs to run and the rules to compare them by."""

    options: GateOptions
    rules: "GateRules"
    jobs: "Jobs"
    timeout_s: float | None
    progress: "Progress"

    @property
    def run(self) -> "RunJob":
        from backbone_bench.run import runner

        return runner.isolated(self.timeout_s)


def compare(options: GateOptions, rules: "GateRules") -> "tuple[Compared, GateReport]":
    """Run what the options request, and compare base with head."""
    from backbone_bench.gate.tolerances import unused

    compared, report = _compare(options, rules)
    remarks = unused(rules.tolerances, compared.heads) if compared.heads else ()
    return compared, replace(report, remarks=(*report.remarks, *remarks))


def _compare(options: GateOptions, rules: "GateRules") -> "tuple[Compared, GateReport]":
    from backbone_bench.cli.progress.choose import shown
    from backbone_bench.gate import sides

    if options.current is not None:
        return _compare_files(options, options.current, rules)
    settings = settings_of(options.words)
    jobs = named_jobs(settings, exact=options.exact, shard=options.shard)
    if options.base_ref is None and sides.counts_only(jobs):
        choose.watch(job.model for job in jobs.values())
    with shown(quiet=options.quiet) as progress:
        work = _Work(options, rules, jobs, settings.timeout, progress)
        if options.calibrate:
            return _calibrate(work)
        if options.base_ref is None:
            return _compare_with_baseline(work)
        return _compare_with_revision(work, options.base_ref)


def named_jobs(settings: "Settings", *, exact: bool, shard: str | None = None) -> "Jobs":
    """The jobs of settings by name; `exact`: they only count. Raises UserError for settings that cannot be compared."""
    from backbone_bench.gate import sides
    from backbone_bench.run import sweep

    jobs: Sequence[Job] = jobs_of(settings)
    if any(job.batch == "auto" for job in jobs):
        raise UserError("--batch-size auto may choose different batches for base and head: give a number.")
    if shard is not None:
        jobs = sweep.shard(jobs, *sweep.parse_shard(shard))
    return sides.named(replace(job, latency=False, energy="off") if exact else job for job in jobs)


def _compare_files(options: GateOptions, current: Path, rules: "GateRules") -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import comparisons
    from backbone_bench.records import store

    old, new = options.stored(), store.read([current], warn=complain)
    compared = comparisons.files(old, new, replace(rules, noise=old.noise), part=options.is_part)
    if not compared.findings:
        raise NotComparable(f"Nothing was compared: neither {options.baseline} nor {current} has a record.")
    return compared, _report(compared, str(options.baseline), str(current), "--update-baseline ")


def _compare_with_baseline(work: _Work) -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import comparisons, sides

    old = work.options.stored()
    if sides.counts_only(work.jobs):
        run = sides.counted(work.jobs)
    else:
        run = sides.fresh(work.jobs, work.run, work.progress.whole)
    compared = comparisons.now(old, work.jobs, replace(work.rules, noise=old.noise), run, part=work.options.is_part)
    return compared, _report(compared, str(work.options.baseline), "this run", "--update-baseline ")


def _compare_with_revision(work: _Work, revision: str) -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import accepted, checkout, comparisons, sides

    path = work.options.base_python
    python = None if path is None else sides.interpreter(path)
    with checkout.checkout(revision, Path.cwd(), os.environ) as base:
        if python is None and (others := checkout.changed_dependencies(base)):
            raise UserError(
                f"{base} asks for other packages ({', '.join(others)}), so base and head cannot share one environment: "
                f"make an environment for the base and name its interpreter with --base-python."
            )
        files = accepted.pending(folder := Path.cwd() / accepted.FOLDER, base.place(folder))
        take = sides.with_revision(base, python, work.timeout_s, work.progress.say)
        compared = comparisons.revisions(work.jobs, work.rules, take, str(base), work.progress.whole)
        compared = comparisons.with_new(compared, work.jobs, work.rules, work.run)
        compared = comparisons.accepting(compared, files, work.options.reason)
        return compared, _report(compared, str(base), checkout.describe(Path.cwd()), "")


def _calibrate(work: _Work) -> "tuple[Compared, GateReport]":
    from backbone_bench.gate import comparisons, sides

    if sides.counts_only(work.jobs):
        raise UserError("--calibrate measures noise, and counts have none: leave --exact out.")
    take = sides.itself(work.timeout_s, work.progress.say)
    compared = comparisons.itself(work.jobs, work.rules, take, work.progress.whole)
    file = work.options.baseline
    kept = f"stored in {file}" if file else "not stored, because no --baseline FILE is given"
    remark = f"The noise of this machine, from the same code run on both sides; {kept}."
    return compared, _report(compared._replace(remarks=[remark]), "itself", "the same code", "")


def _report(compared: "Compared", base: str, head: str, update: str) -> "GateReport":
    from backbone_bench.gate.verdicts import GateReport

    arguments = shlex.join(sys.argv[2:])
    return GateReport(
        base,
        head,
        tuple(compared.findings),
        tuple(compared.remarks),
        again=f"{program()} gate {arguments}",
        accept=f"{program()} gate {update}--reason 'why' {arguments}",
    )
