"""Pair stored records of a baseline with records of a file or of a new run."""

from collections.abc import Callable, Iterable, Sequence

from backbone_bench.base.errors import NotComparable
from backbone_bench.gate import exact
from backbone_bench.gate.baseline import Baseline
from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.session import Unpaired
from backbone_bench.gate.verdicts import GateFinding, GateVerdict
from backbone_bench.records import Missing, Record, matching

FetchRecords = Callable[[str, int], Sequence[Record]]  # a workload's name and a number of processes in; raises Unpaired


class Stored:
    """Pairs the records that `run` returns with those of a baseline, and keeps them in `heads`."""

    def __init__(self, baseline: Baseline, run: FetchRecords) -> None:
        self._baseline = matching.by_cost(baseline.records)
        self._absent = baseline.absent
        self._run = run
        self.heads: list[Record] = []
        self.new: list[Record] = []  # one for each workload that the baseline does not have

    def take(self, name: str, count: int) -> Sequence[BaseHead]:
        """As many rounds as both sides have records; raise Unpaired if the baseline has none of this workload."""
        heads = self._run(name, count)
        self.heads += heads
        workload = heads[0].workload
        same = self._baseline.get(matching.on_paper(workload))
        if same is None:
            self.new.append(heads[0])
            raise self._new(matching.subject_on_paper(workload))
        same_key = [record for record in same if record.workload.key == workload.key]
        return [BaseHead(base, head) for base, head in zip(same_key or same, heads, strict=False)]

    def _new(self, subject: str) -> Unpaired:
        if self._absent is None:
            return Unpaired(GateVerdict.NEW, "the baseline does not have this workload", subject=subject)
        reason = f"there is no file {self._absent}, so nothing was compared"
        return Unpaired(GateVerdict.NEW, reason, subject=subject, exit_code=NotComparable.exit_code)


def missing(baseline: Iterable[Record], heads: Iterable[Record]) -> list[GateFinding]:
    """Findings on workloads of the baseline that the head does not have; one that has a new name gets that name."""
    old, now = matching.by_cost(baseline), matching.by_cost(heads)
    added = [group[0] for key, group in now.items() if key not in old]
    return [_missing(group[0], added) for key, group in old.items() if key not in now]


def _missing(lost: Record, added: Iterable[Record]) -> GateFinding:
    same = [matching.subject_on_paper(record.workload) for record in added if _is_renamed(lost, record)]
    reason = "nothing that was compared now has this name and these settings"
    if same:
        reason = f"perhaps it has a new name: {same[0]} has the same counts, parameters and shapes"
    return GateFinding(matching.subject_on_paper(lost.workload), "", GateVerdict.MISSING, reason=reason)


def _is_renamed(lost: Record, added: Record) -> bool:
    """Whether two records of different names count the same network."""
    if isinstance(lost.cost, Missing) or isinstance(added.cost, Missing):
        return False
    return next(exact.differing(lost.cost, added.cost), None) is None
