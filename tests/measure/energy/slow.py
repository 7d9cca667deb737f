"""A scripted card whose energy counter is slow to read, as on an NVIDIA H200, and whose readings hold up launches."""

import math
import random
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Literal

from backbone_bench.base.choices import SourceName
from backbone_bench.measure.energy.sources import SENSOR_RELATIVE, Meter
from backbone_bench.records import Known
from tests.measure.energy.bench import meter
from tests.measure.nvml.world import Device, World

TICK_S, JITTER_S = 0.1, 0.002
USUAL_S, SLOW_S, SLOW_SHARE = 0.0027, (0.015, 0.025), 0.02  # the 99th percentile is 20 ms
LOCK_S = 0.0005  # after a reading the driver's lock delays a launch by up to this


@dataclass(slots=True)
class SlowCounter:
    """A counter with a jittering tick. A reading takes milliseconds, and its value is of any moment within them."""

    device: Device
    draw: random.Random
    name: SourceName = "counter"
    unit: Literal["J", "W"] = "J"
    period_s: float | None = TICK_S
    averaging_s: float | None = TICK_S
    relative_error: Known[float] = SENSOR_RELATIVE
    read_at_s: list[float] = field(default_factory=list)

    def read(self) -> float:
        world = self.device.world
        self.read_at_s.append(world.now_s())
        reading_s = self.draw.uniform(*SLOW_S) if self.draw.random() < SLOW_SHARE else self.draw.gauss(USUAL_S, 0.0001)
        before_s = self.draw.uniform(0, reading_s)
        world.sleep_s(before_s)
        value = round(energy_j(world, _last_tick_s(world.now_s())), 3)
        world.sleep_s(reading_s - before_s)
        if isinstance(self.device, LockedDevice):
            self.device.locked_until_s = world.now_s() + self.draw.uniform(0, LOCK_S)
        return value


class LockedDevice(Device):
    """A device whose launches wait for the driver's lock."""

    locked_until_s = 0.0

    def step(self) -> None:
        self.world.sleep_s(self.locked_until_s - self.world.now_s())
        super().step()


def slow_meter(device: Device, seed: int) -> tuple[Meter, SlowCounter]:
    """Meter of a card with a slow counter and a cheap sensor of instantaneous power."""
    found = meter(device.world)
    counter = SlowCounter(device, random.Random(seed))
    return replace(found, sources=(counter, *found.sources[1:])), counter


def energy_j(world: World, at_s: float) -> float:
    """True energy up to a moment."""
    gpu = world.gpu
    step = bisect_right(gpu.at_s, at_s, 0, gpu.steps) - 1
    return gpu.joules[step] + gpu.watts[step] * (at_s - gpu.at_s[step])


def _last_tick_s(now_s: float) -> float:
    tick = math.floor(now_s / TICK_S)
    return next(at_s for at_s in map(_tick_s, (tick + 1, tick, tick - 1)) if at_s <= now_s)


def _tick_s(tick: int) -> float:
    return tick * TICK_S + random.Random(tick).uniform(-JITTER_S, JITTER_S)
