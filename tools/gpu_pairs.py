"""Live rounds on the first card at hand, in about two minutes: what is the bias, and is +2 % found?

`python -m tools.gpu_pairs` compares ResNet-50 with itself, and with a copy whose every call has some cycles more, about
2 % of its time. It prints the ratio of the device's work in each, how much the rounds differ, and how long a round took
against what `--dry-run` says.
"""

import argparse
import math
import time
from typing import NamedTuple

from backbone_bench.base.progress import silent
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record, Scalar
from backbone_bench.run import estimate, runner
from backbone_bench.stats import ratios, samples
from backbone_bench.versus.compare import compare_paired
from backbone_bench.versus.rounds import FreshRounds, LiveRounds
from backbone_bench.versus.rule import Comparison, ComparisonQuestion, DecisionRule

DEVICE, MODEL, SIZE = "cuda", "resnet50", 224
CYCLES = 100_000  # 50 to 70 microseconds at 1.4 to 2 GHz: about 2 % of a call of some milliseconds
RULE = DecisionRule(12, threshold=0.001)


class GpuTrial(NamedTuple):
    """One comparison, the records behind it, and how long it took."""

    found: Comparison
    records: list[Record]
    took_s: float

    def __str__(self) -> str:
        low, estimate_, high = (
            100 * (one - 1) for one in (self.found.ratio.low, self.found.ratio.estimate, self.found.ratio.high)
        )
        spread = 100 * samples.stdev(ratios.logs(self.found.pairs)) if len(self.found.pairs) > 1 else math.nan
        flags = ", ".join(self.found.flags) or "no flags"
        return (
            f"{estimate_:+.2f} % ({low:+.2f} to {high:+.2f}), {len(self.found.pairs)} rounds that differ by "
            f"{spread:.2f} %, {self.took_s:.0f} s, {flags}"
        )


def job(cycles: int, device: str = DEVICE) -> Job:
    arguments: dict[str, Scalar] = {"name": MODEL, "cycles": cycles}
    return Job("tools.slowed:net", arguments, inputs=(f"3x{SIZE}x{SIZE}",), device=device, energy="off")


def trial(cycles: int, seconds: float, device: str = DEVICE) -> GpuTrial:
    """Compare the network that takes so many cycles more with the network itself, by the device's work."""
    began_s = time.monotonic()
    records: list[Record] = []
    take = LiveRounds(FreshRounds([runner.isolated()]), print)
    question = ComparisonQuestion("work", RULE, seconds)
    found = compare_paired((job(cycles, device), job(0, device)), question, silent, take, records.append)
    return GpuTrial(found, records, time.monotonic() - began_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=55, help="of each of the two trials")
    parser.add_argument("--device", default=DEVICE)
    asked = parser.parse_args()
    same = trial(0, asked.seconds, asked.device)
    print(f"the same twice: {same}", flush=True)
    print(f"one {CYCLES} cycles longer: {trial(CYCLES, asked.seconds, asked.device)}", flush=True)
    expected_s = estimate.live_round([job(0, asked.device)] * 2).least_s
    print(f"a round: {same.took_s / len(same.found.pairs):.1f} s, expected without a limit: {expected_s:.1f} s")


if __name__ == "__main__":
    main()
