"""Plan of measurements for claims about time or energy: each pair of networks once, even if several claims need it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.claims.data.checks import ClockQuantity, PairCheck, RanksCheck
from backbone_bench.claims.data.papers import ClaimEntry
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.evidence.evidence import Evidence


class PairRequest(NamedTuple):
    """Two networks and the ratio of their time or energy that a claim states."""

    of: Network
    to: Network
    quantity: ClockQuantity
    bound: float = 1.0

    @property
    def swapped(self) -> "PairRequest":
        """The same comparison with the networks exchanged."""
        return PairRequest(self.to, self.of, self.quantity, 1 / self.bound)


@dataclass(frozen=True, slots=True)
class PlannedComparison:
    """A comparison to run, and the ids of the claims that need it."""

    request: PairRequest
    claims: tuple[str, ...]

    def __str__(self) -> str:
        of, to, quantity, _ = self.request
        return f"{quantity} of {of.short} / {to.short}"


def planned(
    entries: Sequence[ClaimEntry], evidence: Evidence, quantities: Sequence[ClockQuantity]
) -> tuple[PlannedComparison, ...]:
    """The comparisons that these claims need, in their order. A bound per FLOP needs counts from the evidence."""
    found: list[tuple[PairRequest, list[str]]] = []
    for entry in entries:
        for request in _requests(entry, evidence):
            if request.quantity in quantities:
                names = next((names for other, names in found if other in (request, request.swapped)), None)
                if names is None:
                    found.append((request, [entry.claim.id]))
                elif entry.claim.id not in names:
                    names.append(entry.claim.id)
    return tuple(PlannedComparison(request, tuple(names)) for request, names in found)


def _requests(entry: ClaimEntry, evidence: Evidence) -> Iterator[PairRequest]:
    for check in entry.claim.check:
        match check:
            case PairCheck(of=of, to=to, quantity=quantity, bound=bound, per=per):
                counts = evidence.ratio(of, to, per) if per else 1.0
                yield PairRequest(of, to, quantity, bound * counts)
            case RanksCheck(pairs=pairs, quantity=quantity):
                yield from (PairRequest(of, to, quantity) for of, to in pairs)
