"""Counter of networks by name, and the evidence for claims: counts on demand, records, and publications."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from backbone_bench.claims.data.metrics import ConvolutionShape
from backbone_bench.claims.data.verdicts import NeedsPackage
from backbone_bench.claims.evidence import publications, stored
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.jobs.job import Job
from backbone_bench.records import ModelCost, Record, Scalar, known
from backbone_bench.zoo import catalogue

if TYPE_CHECKING:  # loads torch, which only a claim about counts needs
    from backbone_bench.zoo.sources import InMemoryModel


@dataclass(frozen=True, slots=True)
class NetworkCounter:
    """Counts networks by name. A network to which the claim gives no size takes `inputs`, if there are any."""

    inputs: tuple[str, ...] = ()
    in_memory: "InMemoryModel | None" = None

    def count(self, model: str, arguments: Mapping[str, Scalar], size: int | None, batch: int) -> ModelCost:
        self._require_package(model)
        from backbone_bench import profiler
        from backbone_bench.zoo.sources import NO_MODEL

        return known(profiler.count(self._job(model, arguments, size, batch), self.in_memory or NO_MODEL).cost)

    def listed(self, model: str, arguments: Mapping[str, Scalar], size: int | None) -> Mapping[str, int]:
        """Totals of a network of the zoo at its default input, from the catalogue; empty for any other."""
        entry = catalogue.entries().get(model)
        changed = arguments or self.inputs or self.in_memory
        return {} if entry is None or changed or size not in (None, entry.input[1]) else entry.counts

    def stored(self, model: str, arguments: Mapping[str, Scalar], size: int | None) -> Mapping[str, float]:
        """Stored metrics of a network; empty if it is not stored, or if its inputs are others."""
        changed = self.in_memory or (self.inputs and size is None)
        return {} if changed else stored.find(model, arguments, size)

    def shapes(self, model: str, arguments: Mapping[str, Scalar], size: int | None) -> tuple[ConvolutionShape, ...]:
        """Shapes of the network's convolutions."""
        self._require_package(model)
        from backbone_bench.cost.convolutions import convolutions
        from backbone_bench.profiler.subject import Subject
        from backbone_bench.zoo.sources import NO_MODEL

        loaded = Subject(self._job(model, arguments, size, 1), self.in_memory or NO_MODEL).build_on_meta()
        args, kwargs = loaded.inputs[:2]
        return tuple(ConvolutionShape(*shape) for shape in convolutions(loaded.model, args, kwargs))

    def _require_package(self, model: str) -> None:
        package = stored.package(model)
        if package and not self.in_memory and find_spec(package) is None:
            raise NeedsPackage(package)

    def _job(self, model: str, arguments: Mapping[str, Scalar], size: int | None, batch: int) -> Job:
        inputs = self.inputs if size is None else ()
        return Job(model, dict(arguments), inputs=inputs, input_size=size, batch=batch)


BY_NAME = NetworkCounter()


def _made_with(model: str) -> str:
    """The versions of the packages that a stored count was made with; empty for a network of this program."""
    return stored.of_packages().origin if stored.package(model) else ""


def gather_evidence(records: Sequence[Record] = (), counter: NetworkCounter = BY_NAME) -> Evidence:
    """Collect the evidence: these records, the shipped publications, and a counter that counts on demand."""
    return Evidence(
        count=counter.count,
        listed=counter.listed,
        stored=counter.stored,
        made_with=_made_with,
        shapes=counter.shapes,
        records=records,
        publications=publications.shipped(),
    )
