"""Evidence for claims: counts made on demand, records, and published measurements.

Counters are passed in as functions, so that this module does not need torch. Every network is counted once.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data.checks import ClockQuantity
from backbone_bench.claims.data.layers import cost
from backbone_bench.claims.data.metrics import METRICS, SIZELESS, ConvolutionShape
from backbone_bench.claims.data.subjects import LayerStack, Network
from backbone_bench.claims.data.verdicts import NoEvidence
from backbone_bench.claims.evidence.measurements import MeasuredSetting, measured, published
from backbone_bench.claims.evidence.publications import Publication
from backbone_bench.records import ModelCost, Record, Scalar
from backbone_bench.records.quantities import CLAIMED

OptionalSize = int | None  # side of a square image in pixels; None: the network's own
CountNetwork = Callable[[str, Mapping[str, Scalar], OptionalSize, int], ModelCost]
FindTotals = Callable[[str, Mapping[str, Scalar], OptionalSize], Mapping[str, int]]
FindMetrics = Callable[[str, Mapping[str, Scalar], OptionalSize], Mapping[str, float]]
ReadShapes = Callable[[str, Mapping[str, Scalar], OptionalSize], Sequence[ConvolutionShape]]


@dataclass
class Evidence:
    """Evidence for claims. Any part may be missing: then a check that needs it is `unmeasured`."""

    count: CountNetwork | None = None
    listed: FindTotals | None = None
    stored: FindMetrics | None = None  # metrics that were counted before
    made_with: Callable[[str], str] | None = None  # the versions of other packages that counted a model
    shapes: ReadShapes | None = None
    records: Sequence[Record] = ()
    publications: Sequence[Publication] = ()
    _networks: dict[str, "CountedNetwork"] = field(default_factory=dict)
    _settings: dict[str, tuple[list[MeasuredSetting], list[MeasuredSetting]]] = field(default_factory=dict)

    def settings(self, quantity: ClockQuantity) -> tuple[list[MeasuredSetting], list[MeasuredSetting]]:
        """Measurements of a quantity by setting: our own, and published ones."""
        if quantity not in self._settings:
            self._settings[quantity] = measured(self.records, quantity), published(self.publications, quantity)
        return self._settings[quantity]

    def value(self, subject: Network | LayerStack, metric: str) -> float:
        """Value of a metric for a network or stack of layers. Raises UserError; NoEvidence if it cannot be counted."""
        if isinstance(subject, LayerStack):
            of_stack = METRICS[metric].of_stack
            if of_stack is None:
                raise NoEvidence(f"{METRICS[metric].title} is not defined for layers in closed form")
            value = float(of_stack(cost(subject.layers, {})))
            if not math.isfinite(value):
                raise UserError(f"The {METRICS[metric].title} of {subject} is not a finite number: use smaller sizes.")
            return value
        if metric in self._stored(subject):
            return self._stored(subject)[metric]
        network = self._networks.setdefault(str(subject), CountedNetwork(self, subject))
        return METRICS[metric].of_network(network)

    def _stored(self, network: Network) -> Mapping[str, float]:
        if self.stored is None:
            return {}
        return self.stored(network.model, network.arguments or {}, network.size)

    def known(self, network: Network, metric: str) -> float | None:
        """Value of a metric if it is stored or listed; None if the network had to be counted."""
        stored = self._stored(network)
        if metric in stored or self.listed is None:
            return stored.get(metric)
        quantity = CLAIMED.get(metric)
        size = None if metric in SIZELESS else network.size
        listed = self.listed(network.model, network.arguments or {}, size)
        return listed.get(quantity.key) if quantity else None

    def origins(self, subjects: Sequence[Network | LayerStack]) -> Iterator[str]:
        """A sentence on those subjects whose counts other packages made: with which versions."""
        made: dict[str, list[str]] = {}
        for subject in subjects:
            if isinstance(subject, Network) and self.made_with and self._stored(subject):
                made.setdefault(self.made_with(subject.model), []).append(str(subject))
        for versions, names in made.items():
            if versions:
                yield f"stored counts, made with {versions}: {', '.join(dict.fromkeys(names))}"

    def ratio(self, of: Network | LayerStack, to: Network | LayerStack, metric: str) -> float:
        """Ratio of a metric, `of` over `to`. Raises UserError if that of `to` is zero."""
        denominator = self.value(to, metric)
        if not denominator:
            raise UserError(f"A ratio to {to} is undefined: its {METRICS[metric].title} is 0.")
        return self.value(of, metric) / denominator


@dataclass
class CountedNetwork:
    """A network that is counted at the first use of its costs."""

    evidence: Evidence
    network: Network
    _costs: dict[int, ModelCost] = field(default_factory=dict)
    _shapes: Sequence[ConvolutionShape] | None = None

    def cost(self, batch: int = 1) -> ModelCost:
        if self.evidence.count is None:
            raise NoEvidence("needs counts of the networks")
        if batch not in self._costs:
            network = self.network
            self._costs[batch] = self.evidence.count(network.model, network.arguments or {}, network.size, batch)
        return self._costs[batch]

    def total(self, key: str) -> int:
        """A total of its cost at batch 1: as the catalogue has it, else counted."""
        if not self._costs and self.evidence.listed is not None:
            network = self.network
            listed = self.evidence.listed(network.model, network.arguments or {}, network.size)
            if key in listed:
                return listed[key]
        total: int = getattr(self.cost(), key)
        return total

    def convolutions(self) -> Sequence[ConvolutionShape]:
        if self.evidence.shapes is None:
            raise NoEvidence("needs the shapes of the networks' convolutions")
        if self._shapes is None:
            self._shapes = self.evidence.shapes(self.network.model, self.network.arguments or {}, self.network.size)
        return self._shapes
