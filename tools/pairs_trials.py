"""Trials of a comparison on this machine: how often it finds what is there, and what is not.

`python -m tools.pairs_trials run FILE --model mobilenetv2 --size 96 --trials 30` compares a network with itself again
and again, each time for `--seconds`, in live rounds and in fresh rounds in turn. Each trial is a line of FILE at once;
a second call with the same options goes on where the first ended. `--percent` slows one side down by so much: a network
of the zoo by a busy wait, which beside other work costs more than its share, and `--model stack` by so many more of its
hundred equal convolutions, which is exact. `--neighbour` runs a process beside that computes on and off.
`python -m tools.pairs_trials summary FILE` prints the table: what would have been found, had one side been slower, is
told by shifting the logarithms.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.base.program import now_utc
from backbone_bench.base.progress import silent
from backbone_bench.jobs.job import Job
from backbone_bench.records import known
from backbone_bench.run import runner
from backbone_bench.stats import ratios
from backbone_bench.stats.ratios import Pair, Ratio
from backbone_bench.versus.rounds import Allowance, FreshRounds, LiveRounds, RoundPlace, TakeRound
from backbone_bench.versus.rule import DecisionRule, SpeedVerdict, cpu_pair, decide, quantity, value_pair

Kind = Literal["live", "fresh"]
KINDS: tuple[Kind, ...] = ("live", "fresh")
ROUNDS = 12
RULE = DecisionRule(ROUNDS, threshold=0.001)  # of someone who looks for every difference
SHIFTS = (1, 2, 3, 5)  # percent
STACK = "stack"
NEIGHBOUR = """
import random, time
while True:
    end = time.monotonic() + random.expovariate(1 / 2)
    while time.monotonic() < end:
        sum(range(10000))
    time.sleep(random.expovariate(1 / 2))
"""


class Design(NamedTuple):
    """What a trial compares, and under which conditions."""

    kind: Kind
    model: str
    size: int
    threads: int
    seconds: float
    percent: float
    neighbour: bool

    def jobs(self) -> tuple[Job, Job]:
        """A, slower by `percent`, and B."""
        slow, plain = (self._job(percent) for percent in (self.percent, 0.0))
        return slow, plain

    def _job(self, percent: float) -> Job:
        common: dict[str, Any] = {"device": "cpu", "energy": "off", "threads": self.threads, "quick": True}
        if self.model == STACK:
            stack = {"channels": 32, "layers": round(100 + percent)}
            return Job("backbone_bench.zoo.micro:plain", {**stack}, input_size=self.size, **common)
        return Job(
            "tools.slowed:net",
            {"name": self.model, "percent": percent},
            inputs=(f"3x{self.size}x{self.size}",),
            **common,
        )

    def rounds(self) -> TakeRound:
        fresh = FreshRounds([runner.isolated()])
        return fresh if self.kind == "fresh" else LiveRounds(fresh, print)


def trial(design: Design) -> dict[str, Any]:
    """Run one trial: the logarithms of A over B of every round that the time allows, wall and CPU time."""
    jobs, take, allowance = design.jobs(), design.rounds(), Allowance(design.seconds, RULE.interims[0])
    logs: list[float] = []
    cpu_logs: list[float] = []
    while len(logs) < ROUNDS and not allowance.is_over:
        a, b = take(jobs, RoundPlace("trial", len(logs) + 1, allowance.next_s()), silent)
        allowance.took_one()
        logs += ratios.logs([known(value_pair(a, b, quantity("wall"), per_image=True))])
        cpu = cpu_pair(a, b)
        cpu_logs += [] if cpu is None else ratios.logs([cpu])
    load = os.getloadavg()[0]
    return {**design._asdict(), "utc": now_utc(), "load": load, "logs": logs, "cpu_logs": cpu_logs}


@contextmanager
def neighbour(*, wanted: bool) -> Iterator[None]:
    """A process that computes for about two seconds, rests for about two, and so on."""
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) if wanted else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def run(path: Path, designs: Sequence[Design], trials: int) -> None:
    """Run the trials that the file lacks, the designs in turn."""
    for number in range(trials):
        for design in designs:
            if sum(one == design for one, _ in read(path)) > number:
                continue
            try:
                with neighbour(wanted=design.neighbour):
                    found = trial(design)
            except CouldNotMeasure as failure:
                print(f"{design.kind} {number + 1}: {failure}", file=sys.stderr)
                continue
            with path.open("a") as file:
                print(json.dumps(found), file=file)
            estimate = 100 * statistics.fmean(found["logs"])
            print(f"{design.kind} {number + 1}/{trials}: {estimate:+.2f} %, {len(found['logs'])} rounds", flush=True)


def read(path: Path) -> list[tuple[Design, list[float]]]:
    """The trials of a file: the design and the logarithms of each."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return [(Design(*(row[name] for name in Design._fields)), row["logs"]) for row in rows]


def verdict(logs: Sequence[float], shift: float = 0.0) -> SpeedVerdict:
    """What `bench versus --threshold 0.1` says of these rounds, had A been slower by `shift` more."""
    pairs = decide(RULE, [Pair(math.exp(one + shift), 1.0) for one in logs])
    return RULE.verdict(RULE.ratio(pairs))


def summary(path: Path) -> str:
    """The table of all designs in a file."""
    trials = read(path)
    titles = ("model", "rounds", "seconds", "slower", "neighbour", "trials", "rounds each", "sd", "bias", "covered")
    found = (*(f"+{shift} %" for shift in SHIFTS), "false alarms (95 % CI)")
    lines = [f"| {' | '.join((*titles, *found))} |", f"|{' --- |' * (len(titles) + len(found))}"]
    for design in dict.fromkeys(one for one, _ in trials):
        logs = [each for one, each in trials if one == design]
        lines.append(f"| {' | '.join(_row(design, logs))} |")
    return "\n".join(lines) + "\n"


def _row(design: Design, trials: Sequence[Sequence[float]]) -> Iterator[str]:
    estimates = [_ratio(logs) for logs in trials]
    centres = [math.log(one.estimate) for one in estimates]
    truth = 1 + design.percent / 100
    sd = statistics.stdev(centres) if len(centres) > 1 else math.nan
    name = f"{design.model}@{design.size}, {design.threads} thread{'s' * (design.threads > 1)}"
    yield from (name, design.kind, f"{design.seconds:g}", f"{design.percent:g} %", "yes" if design.neighbour else "no")
    yield from (str(len(trials)), f"{statistics.fmean(map(len, trials)):.1f}", f"{100 * sd:.2f} %")
    bias = statistics.fmean(centres) - math.log(truth)
    yield f"{100 * bias:+.2f} ± {100 * sd / math.sqrt(len(centres)):.2f} %"
    yield f"{sum(one.low <= truth <= one.high for one in estimates)}/{len(trials)}"
    for shift in SHIFTS:
        yield str(sum(verdict(logs, math.log1p(shift / 100)) == "more" for logs in trials))
    alarms = sum(verdict(logs) in ("less", "more") for logs in trials)
    low, high = wilson(alarms, len(trials))
    yield "" if design.percent else f"{alarms} ({100 * low:.1f} to {100 * high:.1f} %)"


def _ratio(logs: Sequence[float]) -> Ratio:
    return RULE.ratio([Pair(math.exp(one), 1.0) for one in logs])


def wilson(count: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's confidence interval of a share."""
    share, spread = count / of, z * math.sqrt(count * (of - count) / of + z * z / 4) / (of + z * z)
    centre = (share * of + z * z / 2) / (of + z * z)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "summary"))
    parser.add_argument("file", type=Path, help="trials, one a line of JSON; run appends to it")
    parser.add_argument("--model", default="mobilenetv2", help="a network of the zoo, or stack")
    parser.add_argument("--size", type=int, default=96, help="pixels of a side of the image")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="time of a trial")
    parser.add_argument("--trials", type=int, default=30, help="of each kind")
    parser.add_argument("--percent", type=float, default=0.0, help="how much slower A is, by a busy wait")
    parser.add_argument("--neighbour", action="store_true", help="run a process beside that computes on and off")
    parser.add_argument(
        "--kind", choices=KINDS, action="append", help="only this kind of rounds; default: both in turn"
    )
    asked = parser.parse_args()
    if asked.what == "summary":
        print(summary(asked.file), end="")
        return
    common = asked.model, asked.size, asked.threads, asked.seconds, asked.percent, asked.neighbour
    run(asked.file, [Design(kind, *common) for kind in asked.kind or KINDS], asked.trials)


if __name__ == "__main__":
    main()
