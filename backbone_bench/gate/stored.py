"""Pair stored records of a baseline with records of a file or of a new run."""

from collections.abc import Callable, Iterable, Sequence

from backbone_bench.gate.measured import BaseHead
from backbone_bench.gate.session import Unpaired
from backbone_bench.gate.verdicts import GateFinding, GateVerdict
from backbone_bench.records import Record, matching

FetchRecords = Callable[[str, int], Sequence[Record]]  # a workload's name and a number of processes in; raises Unpaired


class Stored:
    """Pairs the records that `run` returns with those of a baseline, and keeps them in `heads`."""

    def __init__(self, baseline: Iterable[Record], run: FetchRecords) -> None:
        self._baseline = matching.by_cost(baseline)
        self._run = run
        self.heads: list[Record] = []

    def take(self, name: str, count: int) -> Sequence[BaseHead]:
        """As many rounds as both sides have records; raise Unpaired if the baseline has none of this workload."""
        heads = self._run(name, count)
        self.heads += heads
        workload = heads[0].workload
        same = self._baseline.get(matching.on_paper(workload))
        if same is None:
            raise Unpaired(
                GateVerdict.NEW, "the baseline does not have this workload", subject=matching.subject(workload)
            )
        same_key = [record for record in same if record.workload.key == workload.key]
        return [BaseHead(base, head) for base, head in zip(same_key or same, heads, strict=False)]


def missing(baseline: Iterable[Record], heads: Iterable[Record]) -> list[GateFinding]:
    """Findings on workloads of the baseline that the current file does not have."""
    present = matching.by_cost(heads)
    lost = (group for key, group in matching.by_cost(baseline).items() if key not in present)
    reason = "the baseline has this workload, but the current records do not"
    return [GateFinding(matching.subject(group[0].workload), "", GateVerdict.MISSING, reason=reason) for group in lost]
