"""The ladder of sources: which ways there are to read what a device draws, best first.

Which of them answer is tried, never guessed from the architecture. What is
known of the sensors (arXiv 2312.02741 and its data: update period and averaging
window) is a prior: it says how long to wait and when to fear aliasing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from backbone_bench.base.choices import SourceName
from backbone_bench.measure.nvml import reasons
from backbone_bench.measure.nvml.card import Card, known
from backbone_bench.measure.protocols import Clock, PowerSource
from backbone_bench.records import Known, Missing

SENSOR_RELATIVE = 0.05  # most cards lie within this of an external meter; one model is known at +11 % (same source)
STEADIEST_S = 1.0  # the longest averaging window known: what to expect of a sensor that nothing is known of


@dataclass(frozen=True, slots=True)
class Meter:
    """What can be read of a device's power, best source first."""

    sources: tuple[PowerSource, ...]
    clock: Clock
    temperature_c: Callable[[], Known[float]]


class Sensing(NamedTuple):
    """How often a reading changes, and how much of the time before it has gone into it."""

    period_s: float | None = None
    averaging_s: float | None = None


_UNKNOWN = Sensing()
_A_QUARTER = Sensing(0.1, 0.025)  # looks at 25 of every 100 ms
_HALF = Sensing(0.02, 0.01)
_WHOLE = Sensing(0.1, 0.1)
_SLOW = Sensing(0.1, 1.0)

# By compute capability. What the counters of GA100 and GH100 look at is not documented: taken for what the sensors do.
_SENSING: dict[tuple[int, int], dict[SourceName, Sensing]] = {
    (6, 0): {"power_usage": _HALF},  # Pascal
    (6, 1): {"power_usage": _HALF},
    (7, 0): {"power_usage": _HALF},  # Volta
    (7, 5): {"power_usage": _WHOLE},  # Turing
    (8, 0): {"counter": _A_QUARTER, "power_instant": _A_QUARTER, "power_usage": _A_QUARTER},  # GA100
    (8, 6): {"power_instant": _WHOLE, "power_usage": _SLOW},  # GA10x
    (8, 9): {"power_instant": _WHOLE, "power_usage": _SLOW},  # Ada
    (9, 0): {"counter": _A_QUARTER, "power_instant": _A_QUARTER, "power_usage": _SLOW},  # GH100
}


@dataclass(frozen=True, slots=True)
class NvmlSource:
    """One of a card's three ways to tell what it draws."""

    name: SourceName
    unit: Literal["J", "W"]
    period_s: float | None
    averaging_s: float | None
    relative_error: Known[float]
    ask: Callable[[], float]

    def read(self) -> float:
        return self.ask()


def card_meter(card: Card, *, whole_card: bool = False) -> Known[Meter]:
    """The ladder of a card; Missing where only a slice of it is ours, unless the whole card will do."""
    if card.sliced and not whole_card:
        return reasons.mig(card.name)
    capability = known(card.capability)
    sensing = {} if isinstance(capability, Missing) else _SENSING.get(capability, {})

    def source(name: SourceName, unit: Literal["J", "W"], ask: Callable[[], float]) -> NvmlSource:
        return NvmlSource(name, unit, *sensing.get(name, _UNKNOWN), SENSOR_RELATIVE, ask)

    ladder = (
        source("counter", "J", card.energy_j),
        source("power_instant", "W", card.power_instant_w),
        source("power_usage", "W", card.power_usage_w),
    )
    return Meter(ladder, card.clock, lambda: known(card.temperature_c))
