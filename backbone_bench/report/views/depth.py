"""The reduction depth of a record, also of one that was made before it was counted.

The depth depends neither on the batch nor on the size of the image, so that for a
network of the zoo the catalogue has it: what this version counts of the same network.
"""

from backbone_bench.records import Known, Missing, Record
from backbone_bench.zoo import catalogue

REMARK = (
    "Reduction depth: of records made before it was counted, that of the same network in the catalogue (`bench list`)."
)


def reduction_depth(record: Record) -> Known[int]:
    """The reduction depth that was counted, else that of the same network in the catalogue, else why there is none."""
    if isinstance(record.cost, Missing):
        return record.cost
    counted = record.cost.reduction_depth
    entry = catalogue.entries().get(record.workload.model)
    if not isinstance(counted, Missing) or entry is None or record.workload.mode != "eval":
        return counted
    same = entry.counts["params"] == record.cost.params and entry.counts["ops"] == record.cost.ops
    return entry.counts["reduction_depth"] if same else counted
