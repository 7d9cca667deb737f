"""Claims that records decide: judged with the counts in the records, without building a network."""

from collections.abc import Mapping, Sequence

from backbone_bench.claims.data import papers
from backbone_bench.claims.data.verdicts import ClaimVerdict, NoEvidence
from backbone_bench.claims.evidence import publications
from backbone_bench.claims.evidence.evidence import CountNetwork, Evidence, OptionalSize
from backbone_bench.claims.judges.engine import ClaimResult, judge
from backbone_bench.records import Missing, ModelCost, Record, Scalar
from backbone_bench.zoo import catalogue


def judged_by(records: Sequence[Record]) -> list[ClaimResult]:
    """The shipped claims that these records decide; a claim about a network without a record is left out."""
    missing: list[str] = []
    evidence = Evidence(count=_counts(records, missing), records=records, publications=publications.shipped())
    found = []
    for entry in papers.entries(papers.shipped()):
        missing.clear()
        outcome = judge(entry, evidence)
        if not missing and _decided(outcome):
            found.append(outcome)
    return found


def _decided(outcome: ClaimResult) -> bool:
    parts = [part.finding.verdict for part in outcome.judged if not part.check.aside]
    return ClaimVerdict.UNMEASURED not in parts or (
        outcome.published is not None and set(parts) == {ClaimVerdict.UNMEASURED}
    )


def _counts(records: Sequence[Record], missing: list[str]) -> CountNetwork:
    """A counter that reads the counts from the records; it appends a model without a record to `missing`."""

    def count(model: str, arguments: Mapping[str, Scalar], size: OptionalSize, batch: int) -> ModelCost:
        for record in records:
            workload = record.workload
            if (workload.model, dict(workload.arguments), workload.batch) != (model, dict(arguments), batch):
                continue
            if workload.mode == "eval" and _has_size(record, size) and not isinstance(record.cost, Missing):
                return record.cost
        missing.append(model)
        raise NoEvidence(f"no record has counts of {model}")

    return count


def _has_size(record: Record, size: OptionalSize) -> bool:
    """Whether the record's input image has this height and width; None: those in the catalogue."""
    if len(record.workload.inputs) != 1:
        return False
    shape = record.workload.specs[0].shape
    if size is None:
        entry = catalogue.entries().get(record.workload.model)
        return entry is not None and shape[1:] == tuple(entry.input)
    return shape[-2:] == ((size, size) if isinstance(size, int) else size)
