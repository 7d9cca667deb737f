"""The comparisons of a gate: two files, a baseline and a new run, a revision and the working tree, or a calibration.

A side that fails becomes a finding, and the other workloads go on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.base.progress import silent
from backbone_bench.gate import accepted, exact, stored
from backbone_bench.gate.accepted import AcceptedFile
from backbone_bench.gate.baseline import Baseline, Calibration
from backbone_bench.gate.calibration import calibrate
from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.noisy import RoundPlan
from backbone_bench.gate.session import GateRules, gate
from backbone_bench.gate.sides import Begin, Jobs, counts_only, failed_beside, failed_here, in_turn
from backbone_bench.gate.verdicts import GateFinding, GateVerdict
from backbone_bench.records import Record, matching
from backbone_bench.run.runner import JobResult, RunJob
from backbone_bench.versus.rounds import TakeRound

_ONCE = RoundPlan(rounds=1, double=False, confirm=False)


class Compared(NamedTuple):
    """Result of a comparison: findings, remarks, the head's records, and calibrations if it was one."""

    findings: Sequence[GateFinding]
    remarks: Sequence[str]
    heads: Sequence[Record]
    calibrations: Sequence[Calibration] = ()


def files(baseline: Baseline, current: Sequence[Record], rules: GateRules, *, part: bool = False) -> Compared:
    """Compare two files. Nothing is run, so rounds are not doubled and regressions are not confirmed.

    With `part`, what only the baseline has is a remark, not `missing`.
    """
    groups = matching.by_workload(current)
    sides = stored.Stored(baseline, lambda name, _count: groups[name])
    plan = replace(rules.plan, double=False, confirm=False)
    findings, remarks = gate(list(groups), sides.take, replace(rules, plan=plan))
    findings += _limits_of_new(sides, rules)
    return _with_missing(Compared(findings, remarks, current), baseline.records, part=part)


def _limits_of_new(sides: stored.Stored, rules: GateRules) -> Iterator[GateFinding]:
    """Findings on what the baseline does not have and a tolerance limits all the same."""
    for record in sides.new:
        allowed = rules.tolerances.of(record.workload.model)
        yield from exact.limits(matching.subject_on_paper(record.workload), record.cost, allowed)


def now(baseline: Baseline, jobs: Jobs, rules: GateRules, run: stored.FetchRecords, *, part: bool = False) -> Compared:
    """Compare a new run with the records of a baseline; rounds are not doubled, since the baseline has no more.

    With `part`, what only the baseline has is a remark, not `missing`.
    """
    sides = stored.Stored(baseline, run)
    once = counts_only(jobs) or baseline.absent is not None
    plan = _ONCE if once else replace(rules.plan, double=False)
    findings, remarks = gate(list(jobs), sides.take, replace(rules, plan=plan))
    findings += _limits_of_new(sides, rules)
    # What could not be run has no workload to find its entry by: the entries of its model are not missing as well.
    failed = {jobs[one.subject].model for one in findings if one.verdict is GateVerdict.INVALID and one.subject in jobs}
    expected = [record for record in baseline.records if record.workload.model not in failed]
    return _with_missing(Compared(findings, remarks, sides.heads), expected, part=part)


def _with_missing(compared: Compared, baseline: Sequence[Record], *, part: bool) -> Compared:
    missing = stored.missing(baseline, compared.heads)
    if not part:
        return compared._replace(findings=[*compared.findings, *missing])
    names = ", ".join(found.subject for found in missing)
    listed = f" {len(missing)} of the baseline's workloads were left out: {names}." if missing else ""
    return compared._replace(remarks=[f"This run is a part (--part).{listed}", *compared.remarks])


def revisions(jobs: Jobs, rules: GateRules, take_round: TakeRound, base: str, begin: Begin) -> Compared:
    """Compare a revision, named `base`, with the working tree in rounds of both."""
    heads: list[Record] = []
    alternate = in_turn(jobs, take_round, failed_beside(base), begin)

    def take(name: str, count: int) -> Sequence[BaseHead]:
        rounds = alternate(name, count)
        heads.extend(head for _, head in rounds)
        return rounds

    findings, remarks = gate(list(jobs), take, replace(rules, plan=_ONCE) if counts_only(jobs) else rules)
    return Compared(findings, remarks, heads)


def with_new(compared: Compared, jobs: Jobs, rules: GateRules, run_head: RunJob) -> Compared:
    """The result with what the base does not have counted at the head: it may fail there too, and has limits."""
    findings, heads = list[GateFinding](), list(compared.heads)
    for found in compared.findings:
        if found.verdict is not GateVerdict.NEW or found.subject not in jobs:
            findings.append(found)
            continue
        outcome = run_head(replace(jobs[found.subject], latency=False, energy="off", cross_check=False), silent)
        findings += _new(found, outcome, rules)
        if outcome.record is not None:
            heads.append(outcome.record)
    return compared._replace(findings=findings, heads=heads)


def _new(found: GateFinding, outcome: JobResult, rules: GateRules) -> Iterator[GateFinding]:
    """Findings on what the base does not have, once it was counted at the head."""
    if outcome.failure is not None:
        failure = outcome.failure
        reason = f"{failure.message.rstrip('.')}. The base does not have it either"
        yield replace(found, verdict=GateVerdict.INVALID, reason=reason, exit_code=failure.exit_code)
        return
    assert outcome.record is not None  # a job that has not failed has a record
    workload = outcome.record.workload
    subject = matching.subject_on_paper(workload)
    yield replace(found, subject=subject)
    yield from exact.limits(subject, outcome.record.cost, rules.tolerances.of(workload.model))


def accepting(compared: Compared, files: Sequence[AcceptedFile], reason: str | None) -> Compared:
    """The result with all findings marked that the tree accepts or, if there is a reason, that are accepted now."""
    findings = accepted.mark(compared.findings, files)
    remarks = [*compared.remarks, *accepted.unused(findings, files)]
    if reason is not None:
        findings = accepted.accept(findings, reason)
    return compared._replace(findings=findings, remarks=remarks)


def itself(jobs: Jobs, rules: GateRules, take_round: TakeRound, begin: Begin) -> Compared:
    """Compare each job with itself, which calibrates the noise of this machine."""
    take = in_turn(jobs, take_round, failed_here, begin)
    findings, calibrations = calibrate(list(jobs), take, rules)
    return Compared(findings, (), (), calibrations)
