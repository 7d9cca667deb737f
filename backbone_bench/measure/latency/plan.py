"""How much measuring a workload gets: the whole, a first answer, or what fits into a given time."""

from dataclasses import dataclass, field, replace

from backbone_bench.measure.latency.rules import StoppingRule, WarmUpRule
from backbone_bench.measure.protocols import LatencyMode

ALL_MODES: tuple[LatencyMode, ...] = ("wall", "device", "graph")


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """Which modes are taken, and the rules by which each is."""

    modes: tuple[LatencyMode, ...] = ALL_MODES
    cold: bool = False  # the last-level cache is flushed before every call
    first_calls: int = 3
    settling: WarmUpRule = field(default_factory=WarmUpRule)
    stopping: StoppingRule = field(default_factory=StoppingRule)
    queue_depth: int = 8  # calls that the host may run ahead of the device
    budget_s: float | None = None  # for everything together
    first_answer: bool = False  # the record calls it `quick`

    def within(self, share_s: float) -> "LatencyPlan":
        """For one mode in so much time: a quarter at most to warm up, and the cap holds for slow devices too."""
        warm_s = share_s / 4
        settling = replace(self.settling, max_s=warm_s, min_s=min(self.settling.min_s, warm_s))
        return replace(self, settling=settling, stopping=replace(self.stopping, max_s=share_s - warm_s, min_calls=1))


FULL = LatencyPlan()
QUICK = LatencyPlan(
    first_calls=2,
    settling=WarmUpRule(min_s=0.2, max_s=1.0, block_s=0.02),
    stopping=StoppingRule(min_samples=40, min_busy_s=0.2, max_s=1.5, min_calls=6, narrow_in_a_row=1),
    first_answer=True,
)


def choose(*, quick: bool = False, budget_s: float | None = None, cold: bool = False) -> LatencyPlan:
    """The plan that `--quick`, `--budget` and `--cold` ask for."""
    return replace(QUICK if quick else FULL, budget_s=budget_s, cold=cold)
