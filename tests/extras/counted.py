"""One model of a library, counted as `bench count` counts it."""

from collections.abc import Mapping

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.records import ModelCost, Scalar


def counted(
    model: str, arguments: Mapping[str, Scalar] | None = None, size: int | None = None
) -> tuple[str, ModelCost]:
    """The inputs that the model took, and what it costs."""
    record = profiler.count(Job(model, arguments or {}, input_size=size))
    assert isinstance(record.cost, ModelCost)
    return " ".join(record.workload.inputs), record.cost
