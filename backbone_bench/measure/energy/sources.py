"""Power sources of a card, best first: the energy counter, instantaneous power, average power.

A source is tested by reading it, never assumed from the architecture. Published
data of the sensors (arXiv 2312.02741: update period and averaging window) are used
only to choose waiting times and to detect a risk of aliasing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from backbone_bench.base.choices import SourceName
from backbone_bench.measure.nvml import reasons
from backbone_bench.measure.nvml.activity import CardCounters
from backbone_bench.measure.nvml.card import Card, known
from backbone_bench.measure.protocols import Clock, PowerSource, WindowCounters
from backbone_bench.records import Known, Missing

SENSOR_RELATIVE = 0.05  # most cards are within 5 % of an external meter; one model is known with +11 % (same source)
LONGEST_AVERAGING_S = 1.0  # longest known averaging window: assumed for an unknown sensor


@dataclass(frozen=True, slots=True)
class Meter:
    """Power meter of a device: its sources, best first, with a clock, a thermometer and counters of its activity."""

    sources: tuple[PowerSource, ...]
    clock: Clock
    temperature_c: Callable[[], Known[float]]
    counters: WindowCounters


@dataclass(frozen=True, slots=True)
class NoCounters:
    """In place of activity counters, where there are none."""

    reason: Missing

    def begin(self) -> None:
        """Do nothing."""

    def end(self) -> Missing:
        return self.reason


class Sensing(NamedTuple):
    """Refresh period and averaging time of a sensor; None if unknown."""

    period_s: float | None = None
    averaging_s: float | None = None


_UNKNOWN = Sensing()
_A_QUARTER = Sensing(0.1, 0.025)  # samples 25 ms of every 100 ms
_HALF = Sensing(0.02, 0.01)
_WHOLE = Sensing(0.1, 0.1)
_SLOW = Sensing(0.1, 1.0)

# By compute capability. What the counters of GA100 and GH100 sample is not documented: assumed to be as the sensors.
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
    """One of the three power sources of a card."""

    name: SourceName
    unit: Literal["J", "W"]
    period_s: float | None
    averaging_s: float | None
    relative_error: Known[float]
    read_value: Callable[[], float]

    def read(self) -> float:
        return self.read_value()


def card_meter(card: Card, *, whole_card: bool = False) -> Known[Meter]:
    """Power meter of a card. Missing for a MIG slice, unless `whole_card` allows the power of the whole card."""
    if card.sliced and not whole_card:
        return reasons.mig(card.name)
    capability = known(card.capability)
    sensing = {} if isinstance(capability, Missing) else _SENSING.get(capability, {})

    def source(name: SourceName, unit: Literal["J", "W"], read_value: Callable[[], float]) -> NvmlSource:
        return NvmlSource(name, unit, *sensing.get(name, _UNKNOWN), SENSOR_RELATIVE, read_value)

    sources = (
        source("counter", "J", card.energy_j),
        source("power_instant", "W", card.power_instant_w),
        source("power_usage", "W", card.power_usage_w),
    )
    return Meter(sources, card.clock, lambda: known(card.temperature_c), CardCounters(card))
