"""Plan of an energy measurement: times and counts, from the command line or by default.

The defaults come from simulation, from published data of the sensors, and from
one GPU, an NVIDIA H200.
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
    undisturbed_s: float = 0.5  # run without a reading before each window, to see by how much readings slow the load
    poll_s: float = 0.002  # poll period while a tick has to be caught
    queue_depth: int = 8
    source: SourceRequest = "auto"
    paper: bool = False  # also measure energy as the VoVNet paper did


FULL = EnergyPlan()
# Two windows would give an interval of 12.7 standard errors: the t-factor of one degree of freedom.
QUICK = EnergyPlan(window_s=1.0, min_ticks=10, idle_s=3.0, idle_skip_s=1.0, warm_up_s=1.0, undisturbed_s=0.25)


def choose(
    *, quick: bool = False, window_s: float | None = None, source: SourceRequest = "auto", paper: bool = False
) -> EnergyPlan:
    """Plan for the options `--quick`, `--energy-window`, `--energy-source` and `--protocol paper`."""
    plan = QUICK if quick else FULL
    return replace(plan, window_s=window_s or plan.window_s, source=source, paper=paper)
