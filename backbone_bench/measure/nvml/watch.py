"""Clocks, heat, throttling and company, looked at before, between and after timed parts.

What is seen is told and tagged; nothing is discarded for it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from backbone_bench import records
from backbone_bench.measure.nvml.card import Card, known
from backbone_bench.records import Flag, Known, Missing

CAPPED = 0.01  # of the time: less is no cap worth a tag
BUSY = 0.1  # of a card that nothing of ours has used yet
HOT = {"sw_thermal_slowdown", "hw_thermal_slowdown"}
SLOWED = {"hw_slowdown", "hw_power_brake"}


@dataclass(frozen=True, slots=True)
class NoWatcher:
    """Stands where there is nothing to look through."""

    missing: Missing

    def poll(self) -> None:
        """There is nothing to see."""

    def verdict(self) -> Known[records.Watch]:
        return self.missing


class CardSnapshot(NamedTuple):
    """What the card said at one moment."""

    at_s: float
    sm_clock_hz: Known[float]
    memory_clock_hz: Known[float]
    temperature_c: Known[float]
    throttle_reasons: Known[tuple[str, ...]]
    held_back_s: Known[tuple[float, float]]
    processes: Known[frozenset[int]]


class CardWatcher:
    """Looks through NVML."""

    def __init__(self, card: Card, *, locked: bool = False) -> None:
        self._card, self._locked = card, locked
        self._busy_before = known(card.busy_fraction)
        self._snapshots: list[CardSnapshot] = []

    def poll(self) -> None:
        """Some ten calls of the driver: not to be made while something is timed."""
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
        """What the looks say together."""
        if not self._snapshots:
            return Missing("no_look", "Nobody looked at the card.")
        capped, hot_s = self._held_back()
        others = _others(self._snapshots)
        reasons = _reasons(self._snapshots)
        return records.Watch(
            sm_clock_hz=_series(self._snapshots, lambda look: look.sm_clock_hz),
            memory_clock_hz=_series(self._snapshots, lambda look: look.memory_clock_hz),
            temperature_c=_series(self._snapshots, lambda look: look.temperature_c),
            power_capped_fraction=capped,
            throttle_reasons=reasons,
            other_processes=others,
            flags=(*_slow(capped, hot_s, set(reasons)), *self._company(others), *self._card_flags()),
        )

    def _held_back(self) -> tuple[Known[float], float]:
        """The share of the time under a power cap, and seconds of heat, between the first and the last look."""
        first, last = self._snapshots[0], self._snapshots[-1]
        if isinstance(first.held_back_s, Missing):
            return first.held_back_s, 0.0
        if isinstance(last.held_back_s, Missing):
            return last.held_back_s, 0.0
        passed_s = last.at_s - first.at_s
        capped_s, hot_s = (after - before for before, after in zip(first.held_back_s, last.held_back_s, strict=True))
        if passed_s <= 0:
            return Missing("one_look", "One look does not tell how long the power cap held the clocks back."), hot_s
        return capped_s / passed_s, hot_s

    def _company(self, others: Known[int]) -> Sequence[Flag]:
        if not isinstance(others, Missing):
            return ("shared_gpu",) if others else ()
        busy = not isinstance(self._busy_before, Missing) and self._busy_before > BUSY
        return ("isolation_unchecked", "shared_gpu") if busy else ("isolation_unchecked",)

    def _card_flags(self) -> Sequence[Flag]:
        # NVML does not tell what somebody else has locked.
        flags: Sequence[Flag] = () if self._locked else ("clocks_unlocked",)
        return (*flags, "mig_slice") if self._card.sliced else flags


def _series(looks: Sequence[CardSnapshot], value: Callable[[CardSnapshot], Known[float]]) -> Known[tuple[float, ...]]:
    seen: list[float] = []
    for look in looks:
        number = value(look)
        if isinstance(number, Missing):
            return number
        seen.append(number)
    return tuple(seen)


def _reasons(looks: Sequence[CardSnapshot]) -> tuple[str, ...]:
    told = [look.throttle_reasons for look in looks if not isinstance(look.throttle_reasons, Missing)]
    return tuple(dict.fromkeys(chain.from_iterable(told)))


def _slow(capped: Known[float], hot_s: float, reasons: set[str]) -> Sequence[Flag]:
    flags: list[Flag] = []
    if not isinstance(capped, Missing) and capped > CAPPED:
        flags.append("power_capped")
    if hot_s > 0 or reasons & HOT:
        flags.append("thermal")
    if reasons & SLOWED:
        flags.append("hw_slowdown")
    return flags


def _others(looks: Sequence[CardSnapshot]) -> Known[int]:
    """The most processes beside ours at any look.

    A container sees the host's numbers instead of ours, so an unknown process may be us: one is taken off. Where the
    list stays empty although we work on the card (WSL), it tells nothing.
    """
    for look in looks:
        if isinstance(look.processes, Missing):
            return look.processes
    lists = [look.processes for look in looks if not isinstance(look.processes, Missing)]
    if not any(lists):
        return Missing("isolation_unchecked", "The list of processes is empty (WSL?): whether others run is not known.")
    return max(len(pids - {os.getpid()}) if os.getpid() in pids else max(0, len(pids) - 1) for pids in lists)
