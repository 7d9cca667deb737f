"""When a device is warm, when there are samples enough, when a neighbour is in the way: rules without loops or torch.

The numbers and their sources are those of research/measuring.md, section 2.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from backbone_bench.stats import samples

_MOST_CALLS = 10_000  # in a row, of a call of microseconds


class WarmUpBlock(NamedTuple):
    """A stretch of the warm-up."""

    median_s: float
    calls: int
    allocations: int  # of the device's allocator, at the end


@dataclass(frozen=True, slots=True)
class WarmUpRule:
    """When the warm-up ends: the last quarter agrees with the quarter before, and the allocator has been quiet."""

    min_s: float = 2.0
    max_s: float = 30.0
    tolerance: float = 0.005  # between the quarters' medians
    block_s: float = 0.1
    min_blocks: int = 8  # two a quarter

    def verdict(self, blocks: Sequence[WarmUpBlock], spent_s: float) -> Literal["steady", "not_steady"] | None:
        """None while it should go on."""
        quarter = len(blocks) // 4
        enough = len(blocks) >= self.min_blocks
        if enough and spent_s >= self.min_s and _quiet(blocks, 2 * quarter) and self._agree(blocks, quarter):
            return "steady"
        if spent_s < self.max_s:
            return None
        # Noise alone keeps two medians apart; the clock has only not settled where their intervals are.
        noise = enough and _quiet(blocks, 2 * quarter) and _overlap(*_quarters(blocks, quarter))
        return "steady" if noise else "not_steady"

    def next_block(self, calls: int, took_s: float) -> int:
        """How many calls fill the next block, when the last `calls` took `took_s`; at most ten times as many."""
        return max(1, min(10 * calls, _MOST_CALLS, round(calls * self.block_s / _positive(took_s))))

    def _agree(self, blocks: Sequence[WarmUpBlock], quarter: int) -> bool:
        before_s, last_s = (statistics.median(medians) for medians in _quarters(blocks, quarter))
        return abs(last_s - before_s) <= self.tolerance * before_s


def _quarters(blocks: Sequence[WarmUpBlock], quarter: int) -> tuple[list[float], list[float]]:
    medians = [block.median_s for block in blocks[-2 * quarter :]]
    return medians[:quarter], medians[quarter:]


def _quiet(blocks: Sequence[WarmUpBlock], span: int) -> bool:
    return blocks[-1].allocations == blocks[-span - 1].allocations


def _overlap(before: Sequence[float], last: Sequence[float]) -> bool:
    one, two = samples.median_interval(before), samples.median_interval(last)
    return one is not None and two is not None and one.low <= two.high and two.low <= one.high


_FEWEST_BLOCKS = 10


Status = Literal["converged", "timeout"]


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When there are samples enough: the interval of the median is narrow, or time is up.

    An interval is trusted only if the samples can be cut into ten blocks that
    hardly depend on each other, the same as twenty of length 2/(1 − lag1).
    """

    min_samples: int = 100
    min_busy_s: float = 1.0  # of the device, or else so many samples:
    many_samples: int = 10_000
    max_s: float = 15.0
    min_calls: int = 30  # of a slow device, whatever the time
    half_width: float = 0.005  # of the 95 % interval, over the median
    max_samples: int = 100_000  # of a call of microseconds
    narrow_in_a_row: int = 2  # checks that must find the interval narrow: a single one is lucky too often
    look_every: int = 20
    look_s: float = 0.1
    look_most: int = 1000

    def narrow(self, samples_s: Sequence[float], calls_per_sample: int) -> bool:
        """Whether the interval of the median, as one look finds it, is narrow and can be trusted."""
        n = len(samples_s)
        if n < self.min_samples or (n < self.many_samples and sum(samples_s) * calls_per_sample < self.min_busy_s):
            return False
        interval = samples.median_interval(samples_s)
        if interval is None or interval.high - interval.low > 2 * self.half_width * statistics.median(samples_s):
            return False
        return samples.independent_blocks(samples_s) >= _FEWEST_BLOCKS

    def verdict(self, taken: int, spent_s: float, narrow_checks: int) -> Status | None:
        """`converged` after so many narrow checks in a row, `timeout`, or None while it should go on."""
        if narrow_checks >= self.narrow_in_a_row:
            return "converged"
        over = spent_s >= self.max_s and taken >= self.min_calls
        return "timeout" if over or taken >= self.max_samples else None

    def next_batch(self, taken: int, spent_s: float) -> int:
        """How many samples to take before the next look, when `taken` of them took `spent_s`.

        Twenty, or more where calls are short or many samples are there to sort
        (a look costs about a microsecond a sample); no more than there is time for.
        """
        call_s = _positive(spent_s / taken)
        wanted = max(self.look_every, taken // 10, min(self.look_most, math.ceil(self.look_s / call_s)))
        affordable = max(1, int((self.max_s - spent_s) / call_s))
        return max(1, min(wanted, affordable, self.max_samples - taken))


def _positive(seconds: float) -> float:
    """At least a nanosecond: a coarse clock reads 0 for a short call."""
    return max(seconds, 1e-9)


def crowded(host_load: float) -> bool:
    """Whether others keep the host so busy that a call may wait for them: a twentieth of this process's cores."""
    return host_load > 0.05
