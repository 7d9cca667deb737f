"""Rank correlation: does a figure put networks in the order in which the clock does?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backbone_bench.stats.samples import Interval

FloatSequence = Any
RESAMPLES = 1000
FEWEST = 5  # networks: below, every order has a fair chance


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's ρ, ties at their mean rank; 0 where nothing varies."""
    return float(_correlation(_ranks(np.array([left], float)), _ranks(np.array([right], float)))[0])


def interval(left: Sequence[float], right: Sequence[float]) -> Interval:
    """A 95 % interval of ρ: a bootstrap over the networks, the same in every run."""
    drawn = (_ranks(np.array(values, float)[_draws(len(left))]) for values in (left, right))
    return _middle(_correlation(*drawn))


def difference(clock: Sequence[float], closer: Sequence[float], than: Sequence[float]) -> Interval:
    """A 95 % interval of ρ(clock, closer) − ρ(clock, than): a bootstrap over the networks, the same in every run."""
    draws = _draws(len(clock))
    times, near, far = (_ranks(np.array(values, float)[draws]) for values in (clock, closer, than))
    return _middle(_correlation(times, near) - _correlation(times, far))


def _draws(networks: int) -> FloatSequence:
    return np.random.default_rng(0).integers(0, networks, (RESAMPLES, networks))


def _middle(values: FloatSequence) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), float(high))


def _ranks(values: FloatSequence) -> FloatSequence:
    """Of each row: how many are less, and half of how many are equal."""
    below = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    return below + equal / 2


def _correlation(left: FloatSequence, right: FloatSequence) -> FloatSequence:
    left = left - left.mean(axis=1, keepdims=True)
    right = right - right.mean(axis=1, keepdims=True)
    scale = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    product = (left * right).sum(axis=1)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
