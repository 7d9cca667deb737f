"""Energy: trials, power source and derived energy per image, gross and net of idle."""

import math
import statistics
from typing import Annotated

from pydantic import Field, computed_field
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import EnergyMode, SourceName
from backbone_bench.records.missing import (
    STRICT,
    Batch,
    Count,
    Known,
    MeasuredValue,
    Missing,
    PositiveValue,
    SomeMeasuredValues,
)
from backbone_bench.stats import samples

# A counter may be read a little late, and then shows slightly more than all.
Share = Annotated[float, Field(ge=0, le=1.05)]


@dataclass(frozen=True, slots=True, config=STRICT)
class CardActivity:
    """What the parts of a card did during a window, by its own counters: means, as shares of what they can do."""

    sm_busy: Share  # share of the time in which the multiprocessors ran anything
    sm_occupancy: Share  # warps in flight, of those that there is room for
    tensor_busy: Share
    fp32_busy: Share
    dram_busy: Share  # share of the memory's bandwidth
    dram_peak_bytes_per_s: PositiveValue  # of the bus, at the memory's clock: two transfers a cycle

    @computed_field
    @property
    def dram_bytes_per_s(self) -> float:
        """Bytes that the memory moved in a second."""
        return self.dram_busy * self.dram_peak_bytes_per_s


@dataclass(frozen=True, slots=True, config=STRICT)
class EnergyTrial:
    """One window of runs: from tick to tick of an energy counter, or over readings of a power sensor."""

    window_j: PositiveValue  # a window of 0 J or 0 s is not a measurement
    window_s: PositiveValue
    run_s: PositiveValue  # duration of one run under the same load
    ticks: Count  # changes of the reading within the window
    edge_j: MeasuredValue  # energy that the two ends of the window may add or hide
    temperature_c: Known[tuple[MeasuredValue, MeasuredValue]]  # before and after
    activity: Known[CardActivity] | None = None  # None in records made before it was counted

    @computed_field
    @property
    def run_j(self) -> float:
        """Energy of one run: mean power times the duration of a run, as the window's ends may cut a run."""
        return self.window_j / self.window_s * self.run_s


@dataclass(frozen=True, slots=True, config=STRICT)
class PaperEnergy:
    """Energy by the protocol of VoVNet (section 4.1): power read every 100 ms, its mean over images per second."""

    source: SourceName
    readings_w: SomeMeasuredValues
    run_s: PositiveValue
    batch: Batch

    @computed_field
    @property
    def per_image_j(self) -> float:
        """Energy per image; idle power is not subtracted, and the sensor decides what time one reading averages."""
        return statistics.mean(self.readings_w) * self.run_s / self.batch


@dataclass(frozen=True, slots=True, config=STRICT)
class Energy:
    """Energy of running the model again and again, gross and net of the measured idle power; `mode` says how."""

    source: SourceName
    skipped: tuple[Missing, ...]  # preferred sources that did not work, with the reason
    tick_s: Known[MeasuredValue]  # time between two changes of the reading, as probed
    averaging_s: Known[MeasuredValue]  # time span that one reading averages
    batch: Batch
    trials: Annotated[tuple[EnergyTrial, ...], Field(min_length=1)]
    idle_w: Known[MeasuredValue]
    sensor_relative: Known[MeasuredValue]  # relative error of the sensor: a gain error, the same in every trial
    cross_check_j_per_j: Known[MeasuredValue]  # counter / integral of the power sensor, in the same windows
    paper: Known[PaperEnergy] | None = None  # None if not requested
    flags: tuple[str, ...] = ()
    mode: EnergyMode | None = None  # the runs in the windows; None in records made before 2026-11-28
    slowdown: Known[float] | None = None  # share by which the readings slowed the load; None as for `mode`

    @computed_field
    @property
    def mean_w(self) -> float:
        return statistics.mean(trial.window_j / trial.window_s for trial in self.trials)

    @computed_field
    @property
    def gross_per_image_j(self) -> float:
        return statistics.mean(trial.run_j for trial in self.trials) / self.batch

    @computed_field
    @property
    def net_per_image_j(self) -> Known[float]:
        """Energy per image net of idle: gross energy minus idle power over the same time."""
        if isinstance(self.idle_w, Missing):
            return self.idle_w
        idle_j = self.idle_w * statistics.mean(trial.run_s for trial in self.trials) / self.batch
        if idle_j >= self.gross_per_image_j:
            message = (
                f"idle power ({self.idle_w:.1f} W) is not below the power under load: stop other work on the device"
            )
            return Missing("idle_above_load", message)
        return self.gross_per_image_j - idle_j

    @computed_field
    @property
    def dram_bytes_per_image(self) -> Known[float]:
        """Bytes that the card's memory moved for an image, by the card's own counters."""
        moved = []
        for trial in self.trials:
            if trial.activity is None:
                return Missing("not_counted", "the version that made this record did not read the card's counters")
            if isinstance(trial.activity, Missing):
                return trial.activity
            moved.append(trial.activity.dram_bytes_per_s * trial.run_s)
        return statistics.mean(moved) / self.batch

    @computed_field
    @property
    def repeat_relative(self) -> Known[float]:
        """Half width of the 95 % confidence interval of gross energy, as a share of it.

        The t-interval of the trials and the uncertainty of the window ends, combined.
        """
        per_run_j = [trial.run_j for trial in self.trials]
        half = samples.mean_half_width(per_run_j)
        if half is None:
            return Missing("one_trial", "a 95 % confidence interval needs two trials or more, and there is one")
        ends = [trial.edge_j / trial.window_s * trial.run_s for trial in self.trials]
        return math.hypot(half, math.hypot(*ends) / len(ends)) / statistics.mean(per_run_j)
