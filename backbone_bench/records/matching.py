"""Which record belongs to which: two records of one workload, whatever machine they come from."""

import json
from collections.abc import Iterable, Mapping

from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record, Workload
from backbone_bench.records.setting import unusual

# What a count depends on. The rest (threads, seed, compiler, layout) changes how long it takes, not what it costs.
_ON_PAPER = ("model", "arguments", "inputs", "batch", "mode", "precision")


def on_paper(workload: Workload) -> str:
    """A key that is the same for workloads of equal cost on paper."""
    return json.dumps([getattr(workload, name) for name in _ON_PAPER], sort_keys=True)


def by_cost(records: Iterable[Record]) -> Mapping[str, list[Record]]:
    """The records, those of equal cost on paper together."""
    return group_by(records, lambda record: on_paper(record.workload))


def by_workload(records: Iterable[Record]) -> Mapping[str, list[Record]]:
    """The records, those of one workload together."""
    return group_by(records, lambda record: record.workload.key)


def subject(workload: Workload) -> str:
    """The workload in a few words, what goes without saying left out: `resnet18 1x3x224x224, fp16, 1 thread`."""
    inputs = " ".join(str(spec).removesuffix(":float32") for spec in workload.specs)
    arguments = " ".join(f"{name}={value}" for name, value in sorted(workload.arguments.items()))
    name = " ".join(filter(None, (workload.model, arguments, inputs)))
    return ", ".join((name, *unusual(workload, "arguments")))
