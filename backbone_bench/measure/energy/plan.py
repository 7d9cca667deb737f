"""Plan of an energy measurement: times and counts, from the command line or by default.

The defaults come from simulation and from published data of the sensors; none
has been tried on a GPU.
"""

from dataclasses import dataclass, replace

from backbone_bench.base.choices import SourceRequest


@dataclass(frozen=True, slots=True)
class EnergyPlan:
    """Plan of one energy measurement."""

    window_s: float = 5.0
    longest_window_s: float = 30.0  # a window grows up to this length to reach `min_ticks`
    min_ticks: int = 50
    trials: int = 3
    idle_s: float = 10.0
    idle_skip_s: float = 3.0  # skipped at the start: clocks fall slowly after work
    warm_up_s: float = 3.0
    poll_s: float = 0.002  # poll period while a tick has to be caught
    queue_depth: int = 8
    source: SourceRequest = "auto"
    paper: bool = False  # also measure energy as the VoVNet paper did


FULL = EnergyPlan()
QUICK = EnergyPlan(window_s=2.0, min_ticks=10, trials=2, idle_s=3.0, idle_skip_s=1.0, warm_up_s=1.0)


def choose(
    *, quick: bool = False, window_s: float | None = None, source: SourceRequest = "auto", paper: bool = False
) -> EnergyPlan:
    """Plan for the options `--quick`, `--energy-window`, `--energy-source` and `--protocol paper`."""
    plan = QUICK if quick else FULL
    return replace(plan, window_s=window_s or plan.window_s, source=source, paper=paper)
