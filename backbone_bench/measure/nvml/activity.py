"""What the parts of a card did between two moments, by the card's own counters (NVML's GPM, from Hopper on)."""

from typing import Any

from backbone_bench.measure.nvml import reasons
from backbone_bench.measure.nvml.card import Card
from backbone_bench.measure.protocols import SourceFailed
from backbone_bench.records import CardActivity, Known, Missing

_TRANSFERS = 2  # a cycle of the memory's clock: GDDR and HBM transfer at both edges


class CardCounters:
    """The activity counters of one card: `begin` a window, and `end` it."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._begun: Known[Any] = Missing("not_begun", "no window was begun")

    def begin(self) -> None:
        """Take the first sample of a window."""
        try:
            if not self._card.counts_activity():
                self._begun = reasons.no_activity(self._card.name)
                return
            self._begun = self._card.activity_sample()
        except SourceFailed as failure:
            self._begun = failure.missing

    def end(self) -> Known[CardActivity]:
        """Take the second sample; what the card did since the first, or why that is not known."""
        begun, self._begun = self._begun, Missing("not_begun", "no window was begun")
        if isinstance(begun, Missing):
            return begun
        try:
            shares = self._card.activity(begun, self._card.activity_sample())
            peak_bytes_per_s = _TRANSFERS * self._card.memory_clock_hz() * self._card.memory_bus_bits() / 8
        except SourceFailed as failure:
            return failure.missing
        sm, occupancy, tensor, dram, fp32 = shares
        return CardActivity(sm, occupancy, tensor, fp32, dram, peak_bytes_per_s)
