"""Coverage of the 95 % confidence interval of the median, when sampling stops as soon as it is narrow.

Each trial runs the sampling loop and the stopping rule of the product on a stream
of timings with correlated noise and 1 % of interrupted calls, whose true median is
known. An iid bootstrap of the median gets the same samples.
"""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from backbone_bench.measure.latency.meter import sample
from backbone_bench.measure.latency.rules import StoppingRule
from backbone_bench.stats import samples as stats
from tests.measure.world import World

CALL_S, SPREAD, INTERRUPTED = 0.01, 0.02, 0.01
TRUTH_S = CALL_S * (1 + SPREAD * norm.ppf(0.5 / (1 - INTERRUPTED)))  # interrupted calls are all above the median
LONGEST = 1500  # samples: 15 s


class Stream:
    """A timer that takes its samples from a stream of timings, on a clock that advances by them."""

    calls_per_sample = 1

    def __init__(self, rho: float, rng: np.random.Generator) -> None:
        shocks = rng.standard_normal(LONGEST + 200) * np.sqrt(1 - rho**2)
        noise = lfilter([1], [1, -rho], shocks)[200:]
        interrupted = (rng.random(LONGEST) < INTERRUPTED) * (0.3 + rng.exponential(0.5, LONGEST))
        self.samples_s = (CALL_S * (1 + SPREAD * noise + interrupted)).tolist()
        self.world, self.taken = World(), 0

    def take(self, count: int) -> list[float]:
        taken_s = self.samples_s[self.taken : self.taken + count]
        self.taken += count
        self.world.now += sum(taken_s)
        return taken_s


class Coverage(NamedTuple):
    ours: float
    bootstrap: float
    samples: float  # on average
    converged: float


def cover(rho: float, trials: int) -> Coverage:
    """Share of the trials whose 95 % confidence interval contains the true median."""
    rng = np.random.default_rng(round(100 * rho))
    hits, resampled, taken, converged = 0, 0, 0, 0
    for _ in range(trials):
        stream = Stream(rho, rng)
        samples_s, status = sample(stream, stream.world, StoppingRule(), lambda done: None)
        interval = stats.median_interval(samples_s)
        assert interval is not None
        hits += interval.low <= TRUTH_S <= interval.high
        low_s, high_s = bootstrap(np.array(samples_s), rng)
        resampled += low_s <= TRUTH_S <= high_s
        taken += len(samples_s)
        converged += status == "converged"
    return Coverage(hits / trials, resampled / trials, taken / trials, converged / trials)


def bootstrap(samples_s: np.ndarray, rng: np.random.Generator, resamples: int = 99) -> tuple[float, float]:
    drawn = samples_s[rng.integers(0, len(samples_s), (resamples, len(samples_s)))]
    low_s, high_s = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return low_s, high_s


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rho", "trials", "least", "better_by"), [(0.0, 2000, 0.90, -0.03), (0.5, 2000, 0.90, 0.08), (0.9, 200, 0.80, 0.30)]
)
def test_intervals_hold_the_median_also_where_a_bootstrap_does_not(rho, trials, least, better_by):
    found = cover(rho, trials)
    print(f"lag-1 {rho}: {found}")
    assert found.ours >= least
    assert found.ours >= found.bootstrap + better_by
    assert found.converged > 0.95 or rho > 0.5
