"""The family of a record's model."""

from backbone_bench.records import Record
from backbone_bench.zoo import catalogue  # the only part of the zoo that does not load torch


def family(record: Record) -> str:
    """The family of a zoo model; the source of any other model."""
    entry = catalogue.entries().get(record.workload.model)
    return entry.family if entry else record.workload.source
