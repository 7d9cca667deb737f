"""Rules of the latency meter: end of the warm-up, end of the sampling, and CPU contention.

Rules decide from numbers alone: they contain no loop, no clock and no torch, so that tests need none.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from backbone_bench.records.latency import WarmUpStatus
from backbone_bench.stats import samples

_MAX_BLOCK_CALLS = 10_000  # of a call that takes microseconds
_QUARTERS = 4


class WarmUpBlock(NamedTuple):
    """One block of calls in the warm-up."""

    median_s: float
    calls: int
    allocations: int  # count of the device's allocator at the end of the block


@dataclass(frozen=True, slots=True)
class WarmUpRule:
    """End of the warm-up: the medians of the last two quarters agree, and the allocator got no new memory in them.

    If time is up before that, it was `not_steady` where the blocks show it, and `cut_short` where they are too few.
    """

    min_s: float = 2.0
    max_s: float = 30.0
    tolerance: float = 0.005  # relative difference of the medians of the two quarters
    block_s: float = 0.1
    min_blocks: int = 8  # two per quarter

    def within(self, max_s: float) -> "WarmUpRule":
        """The same rule for less time, with blocks so short that there can be enough of them to judge."""
        return replace(
            self,
            max_s=max_s,
            min_s=min(self.min_s, max_s),
            block_s=min(self.block_s, max_s / (_QUARTERS * samples.FEWEST + self.min_blocks)),
        )

    def verdict(self, blocks: Sequence[WarmUpBlock], spent_s: float) -> WarmUpStatus | None:
        """`steady`, `not_steady`, `cut_short`, or None while the warm-up should go on."""
        quarter = len(blocks) // 4
        enough = len(blocks) >= self.min_blocks
        if enough and spent_s >= self.min_s and _quiet(blocks, 2 * quarter) and self._agree(blocks, quarter):
            return "steady"
        if spent_s < self.max_s:
            return None
        return self._at_the_end(blocks, quarter) if enough else "cut_short"

    def _at_the_end(self, blocks: Sequence[WarmUpBlock], quarter: int) -> WarmUpStatus:
        """Noise alone makes medians differ: not steady only if their 95 % confidence intervals are disjoint."""
        if not _quiet(blocks, 2 * quarter):
            return "not_steady"
        before, last = map(samples.median_interval, _quarters(blocks, quarter))
        if before is None or last is None:
            return "steady" if self._agree(blocks, quarter) else "cut_short"
        return "steady" if before.low <= last.high and last.low <= before.high else "not_steady"

    def next_block(self, calls: int, took_s: float) -> int:
        """Number of calls of the next block, if the last `calls` took `took_s`; at most ten times as many."""
        return max(1, min(10 * calls, _MAX_BLOCK_CALLS, round(calls * self.block_s / _positive(took_s))))

    def _agree(self, blocks: Sequence[WarmUpBlock], quarter: int) -> bool:
        before_s, last_s = (statistics.median(medians) for medians in _quarters(blocks, quarter))
        return abs(last_s - before_s) <= self.tolerance * before_s


def _quarters(blocks: Sequence[WarmUpBlock], quarter: int) -> tuple[list[float], list[float]]:
    medians = [block.median_s for block in blocks[-2 * quarter :]]
    return medians[:quarter], medians[quarter:]


def _quiet(blocks: Sequence[WarmUpBlock], span: int) -> bool:
    return blocks[-1].allocations == blocks[-span - 1].allocations


_FEWEST_BLOCKS = 10


Status = Literal["converged", "timeout"]


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """Stopping rule of the sampling: the 95 % confidence interval of the median is narrow, or time is up.

    An interval is trusted only if the samples can be cut into ten nearly independent
    blocks, which is the same as twenty blocks of length 2/(1 − lag1).
    """

    min_samples: int = 100
    min_busy_s: float = 1.0  # time of all sampled calls, or else `many_samples`
    many_samples: int = 10_000
    max_s: float = 15.0
    min_calls: int = 30  # on a slow device, even if time is up
    half_width: float = 0.005  # of the 95 % confidence interval, relative to the median
    max_samples: int = 100_000  # of a call that takes microseconds
    narrow_in_a_row: int = 2  # consecutive narrow checks needed: one alone is too often narrow by chance
    check_every: int = 20  # samples between two checks, at least
    check_s: float = 0.1  # time between two checks, if the calls are short
    check_most: int = 1000  # samples that `check_s` can ask for, at most

    def narrow(self, samples_s: Sequence[float], calls_per_sample: int) -> bool:
        """Whether the 95 % confidence interval of the median is narrow and can be trusted, in one check."""
        n = len(samples_s)
        if n < self.min_samples or (n < self.many_samples and sum(samples_s) * calls_per_sample < self.min_busy_s):
            return False
        interval = samples.median_interval(samples_s)
        if interval is None or interval.high - interval.low > 2 * self.half_width * statistics.median(samples_s):
            return False
        return samples.independent_blocks(samples_s) >= _FEWEST_BLOCKS

    def verdict(self, taken: int, spent_s: float, narrow_checks: int) -> Status | None:
        """`converged` after `narrow_in_a_row` narrow checks, `timeout`, or None while sampling should go on."""
        if narrow_checks >= self.narrow_in_a_row:
            return "converged"
        over = spent_s >= self.max_s and taken >= self.min_calls
        return "timeout" if over or taken >= self.max_samples else None

    def next_batch(self, taken: int, spent_s: float) -> int:
        """Number of samples before the next check, if `taken` samples took `spent_s`.

        Twenty, or more if calls are short or if there are many samples to sort (a
        check costs about 1 µs per sample), but no more than the time left allows.
        """
        call_s = _positive(spent_s / taken)
        planned = max(self.check_every, taken // 10, min(self.check_most, math.ceil(self.check_s / call_s)))
        affordable = max(1, int((self.max_s - spent_s) / call_s))
        return max(1, min(planned, affordable, self.max_samples - taken))


def _positive(seconds: float) -> float:
    """At least 1 ns: a coarse clock reads 0 s for a short call."""
    return max(seconds, 1e-9)


def cpu_contention(host_load: float) -> bool:
    """Whether other processes use more than 5 % of this process's cores, so that a call may wait for them."""
    return host_load > 0.05
