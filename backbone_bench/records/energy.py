"""What it draws."""

import math
import statistics
from typing import Annotated

from pydantic import Field, computed_field
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import SourceName
from backbone_bench.records.missing import STRICT, Batch, Count, Known, MeasuredValue, MeasuredValues, Missing
from backbone_bench.stats import samples

_Positive = Annotated[MeasuredValue, Field(gt=0)]  # a window of no joules or no seconds is no measurement


@dataclass(frozen=True, slots=True, config=STRICT)
class EnergyTrial:
    """One window of back-to-back runs: from tick to tick of a counter, or over a sensor's readings."""

    window_j: _Positive
    window_s: _Positive
    run_s: _Positive  # time of one run under the same load
    ticks: Count  # changes of the reading that were seen in the window
    edge_j: MeasuredValue  # what the two ends of the window may add or hide
    temperature_c: Known[tuple[MeasuredValue, MeasuredValue]]  # before and after

    @computed_field
    @property
    def run_j(self) -> float:
        """Mean power times the time of a run, so that no run is cut in half by the window's ends."""
        return self.window_j / self.window_s * self.run_s


@dataclass(frozen=True, slots=True, config=STRICT)
class PaperEnergy:
    """Energy as the VoVNet paper took it (section 4.1): a reading every 100 ms, their mean over images per second."""

    source: SourceName
    readings_w: Annotated[MeasuredValues, Field(min_length=1)]
    run_s: _Positive
    batch: Batch

    @computed_field
    @property
    def per_image_j(self) -> float:
        """Nothing is taken off for idle, and what one reading averages is the sensor's own affair."""
        return statistics.mean(self.readings_w) * self.run_s / self.batch


@dataclass(frozen=True, slots=True, config=STRICT)
class Energy:
    """Energy of running the model back to back, gross and net of the measured idle."""

    source: SourceName
    skipped: tuple[Missing, ...]  # better sources that did not answer, and why
    tick_s: Known[MeasuredValue]  # how often the reading changes, as probed
    averaging_s: Known[MeasuredValue]  # how much of the past one reading averages
    batch: Batch
    trials: Annotated[tuple[EnergyTrial, ...], Field(min_length=1)]
    idle_w: Known[MeasuredValue]
    sensor_relative: Known[MeasuredValue]  # the sensor's own proportional error: a gain, the same in every trial
    cross_check_j_per_j: Known[MeasuredValue]  # the counter over the integral of the power sensor, in the same windows
    paper: Known[PaperEnergy] | None = None  # None where it was not asked for
    flags: tuple[str, ...] = ()

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
        """What is left when the idle power over the same time is taken off."""
        if isinstance(self.idle_w, Missing):
            return self.idle_w
        idle_j = self.idle_w * statistics.mean(trial.run_s for trial in self.trials) / self.batch
        if idle_j >= self.gross_per_image_j:
            return Missing("idle_above_load", f"no less was drawn when idle ({self.idle_w:.1f} W) than under load")
        return self.gross_per_image_j - idle_j

    @computed_field
    @property
    def repeat_relative(self) -> Known[float]:
        """Half of the 95 % interval of the gross joules, as a share: trials' t-interval and window ends, as one."""
        per_run_j = [trial.run_j for trial in self.trials]
        half = samples.mean_half_width(per_run_j)
        if half is None:
            return Missing("one_trial", "no interval from one trial: two are the fewest")
        ends = [trial.edge_j / trial.window_s * trial.run_s for trial in self.trials]
        return math.hypot(half, math.hypot(*ends) / len(ends)) / statistics.mean(per_run_j)
