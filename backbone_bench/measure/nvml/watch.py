"""Watcher of a card: polls clocks, temperature, throttling and other processes before, between and after timed parts.

Its findings are recorded and flagged; no sample is discarded because of them.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from backbone_bench import records
from backbone_bench.measure.nvml.card import Card, known
from backbone_bench.records import Flag, Known, Missing
from backbone_bench.records.record import clocks_varied

CAPPED = 0.01  # share of the time at the power limit above which a record is flagged
BUSY = 0.1  # utilisation of a card that this process has not used yet
HOT = {"sw_thermal_slowdown", "hw_thermal_slowdown"}
SLOWED = {"hw_slowdown", "hw_power_brake"}
CAPPING = {"sw_power_cap"}


@dataclass(frozen=True, slots=True)
class NoWatcher:
    """Watcher of a device that NVML cannot see: its verdict is the reason."""

    missing: Missing

    def poll(self) -> None:
        """Do nothing: there is nothing to poll."""

    def verdict(self) -> Known[records.Watch]:
        return self.missing

    def held_back_s(self) -> Known[float]:
        return self.missing

    def holds_back(self) -> bool:
        return False


class CardSnapshot(NamedTuple):
    """Readings of the card at one moment."""

    at_s: float
    sm_clock_hz: Known[float]
    memory_clock_hz: Known[float]
    temperature_c: Known[float]
    throttle_reasons: Known[tuple[str, ...]]
    held_back_s: Known[tuple[float, float]]
    processes: Known[frozenset[int]]


class CardWatcher:
    """Watcher that polls a card through NVML."""

    def __init__(self, card: Card, *, locked: bool = False, partners: int = 0) -> None:
        self._card, self._locked, self._partners = card, locked, partners
        self._busy_before = known(card.busy_fraction)
        self._snapshots: list[CardSnapshot] = []

    def poll(self) -> None:
        """Take one snapshot: about ten driver calls, so never while something is timed."""
        card = self._card
        self._snapshots.append(
            CardSnapshot(
                card.clock.now_s(),
                known(card.sm_clock_hz),
                known(card.memory_clock_hz),
                known(card.temperature_c),
                known(card.throttle_reasons),
                known(card.held_back_s),
                known(card.processes),
            )
        )

    def verdict(self) -> Known[records.Watch]:
        """Summary of all snapshots, with flags."""
        if not self._snapshots:
            return Missing("no_look", "The card was not polled.")
        capped, hot_s = self._held_back()
        others = _others(self._snapshots, self._partners)
        reasons = _reasons(self._snapshots)
        return records.Watch(
            sm_clock_hz=_series(self._snapshots, lambda snapshot: snapshot.sm_clock_hz),
            memory_clock_hz=_series(self._snapshots, lambda snapshot: snapshot.memory_clock_hz),
            temperature_c=_series(self._snapshots, lambda snapshot: snapshot.temperature_c),
            power_capped_fraction=capped,
            throttle_reasons=reasons,
            other_processes=others,
            flags=(*_slow(capped, hot_s, set(reasons)), *self._process_flags(others), *self._card_flags()),
        )

    def held_back_s(self) -> Known[float]:
        """Seconds in which the power limit or the temperature limit reduced the clocks, since the driver was loaded."""
        held_s = known(self._card.held_back_s)
        return held_s if isinstance(held_s, Missing) else sum(held_s)

    def holds_back(self) -> bool:
        """Whether power, temperature or the hardware's protection reduces the clocks now."""
        reasons = known(self._card.throttle_reasons)
        return not isinstance(reasons, Missing) and not set(reasons).isdisjoint(HOT | SLOWED | CAPPING)

    def _held_back(self) -> tuple[Known[float], float]:
        """From first to last snapshot: share of the time at the power limit, and seconds at the temperature limit."""
        first, last = self._snapshots[0], self._snapshots[-1]
        if isinstance(first.held_back_s, Missing):
            return first.held_back_s, 0.0
        if isinstance(last.held_back_s, Missing):
            return last.held_back_s, 0.0
        passed_s = last.at_s - first.at_s
        capped_s, hot_s = (after - before for before, after in zip(first.held_back_s, last.held_back_s, strict=True))
        if passed_s <= 0:
            return Missing(
                "one_look", "One snapshot of the card cannot show how long the power limit reduced the clocks."
            ), hot_s
        return capped_s / passed_s, hot_s

    def _process_flags(self, others: Known[int]) -> Sequence[Flag]:
        if not isinstance(others, Missing):
            return ("shared_gpu",) if others else ()
        busy = not isinstance(self._busy_before, Missing) and self._busy_before > BUSY
        return ("isolation_unchecked", "shared_gpu") if busy else ("isolation_unchecked",)

    def _card_flags(self) -> Sequence[Flag]:
        # NVML does not report clocks that another program has locked, but such clocks do not vary.
        polled = _series(self._snapshots, lambda snapshot: snapshot.sm_clock_hz)
        varied = not self._locked and (isinstance(polled, Missing) or clocks_varied(polled))
        flags: Sequence[Flag] = ("clocks_unlocked",) if varied else ()
        return (*flags, "mig_slice") if self._card.sliced else flags


def _series(
    snapshots: Sequence[CardSnapshot], value: Callable[[CardSnapshot], Known[float]]
) -> Known[tuple[float, ...]]:
    numbers: list[float] = []
    for snapshot in snapshots:
        number = value(snapshot)
        if isinstance(number, Missing):
            return number
        numbers.append(number)
    return tuple(numbers)


def _reasons(snapshots: Sequence[CardSnapshot]) -> tuple[str, ...]:
    known_reasons = (each.throttle_reasons for each in snapshots if not isinstance(each.throttle_reasons, Missing))
    return tuple(dict.fromkeys(chain.from_iterable(known_reasons)))


def _slow(capped: Known[float], hot_s: float, reasons: set[str]) -> Sequence[Flag]:
    flags: list[Flag] = []
    if not isinstance(capped, Missing) and capped > CAPPED:
        flags.append("power_capped")
    if hot_s > 0 or reasons & HOT:
        flags.append("thermal")
    if reasons & SLOWED:
        flags.append("hw_slowdown")
    return flags


def _others(snapshots: Sequence[CardSnapshot], partners: int) -> Known[int]:
    """Largest number of other processes in any snapshot, without the partners that take turns with this one.

    A container lists the host's process ids, so an unknown process may be this one: one is subtracted. If the list
    stays empty although this process works on the card (WSL), the number is Missing.
    """
    for snapshot in snapshots:
        if isinstance(snapshot.processes, Missing):
            return snapshot.processes
    lists = [each.processes for each in snapshots if not isinstance(each.processes, Missing)]
    if not any(lists):
        return Missing(
            "isolation_unchecked",
            "The list of processes is empty (WSL?): whether other processes use the card is not known.",
        )
    others = max(len(pids - {os.getpid()}) if os.getpid() in pids else max(0, len(pids) - 1) for pids in lists)
    return max(0, others - partners)
