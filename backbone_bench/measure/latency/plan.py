"""Plan of a latency measurement: in full, quick, or within a time budget."""

from dataclasses import dataclass, field, replace

from backbone_bench.base.choices import LatencyMode
from backbone_bench.measure.latency.rules import StoppingRule, WarmUpRule

ALL_MODES: tuple[LatencyMode, ...] = ("wall", "device", "graph")


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """Latency modes to measure, with the warm-up rule and the stopping rule."""

    modes: tuple[LatencyMode, ...] = ALL_MODES
    cold: bool = False  # the last-level cache is flushed before every call
    first_calls: int = 3
    warm_up_rule: WarmUpRule = field(default_factory=WarmUpRule)
    stopping_rule: StoppingRule = field(default_factory=StoppingRule)
    queue_depth: int = 8  # number of calls that the host may run ahead of the device
    launches: int | None = None  # operations that a call launches, if it was counted
    budget_s: float | None = None  # for all modes together
    cool_s: float | None = None  # the longest that samples of a hot card are taken again; None: they are kept
    quick: bool = False  # the status of the record is then `quick`

    def is_short(self, spent_s: float) -> bool:
        """Whether a quarter of the budget is spent."""
        return self.budget_s is not None and spent_s > self.budget_s / 4

    def within(self, share_s: float) -> "LatencyPlan":
        """Plan of one mode within `share_s`: at most a quarter is warm-up, and slow devices keep the limit too."""
        warm_s = share_s / 4
        return replace(
            self,
            warm_up_rule=self.warm_up_rule.within(warm_s),
            stopping_rule=replace(self.stopping_rule, max_s=share_s - warm_s, min_calls=1),
        )


FULL = LatencyPlan()
QUICK = LatencyPlan(
    first_calls=2,
    warm_up_rule=WarmUpRule(min_s=0.2, max_s=1.0, block_s=0.02),
    stopping_rule=StoppingRule(min_samples=40, min_busy_s=0.2, max_s=1.5, min_calls=6, narrow_in_a_row=1),
    quick=True,
)

IN_TURNS = replace(QUICK, quick=False)  # the turns themselves go on warming, and both sides alike


def choose(
    *, quick: bool = False, budget_s: float | None = None, cold: bool = False, in_turns: bool = False
) -> LatencyPlan:
    """Plan for the options `--quick`, `--budget` and `--cold`; with `in_turns` another process decides when it ends."""
    if in_turns:
        return replace(IN_TURNS, cold=cold)
    return replace(QUICK if quick else FULL, budget_s=budget_s, cold=cold)
