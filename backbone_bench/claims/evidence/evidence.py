"""What is there to judge by: counts made when they are asked for, records, and published measurements.

Counting comes as functions, so that nothing here needs torch; every network is counted once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data.checks import ClockQuantity
from backbone_bench.claims.data.layers import cost
from backbone_bench.claims.data.metrics import METRICS, ConvolutionShape
from backbone_bench.claims.data.subjects import LayerStack, Network
from backbone_bench.claims.data.verdicts import NoEvidence
from backbone_bench.claims.evidence.measurements import MeasuredSetting, measured, published
from backbone_bench.claims.evidence.publications import Publication
from backbone_bench.records import ModelCost, Record, Scalar

OptionalSize = int | None  # of a square image; None: the network's own
CountNetwork = Callable[[str, Mapping[str, Scalar], OptionalSize, int], ModelCost]
ReadShapes = Callable[[str, Mapping[str, Scalar], OptionalSize], Sequence[ConvolutionShape]]


@dataclass
class Evidence:
    """The evidence; what is left out is missing, and a check that needs it is `unmeasured`."""

    count: CountNetwork | None = None
    shapes: ReadShapes | None = None
    records: Sequence[Record] = ()
    publications: Sequence[Publication] = ()
    _sheets: dict[str, "CountedNetwork"] = field(default_factory=dict)
    _runs: dict[str, tuple[list[MeasuredSetting], list[MeasuredSetting]]] = field(default_factory=dict)

    def runs(self, quantity: ClockQuantity) -> tuple[list[MeasuredSetting], list[MeasuredSetting]]:
        """What was measured, setting by setting: by us, and by others."""
        if quantity not in self._runs:
            self._runs[quantity] = measured(self.records, quantity), published(self.publications, quantity)
        return self._runs[quantity]

    def value(self, subject: Network | LayerStack, metric: str) -> float:
        """A figure of a network or of a stack of layers; raise NoEvidence where nobody can count it."""
        if isinstance(subject, LayerStack):
            of_stack = METRICS[metric].of_stack
            if of_stack is None:
                raise NoEvidence(f"{METRICS[metric].title} of layers in closed form is not defined")
            value = float(of_stack(cost(subject.layers, {})))
            if not math.isfinite(value):
                raise UserError(f"{subject} has no {METRICS[metric].title} that can be written down.")
            return value
        sheet = self._sheets.setdefault(str(subject), CountedNetwork(self, subject))
        return METRICS[metric].of_network(sheet)

    def ratio(self, one: Network | LayerStack, other: Network | LayerStack, metric: str) -> float:
        """A figure of one over that of the other; raise UserError where the other's is zero."""
        below = self.value(other, metric)
        if not below:
            raise UserError(f"{other} has no {METRICS[metric].title}: nothing is a ratio to it.")
        return self.value(one, metric) / below


@dataclass
class CountedNetwork:
    """One network, counted when first asked."""

    book: Evidence
    network: Network
    _costs: dict[int, ModelCost] = field(default_factory=dict)
    _shapes: Sequence[ConvolutionShape] | None = None

    def cost(self, batch: int = 1) -> ModelCost:
        if self.book.count is None:
            raise NoEvidence("needs the networks to be counted")
        if batch not in self._costs:
            network = self.network
            self._costs[batch] = self.book.count(network.model, network.arguments or {}, network.size, batch)
        return self._costs[batch]

    def convolutions(self) -> Sequence[ConvolutionShape]:
        if self.book.shapes is None:
            raise NoEvidence("needs the shapes of the networks' convolutions")
        if self._shapes is None:
            self._shapes = self.book.shapes(self.network.model, self.network.arguments or {}, self.network.size)
        return self._shapes
