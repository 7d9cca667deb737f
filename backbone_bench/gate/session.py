"""One run of the gate: measure both sides of every workload, compare counts exactly and measurements by rounds.

The caller passes in how the sides are run, so this module depends on no
checkouts, processes or torch; a file is a side that was run before.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backbone_bench.gate import exact, measured
from backbone_bench.gate.measured import THRESHOLDS, BaseHead, Noise
from backbone_bench.gate.noisy import RoundPlan, Series, SeriesKey, decide
from backbone_bench.gate.tolerances import Tolerances
from backbone_bench.gate.verdicts import GateFinding, GateVerdict
from backbone_bench.records import Record, matching
from backbone_bench.records.quantities import QUANTITIES, MeasuredKind


class Unpaired(Exception):
    """A workload has no pair of base and head to compare; it gets this finding instead."""

    def __init__(
        self, verdict: GateVerdict, reason: str, *, subject: str | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(reason)
        self.verdict, self.reason, self.subject, self.exit_code = verdict, reason, subject, exit_code

    def finding(self, name: str) -> GateFinding:
        return GateFinding(self.subject or name, "", self.verdict, reason=self.reason, exit_code=self.exit_code)


Take = Callable[[str, int], Sequence[BaseHead]]  # a workload's name and a number of rounds in; raises Unpaired


@dataclass(frozen=True, slots=True)
class GateRules:
    """The rules of a gate: rounds, thresholds, tolerances of counts, and the noise known from calibrations."""

    plan: RoundPlan = field(default_factory=RoundPlan)
    thresholds: Mapping[MeasuredKind, float] = field(default_factory=lambda: THRESHOLDS)
    noise: Noise = field(default_factory=dict)
    tolerances: Tolerances = field(default_factory=Tolerances)


@dataclass(slots=True)
class Session:
    """The rounds measured so far, by workload."""

    take: Take
    rules: GateRules
    rounds: dict[str, list[BaseHead]] = field(default_factory=dict)
    unpaired: dict[str, Unpaired] = field(default_factory=dict)

    def measure(self, names: Collection[str], count: int) -> Mapping[SeriesKey, Series]:
        """Measure further rounds of these workloads; one that raised Unpaired is skipped from then on."""
        taken: dict[SeriesKey, Series] = {}
        for name in names:
            if name in self.unpaired:
                continue
            try:
                fresh = self.take(name, count)
            except Unpaired as error:
                self.unpaired[name] = error
                continue
            self.rounds.setdefault(name, []).extend(fresh)
            found = measured.series(fresh, self.rules.thresholds, self.rules.noise)
            taken |= {SeriesKey(name, metric): series for metric, series in found.items()}
        return taken


def gate(names: Sequence[str], take: Take, rules: GateRules) -> tuple[list[GateFinding], list[str]]:
    """Measure, compare and return findings on every workload, and remarks for the report."""
    session = Session(take, rules)
    decisions = decide(session.measure, names, rules.plan)
    findings: list[GateFinding] = []
    remarks: list[str] = []
    for name in names:
        if error := session.unpaired.get(name):
            findings.append(error.finding(name))
            continue
        rounds = session.rounds[name]
        base, head = rounds[0]
        subject = matching.subject(head.workload)
        findings += exact.compare(subject, base.cost, head.cost, rules.tolerances.of(head.workload.model))
        findings += measured.one_sided(subject, rounds)
        findings += [
            measured.finding(subject, QUANTITIES[key.metric], decision, rounds, rules.plan)
            for key, decision in decisions.items()
            if key.subject == name
        ]
        remarks += [remark for remark in (*measured.remarks(rounds), *_versions(base, head)) if remark not in remarks]
    return findings, remarks


def _versions(base: Record, head: Record) -> Iterator[str]:
    """A remark if different versions counted the two sides."""
    versions = [f"backbone-bench {side.tool.version}, torch {side.environment.torch}" for side in (base, head)]
    if versions[0] != versions[1]:
        yield (
            f"The baseline was counted by {versions[0]}, the current side by {versions[1]}: "
            f"another version may count differently."
        )
