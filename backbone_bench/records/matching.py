"""Matching of records: which records have the same workload or the same counted cost, on whatever machine."""

import json
from collections.abc import Iterable, Mapping

from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record, Workload
from backbone_bench.records.setting import SETTING_CONDITIONS, unusual

# The fields that a count depends on. The others (threads, seed, compiler, layout) change latency, not cost.
_ON_PAPER = ("model", "inputs", "batch", *(one.key for one in SETTING_CONDITIONS if one.counted))


def on_paper(workload: Workload) -> str:
    """Key of the counted cost: the same for workloads that agree in all fields that a count depends on."""
    return json.dumps([getattr(workload, name) for name in _ON_PAPER], sort_keys=True)


def by_cost(records: Iterable[Record]) -> Mapping[str, list[Record]]:
    """Group records by counted cost."""
    return group_by(records, lambda record: on_paper(record.workload))


def by_workload(records: Iterable[Record]) -> Mapping[str, list[Record]]:
    """Group records by workload."""
    return group_by(records, lambda record: record.workload.key)


def subject_on_paper(workload: Workload) -> str:
    """The workload in a few words, without what changes no count: `resnet18 1x3x224x224, fp16`."""
    uncounted = (one.key for one in SETTING_CONDITIONS if not one.counted)
    return ", ".join((_name(workload), *unusual(workload, "arguments", *uncounted)))


def subject(workload: Workload) -> str:
    """The workload in a few words, without usual settings: `resnet18 1x3x224x224, fp16, 1 thread`."""
    return ", ".join((_name(workload), *unusual(workload, "arguments")))


def _name(workload: Workload) -> str:
    inputs = " ".join(str(spec).removesuffix(":float32") for spec in workload.specs)
    arguments = " ".join(f"{name}={value}" for name, value in sorted(workload.arguments.items()))
    return " ".join(filter(None, (workload.model, arguments, inputs)))
