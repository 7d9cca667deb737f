"""The reduction depth of a record, also of one that was made before it was counted.

The depth depends neither on the batch nor on the size of the image, so that for a
network of the zoo the catalogue has it: what this version counts of the same network.
"""

from collections.abc import Iterable

from backbone_bench.records import Known, Missing, Record
from backbone_bench.zoo import catalogue

_REMARK = (
    "Reduction depth: the version that made the records did not count it; it is that of the same network of the zoo, "
    "which depends neither on batch nor on image size."
)


def remark(records: Iterable[Record]) -> str:
    """The remark that a depth is from the catalogue, if one of these records has one from there; else empty."""
    return _REMARK if any(map(_from_catalogue, records)) else ""


def _from_catalogue(record: Record) -> bool:
    if isinstance(record.cost, Missing) or not isinstance(record.cost.reduction_depth, Missing):
        return False
    return not isinstance(reduction_depth(record), Missing)


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
