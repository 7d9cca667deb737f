"""Which published claims some records have something to say about: by what they hold, nothing built anew."""

from collections.abc import Mapping, Sequence

from backbone_bench.claims.data import papers
from backbone_bench.claims.data.verdicts import ClaimVerdict, NoEvidence
from backbone_bench.claims.evidence import publications
from backbone_bench.claims.evidence.evidence import CountNetwork, Evidence, OptionalSize
from backbone_bench.claims.judges.engine import ClaimResult, judge
from backbone_bench.records import Missing, ModelCost, Record, Scalar
from backbone_bench.zoo import catalogue


def judged_by(records: Sequence[Record]) -> list[ClaimResult]:
    """The shipped claims that these records decide: one that speaks of more networks is not judged."""
    lacking: list[str] = []
    book = Evidence(count=_counts(records, lacking), records=records, publications=publications.shipped())
    found = []
    for entry in papers.entries(papers.shipped()):
        lacking.clear()
        outcome = judge(entry, book)
        if not lacking and _decided(outcome):
            found.append(outcome)
    return found


def _decided(outcome: ClaimResult) -> bool:
    parts = [part.finding.verdict for part in outcome.judged if not part.check.aside]
    return ClaimVerdict.UNMEASURED not in parts or (
        outcome.published is not None and set(parts) == {ClaimVerdict.UNMEASURED}
    )


def _counts(records: Sequence[Record], lacking: list[str]) -> CountNetwork:
    """The counts that the records hold, in the place of a counter; `lacking` grows by the models that they do not."""

    def count(model: str, arguments: Mapping[str, Scalar], size: OptionalSize, batch: int) -> ModelCost:
        for record in records:
            workload = record.workload
            if (workload.model, dict(workload.arguments), workload.batch) != (model, dict(arguments), batch):
                continue
            if workload.mode == "eval" and _has_size(record, size) and not isinstance(record.cost, Missing):
                return record.cost
        lacking.append(model)
        raise NoEvidence(f"no record here holds the counts of {model}")

    return count


def _has_size(record: Record, size: OptionalSize) -> bool:
    """Whether the record's image is of this height and width; of the catalogue's where none is named."""
    if len(record.workload.inputs) != 1:
        return False
    shape = record.workload.specs[0].shape
    if size is None:
        entry = catalogue.entries().get(record.workload.model)
        return entry is not None and shape[1:] == tuple(entry.input)
    return shape[-2:] == ((size, size) if isinstance(size, int) else size)
