"""To which family of the zoo a record belongs."""

from backbone_bench.records import Record
from backbone_bench.zoo import catalogue  # the part of the zoo that is free of torch


def family(record: Record) -> str:
    """The zoo's family, or where the model came from."""
    entry = catalogue.entries().get(record.workload.model)
    return entry.family if entry else record.workload.source
