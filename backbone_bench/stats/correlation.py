"""Spearman's rank correlation: does a count (FLOPs, say) put networks in the same order as their latency?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backbone_bench.stats.samples import Interval

SampleRows = Any  # numpy array: one resample of the networks per row
RESAMPLES = 1000
FEWEST = 5  # networks; with fewer, any order is too likely by chance


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's rank correlation ρ; ties get their mean rank. 0 if one side does not vary."""
    return float(_correlation(_ranks(np.array([left], float)), _ranks(np.array([right], float)))[0])


def interval(left: Sequence[float], right: Sequence[float]) -> Interval:
    """95 % confidence interval of ρ: a bootstrap over the networks with a fixed seed, the same in every run."""
    ranks = (_ranks(np.array(values, float)[_random_indices(len(left))]) for values in (left, right))
    return _percentile_interval(_correlation(*ranks))


def difference(latency: Sequence[float], first: Sequence[float], second: Sequence[float]) -> Interval:
    """95 % confidence interval of ρ(latency, first) − ρ(latency, second), by the same bootstrap as `interval`."""
    chosen = _random_indices(len(latency))
    times, one, two = (_ranks(np.array(values, float)[chosen]) for values in (latency, first, second))
    return _percentile_interval(_correlation(times, one) - _correlation(times, two))


def _random_indices(networks: int) -> SampleRows:
    return np.random.default_rng(0).integers(0, networks, (RESAMPLES, networks))


def _percentile_interval(values: SampleRows) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), float(high))


def _ranks(values: SampleRows) -> SampleRows:
    """Rank within each row: the number of lesser values, plus half of the number of equal ones."""
    below = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    return below + equal / 2


def _correlation(left: SampleRows, right: SampleRows) -> SampleRows:
    left = left - left.mean(axis=1, keepdims=True)
    right = right - right.mean(axis=1, keepdims=True)
    scale = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    product = (left * right).sum(axis=1)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
