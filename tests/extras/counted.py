"""Count one model of timm or torchvision as `bench count` does."""

from collections.abc import Mapping

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.records import ModelCost, Scalar


def counted(
    model: str, arguments: Mapping[str, Scalar] | None = None, size: int | None = None
) -> tuple[str, ModelCost]:
    """The input shapes of the model, and its cost."""
    record = profiler.count(Job(model, arguments or {}, input_size=size))
    assert isinstance(record.cost, ModelCost)
    return " ".join(record.workload.inputs), record.cost
