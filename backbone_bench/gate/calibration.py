"""Calibration: compare a workload with itself to measure the noise of this machine and the effect it can detect."""

from collections.abc import Sequence
from dataclasses import replace

from backbone_bench.base.program import now_utc
from backbone_bench.gate.baseline import Calibration
from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.noisy import RoundPlan
from backbone_bench.gate.session import GateRules, Session, Take, gate
from backbone_bench.gate.verdicts import GateFinding
from backbone_bench.records import fingerprint, matching


def calibrate(names: Sequence[str], take: Take, rules: GateRules) -> tuple[list[GateFinding], list[Calibration]]:
    """Measure all the rounds that a gate may use, and return verdicts and the standard deviation of each quantity.

    The verdicts are those of the gate: both sides are the same workload, so
    any verdict but `pass` means that the machine is too noisy for the thresholds.
    """
    plan = rules.plan
    whole = RoundPlan(plan.rounds * (1 + plan.double), double=False, confirm=False)
    session = Session(take, rules)
    series = session.measure(names, whole.rounds)
    now = now_utc()
    calibrations = []
    for key, taken in series.items():
        _, head = session.rounds[key.subject][0]
        assert taken.spread is not None  # there are two rounds at least
        calibrations.append(
            Calibration(
                at_utc=now,
                fingerprint=fingerprint.digest(head.workload, head.environment),
                subject=matching.subject(head.workload),
                metric=key.metric,
                deviation=taken.spread.stdev,
                rounds=len(taken.changes),
            )
        )

    def again(name: str, _count: int) -> Sequence[BaseHead]:
        if name in session.unpaired:
            raise session.unpaired[name]
        return session.rounds[name]

    findings, _ = gate(names, again, replace(rules, plan=whole))
    return findings, calibrations
