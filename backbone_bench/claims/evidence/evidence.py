"""What is there to judge by: counts made when they are asked for, records, and published measurements.

Counting comes as functions, so that nothing here needs torch; every network is counted once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data.checks import Quantity
from backbone_bench.claims.data.layers import cost
from backbone_bench.claims.data.metrics import METRICS, Convolution
from backbone_bench.claims.data.subjects import Network, Stack
from backbone_bench.claims.data.verdicts import NoEvidence
from backbone_bench.claims.evidence.measurements import Run, measured, published
from backbone_bench.claims.evidence.publications import Publication
from backbone_bench.records import ModelCost, Record, Scalar

Size = int | None  # of a square image; None: the network's own
Count = Callable[[str, Mapping[str, Scalar], Size, int], ModelCost]
Shapes = Callable[[str, Mapping[str, Scalar], Size], Sequence[Convolution]]


@dataclass
class Book:
    """The evidence; what is left out is missing, and a check that needs it is `unmeasured`."""

    count: Count | None = None
    shapes: Shapes | None = None
    records: Sequence[Record] = ()
    publications: Sequence[Publication] = ()
    _sheets: dict[str, "_Sheet"] = field(default_factory=dict)
    _runs: dict[str, tuple[list[Run], list[Run]]] = field(default_factory=dict)

    def runs(self, quantity: Quantity) -> tuple[list[Run], list[Run]]:
        """What was measured, setting by setting: by us, and by others."""
        if quantity not in self._runs:
            self._runs[quantity] = measured(self.records, quantity), published(self.publications, quantity)
        return self._runs[quantity]

    def value(self, subject: Network | Stack, metric: str) -> float:
        """A figure of a network or of a stack of layers; raise NoEvidence where nobody can count it."""
        if isinstance(subject, Stack):
            of_stack = METRICS[metric].of_stack
            if of_stack is None:
                raise NoEvidence(f"{METRICS[metric].title} of layers in closed form is not defined")
            value = float(of_stack(cost(subject.layers, {})))
            if not math.isfinite(value):
                raise UserError(f"{subject} has no {METRICS[metric].title} that can be written down.")
            return value
        sheet = self._sheets.setdefault(str(subject), _Sheet(self, subject))
        return METRICS[metric].of_network(sheet)

    def ratio(self, one: Network | Stack, other: Network | Stack, metric: str) -> float:
        """A figure of one over that of the other; raise UserError where the other's is zero."""
        below = self.value(other, metric)
        if not below:
            raise UserError(f"{other} has no {METRICS[metric].title}: nothing is a ratio to it.")
        return self.value(one, metric) / below


@dataclass
class _Sheet:
    """One network, counted when first asked."""

    book: Book
    network: Network
    _costs: dict[int, ModelCost] = field(default_factory=dict)
    _shapes: Sequence[Convolution] | None = None

    def cost(self, batch: int = 1) -> ModelCost:
        if self.book.count is None:
            raise NoEvidence("needs the networks to be counted")
        if batch not in self._costs:
            network = self.network
            self._costs[batch] = self.book.count(network.model, network.arguments or {}, network.size, batch)
        return self._costs[batch]

    def convolutions(self) -> Sequence[Convolution]:
        if self.book.shapes is None:
            raise NoEvidence("needs the shapes of the networks' convolutions")
        if self._shapes is None:
            self._shapes = self.book.shapes(self.network.model, self.network.arguments or {}, self.network.size)
        return self._shapes
