"""Spearman's rank correlation: does a count (FLOPs, say) put networks in the same order as their latency?"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from backbone_bench.stats.samples import Interval

SampleRows = Any  # numpy array: one resample of the networks per row
RESAMPLES = 1000
KEPT = 64  # ranks and resamples that are kept: those of the settings and metrics of one claim
FEWEST = 5  # networks; with fewer, any order is too likely by chance


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's rank correlation ρ; ties get their mean rank. 0 if one side does not vary."""
    return float(_correlation(*(_below(values).sum(axis=1)[None] for values in (left, right)))[0])


def interval(left: Sequence[float], right: Sequence[float]) -> Interval:
    """95 % confidence interval of ρ: a bootstrap over the networks with a fixed seed, the same in every run."""
    return _percentile_interval(_correlation(*(_resampled_ranks(tuple(values)) for values in (left, right))))


def difference(latency: Sequence[float], first: Sequence[float], second: Sequence[float]) -> Interval:
    """95 % confidence interval of ρ(latency, first) − ρ(latency, second), by the same bootstrap as `interval`."""
    times, one, two = (_resampled_ranks(tuple(values)) for values in (latency, first, second))
    return _percentile_interval(_correlation(times, one) - _correlation(times, two))


@lru_cache(KEPT)
def _resamples(networks: int) -> tuple[SampleRows, SampleRows]:
    """The networks chosen in each resample, and how often each network was chosen."""
    chosen = np.random.default_rng(0).integers(0, networks, (RESAMPLES, networks))
    return chosen, (chosen[:, :, None] == np.arange(networks)).sum(axis=1)


@lru_cache(KEPT)
def _resampled_ranks(values: tuple[float, ...]) -> SampleRows:
    """Ranks of the networks of each resample within it; a setting's latencies are ranked against several counts."""
    chosen, times = _resamples(len(values))
    return np.take_along_axis(times @ _below(values).T, chosen, axis=1)


def _below(values: Sequence[float]) -> SampleRows:
    """For each value the share of each other that is below it: 1, or half if they are equal. Their sum is its rank."""
    own = np.array(values, float)
    return (own < own[:, None]) + (own == own[:, None]) / 2


def _percentile_interval(values: SampleRows) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), float(high))


def _correlation(left: SampleRows, right: SampleRows) -> SampleRows:
    left = left - left.mean(axis=1, keepdims=True)
    right = right - right.mean(axis=1, keepdims=True)
    scale = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    product = (left * right).sum(axis=1)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
