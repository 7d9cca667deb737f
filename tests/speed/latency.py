"""The latency meter against torch.utils.benchmark, on one CPU thread: agreement, overhead, number of samples.

Both run in turn, so that a busy machine slows both. On a shared machine a
figure is only as good as its confidence interval.
"""

import bisect
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import torch
from torch.utils.benchmark import Timer

from backbone_bench.measure.call.step import prepared
from backbone_bench.measure.call.weights import lsuv_init
from backbone_bench.measure.devices.cpu import Host
from backbone_bench.measure.latency.meter import sample, warm_up
from backbone_bench.measure.latency.rules import StoppingRule, WarmUpRule
from backbone_bench.measure.latency.timers import Wall
from backbone_bench.measure.protocols import Step
from backbone_bench.records import Workload
from backbone_bench.stats import samples as stats
from backbone_bench.zoo import registry

ROUNDS, CALLS = 60, 3
WORKLOAD = Workload("resnet18", {}, source="zoo", inputs=("1x3x224x224:float32",), batch=1, threads=1)


@contextmanager
def resnet18(size: int) -> Iterator[Step]:
    """One closure for both meters, after warm-up."""
    model, image = registry.load("resnet18", "resnet").build(), torch.empty(1, 3, size, size, device="meta")
    lsuv_init(model, [image], {})
    with prepared(model, [image], {}, WORKLOAD, "cpu") as step:
        host = Host()
        warm_up(Wall(step, host), host, WarmUpRule(max_s=5), lambda done: None)
        yield step


# Agreement.


def against_torch(step: Step) -> str:
    """Ratio of our wall latency to torch's for the same closure, over interleaved rounds, with its 95 % CI."""
    timer, rival = Wall(step, Host()), Timer("step()", globals={"step": step})
    rounds = [_round(timer, rival, ours_first=bool(turn % 2)) for turn in range(ROUNDS)]
    ratios = [ours_s / theirs_s for ours_s, theirs_s in rounds]
    ratio, interval = statistics.median(ratios), stats.median_interval(ratios)
    assert interval is not None
    agree = interval.low <= 1 <= interval.high or abs(ratio - 1) <= 0.03
    ours_s, theirs_s = (statistics.median(times_s) * 1e3 for times_s in zip(*rounds, strict=True))
    return (
        f"wall of resnet18: ours {ours_s:.2f} ms, torch.utils.benchmark {theirs_s:.2f} ms; ours/theirs {ratio:.3f}, "
        f"95 % CI [{interval.low:.3f}, {interval.high:.3f}] of {ROUNDS} interleaved rounds of {CALLS} calls: "
        f"{'agree' if agree else 'DIFFER'}"
    )


def _round(timer: Wall, rival: Timer, *, ours_first: bool) -> tuple[float, float]:
    """Mean seconds of a few calls by each meter, after two untimed calls, as torch does."""

    def ours() -> float:
        timer.take(2)
        return statistics.fmean(timer.take(CALLS))

    def theirs() -> float:
        return rival.timeit(CALLS).mean

    if ours_first:
        return ours(), theirs()
    theirs_s = theirs()
    return ours(), theirs_s


# Overhead.


def overhead() -> str:
    """Overhead on an empty step: the time in a sample, and the time of the loop per sample with its stopping rule."""

    def nothing() -> None: ...

    host = Host()
    rule = StoppingRule(min_busy_s=math.inf, many_samples=100_000, max_samples=50_000)
    shown_s: list[float] = []
    spent_s: list[float] = []
    for _ in range(5):
        start_s = time.perf_counter()
        samples_s, _ = sample(Wall(nothing, host), host, rule, lambda done: None)
        spent_s.append((time.perf_counter() - start_s) / len(samples_s))
        shown_s.append(statistics.median(samples_s))
    return (
        f"empty step: a sample shows {min(shown_s) * 1e6:.2f} µs; the whole loop spends {min(spent_s) * 1e6:.2f} µs a "
        f"sample (middle of 5: {statistics.median(shown_s) * 1e6:.2f} and {statistics.median(spent_s) * 1e6:.2f} µs)"
    )


# Number of samples.

REPLAYS = 200


class Answer(NamedTuple):
    """The latency that a way of measuring gives, and the number of its calls."""

    middle_s: float
    calls: int


class Stretch(Host):
    """A timer that replays a recorded stream from a start index, cyclically, and moves its own clock."""

    calls_per_sample = 1

    def __init__(self, stream_s: Sequence[float], start: int) -> None:
        self.stream_s, self.place, self.passed_s = stream_s, start, 0.0

    def now_s(self) -> float:
        return self.passed_s

    def take(self, count: int) -> list[float]:
        found_s = [self.stream_s[(self.place + step) % len(self.stream_s)] for step in range(count)]
        self.place += count
        self.passed_s += sum(found_s)
        return found_s


Way = Callable[[Stretch], Answer]


def ours(half_width: float) -> Way:
    """The loop and stopping rule of this package, with this target half-width of the confidence interval."""
    target = StoppingRule(min_samples=20, min_busy_s=0, half_width=half_width, max_s=1e9)

    def way(stretch: Stretch) -> Answer:
        rule = replace(target, max_samples=len(stretch.stream_s) // 2)  # the stream repeats beyond its length
        samples_s, _ = sample(stretch, stretch, rule, lambda done: None)
        return Answer(statistics.median(samples_s), len(samples_s))

    return way


def fixed(calls: float) -> Way:
    """The mean of a fixed number of calls, as a loop between two clock readings gives it."""
    count = round(calls)
    return lambda stretch: Answer(statistics.fmean(stretch.take(count)), count)


def adaptive(threshold: float) -> Way:
    """`Timer.adaptive_autorange` with blocks of one call: at least four, until IQR/median is small or 10 s are over."""

    def way(stretch: Stretch) -> Answer:
        ordered: list[float] = []
        while stretch.passed_s < 10:
            bisect.insort(ordered, stretch.take(1)[0])
            if len(ordered) > 3 and (_between(ordered, 0.75) - _between(ordered, 0.25)) < threshold * _between(
                ordered, 0.5
            ):
                break
        return Answer(_between(ordered, 0.5), len(ordered))

    return way


def _between(ordered: Sequence[float], share: float) -> float:
    """A quantile, interpolated between two samples as torch does."""
    below, part = divmod(share * (len(ordered) - 1), 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + part * (high - low)


class Spread(NamedTuple):
    """Spread of the answers of a way of measuring that is repeated along a stream."""

    half_width: float  # half of the range of 95 % of the answers, over their median
    calls: float  # on average
    setting: float = 0.0  # the target half-width, the threshold or the number of calls


def repeat(way: Way, stream_s: Sequence[float], setting: float = 0.0) -> Spread:
    answers = [way(Stretch(stream_s, replay * len(stream_s) // REPLAYS)) for replay in range(REPLAYS)]
    middles = [answer.middle_s for answer in answers]
    width = stats.quantile(middles, 0.975) - stats.quantile(middles, 0.025)
    return Spread(width / 2 / statistics.median(middles), statistics.fmean(answer.calls for answer in answers), setting)


WIDTHS = (0.2, 0.1, 0.07, 0.05, 0.035, 0.025, 0.018, 0.012, 0.008, 0.005, 0.003)
COUNTS = tuple(round(100 * 1.2**step) for step in range(18))  # 100 to 2219: half of the stream


def fewest(
    make: Callable[[float], Way], target: float, stream_s: Sequence[float], settings: Sequence[float] = WIDTHS
) -> Spread | None:
    """The setting with the fewest calls whose answers spread no more than the target; None if there is none."""
    found = [repeat(make(setting), stream_s, setting) for setting in settings]
    return min(
        (spread for spread in found if spread.half_width <= target), key=lambda spread: spread.calls, default=None
    )


def record(step: Step, most: int = 4000, most_s: float = 40.0) -> list[float]:
    timer = Wall(step, Host())
    stream_s: list[float] = []
    while len(stream_s) < most and sum(stream_s) < most_s:
        stream_s += timer.take(20)
    return stream_s


def samples(step: Step) -> str:
    """Calls that each way needs for the same spread of its answers, on one recorded stream."""
    stream_s = record(step)
    middle_s = statistics.median(stream_s)
    hundred, default = repeat(fixed(100), stream_s), repeat(ours(0.005), stream_s)
    auto = repeat(adaptive(0.1), stream_s)
    return "\n".join(
        [
            f"{len(stream_s)} calls of resnet18 at 32x32, recorded once: median {middle_s * 1e3:.2f} ms, "
            f"IQR {stats.iqr(stream_s) / middle_s:.1%}, lag-1 {stats.lag1(stream_s):.2f}, "
            f"{len(stats.outliers(stream_s))} outliers, drift {stats.drift(stream_s) or 1:.3f}",
            f"  fixed 100: {_text(hundred)}",
            f"    ours for that: {_text(fewest(ours, hundred.half_width, stream_s))}",
            f"  adaptive_autorange: {_text(auto)}",
            f"    ours for that: {_text(fewest(ours, auto.half_width, stream_s))}",
            f"  ours: {_text(default)}",
            f"    a fixed number for that: {_text(fewest(fixed, default.half_width, stream_s, COUNTS))}",
            f"    adaptive_autorange for that: {_text(fewest(adaptive, default.half_width, stream_s))}",
        ]
    )


def _text(spread: Spread | None) -> str:
    if spread is None:
        return "no setting is that narrow"
    setting = f" (setting {spread.setting:.1%})" if 0 < spread.setting < 1 else ""
    return f"true ±{spread.half_width:.2%} with {spread.calls:.0f} calls{setting}"


def table() -> str:
    """The three reports: agreement, overhead, samples."""
    torch.set_num_threads(1)
    with resnet18(224) as step:
        right = against_torch(step)
    with resnet18(32) as step:
        return "\n".join([right, overhead(), samples(step)])


if __name__ == "__main__":
    print(table())
