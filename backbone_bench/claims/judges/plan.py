"""What would have to be measured for claims that need a clock: pairs of networks, each once however many ask for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.claims.data.checks import ClockQuantity, PairCheck, RanksCheck
from backbone_bench.claims.data.papers import ClaimEntry
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.evidence.evidence import Evidence


class PairRequest(NamedTuple):
    """Two networks, and the ratio of their costs that a claim speaks of."""

    of: Network
    to: Network
    quantity: ClockQuantity
    bound: float = 1.0

    @property
    def swapped(self) -> "PairRequest":
        return PairRequest(self.to, self.of, self.quantity, 1 / self.bound)


@dataclass(frozen=True, slots=True)
class PlannedComparison:
    """A comparison that decides something, and the claims that ask for it."""

    asked: PairRequest
    claims: tuple[str, ...]

    def __str__(self) -> str:
        of, to, quantity, _ = self.asked
        return f"{quantity} of {of.short} / {to.short}"


def wanted(
    entries: Sequence[ClaimEntry], book: Evidence, quantities: Sequence[ClockQuantity]
) -> tuple[PlannedComparison, ...]:
    """The comparisons that these claims ask for, in their order; the book counts what a bound is made of."""
    found: list[tuple[PairRequest, list[str]]] = []
    for entry in entries:
        for asked in _asked(entry, book):
            if asked.quantity in quantities:
                names = next((names for other, names in found if other in (asked, asked.swapped)), None)
                if names is None:
                    found.append((asked, [entry.claim.id]))
                elif entry.claim.id not in names:
                    names.append(entry.claim.id)
    return tuple(PlannedComparison(asked, tuple(names)) for asked, names in found)


def _asked(entry: ClaimEntry, book: Evidence) -> Iterator[PairRequest]:
    for check in entry.claim.check:
        match check:
            case PairCheck(of=of, to=to, quantity=quantity, bound=bound, per=per):
                counts = book.ratio(of, to, per) if per else 1.0
                yield PairRequest(of, to, quantity, bound * counts)
            case RanksCheck(pairs=pairs, quantity=quantity):
                yield from (PairRequest(of, to, quantity) for of, to in pairs)
