"""What claims are judged by: counts made on the spot, records, and what others published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backbone_bench.claims.data.metrics import ConvolutionShape
from backbone_bench.claims.evidence import publications
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.jobs.job import Job
from backbone_bench.records import ModelCost, Record, Scalar, known

if TYPE_CHECKING:  # torch waits until a claim asks for a count
    from backbone_bench.zoo.sources import InMemoryModel


@dataclass(frozen=True, slots=True)
class NetworkCounter:
    """Counts networks by their names; one whose size a claim leaves open takes these `inputs`, where there are any."""

    inputs: tuple[str, ...] = ()
    held: "InMemoryModel | None" = None

    def count(self, model: str, arguments: Mapping[str, Scalar], size: int | None, batch: int) -> ModelCost:
        from backbone_bench import profiler
        from backbone_bench.zoo.sources import NO_MODEL

        return known(profiler.count(self._job(model, arguments, size, batch), self.held or NO_MODEL).cost)

    def shapes(self, model: str, arguments: Mapping[str, Scalar], size: int | None) -> tuple[ConvolutionShape, ...]:
        """The convolutions of a network."""
        from backbone_bench.cost.convolutions import convolutions
        from backbone_bench.profiler.subject import Subject
        from backbone_bench.zoo.sources import NO_MODEL

        loaded = Subject(self._job(model, arguments, size, 1), self.held or NO_MODEL).build_on_meta()
        args, kwargs, _ = loaded.inputs
        return tuple(ConvolutionShape(*shape) for shape in convolutions(loaded.model, args, kwargs))

    def _job(self, model: str, arguments: Mapping[str, Scalar], size: int | None, batch: int) -> Job:
        inputs = self.inputs if size is None else ()
        return Job(model, dict(arguments), inputs=inputs, input_size=size, batch=batch)


BY_NAME = NetworkCounter()


def gather_evidence(records: Sequence[Record] = (), counter: NetworkCounter = BY_NAME) -> Evidence:
    """All the evidence that there is; counts are made when they are asked for."""
    return Evidence(counter.count, counter.shapes, records, publications.shipped())
