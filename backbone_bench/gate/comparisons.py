"""The comparisons of a gate: two files, a baseline and a new run, a revision and the working tree, or a calibration.

A side that fails becomes a finding, and the other workloads go on.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.gate import stored
from backbone_bench.gate.baseline import Baseline, Calibration
from backbone_bench.gate.calibration import calibrate
from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.noisy import RoundPlan
from backbone_bench.gate.session import GateRules, gate
from backbone_bench.gate.sides import Begin, Jobs, counts_only, failed_beside, failed_here, in_turn
from backbone_bench.gate.verdicts import GateFinding
from backbone_bench.records import Record, matching
from backbone_bench.versus.rounds import TakeRound

_ONCE = RoundPlan(rounds=1, double=False, confirm=False)


class Compared(NamedTuple):
    """Result of a comparison: findings, remarks, the head's records, and calibrations if it was one."""

    findings: Sequence[GateFinding]
    remarks: Sequence[str]
    heads: Sequence[Record]
    calibrations: Sequence[Calibration] = ()


def files(baseline: Baseline, current: Sequence[Record], rules: GateRules) -> Compared:
    """Compare two files. Nothing is run, so rounds are not doubled and regressions are not confirmed."""
    groups = matching.by_workload(current)
    sides = stored.Stored(baseline.records, lambda name, _count: groups[name])
    plan = replace(rules.plan, double=False, confirm=False)
    findings, remarks = gate(list(groups), sides.take, replace(rules, plan=plan))
    return Compared([*findings, *stored.missing(baseline.records, current)], remarks, current)


def now(baseline: Baseline, jobs: Jobs, rules: GateRules, run: stored.FetchRecords) -> Compared:
    """Compare a new run with the records of a baseline; rounds are not doubled, since the baseline has no more."""
    sides = stored.Stored(baseline.records, run)
    plan = _ONCE if counts_only(jobs) else replace(rules.plan, double=False)
    findings, remarks = gate(list(jobs), sides.take, replace(rules, plan=plan))
    return Compared(findings, remarks, sides.heads)


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


def itself(jobs: Jobs, rules: GateRules, take_round: TakeRound, begin: Begin) -> Compared:
    """Compare each job with itself, which calibrates the noise of this machine."""
    take = in_turn(jobs, take_round, failed_here, begin)
    findings, calibrations = calibrate(list(jobs), take, rules)
    return Compared(findings, (), (), calibrations)
