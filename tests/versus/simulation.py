"""Simulation of the decision rule of `bench versus` on invented machines, with the product's own code.

Noise has two levels: processes differ by a log-normal factor (how memory was
laid out, which core it got), and the median of a process in a fresh round keeps
a part of the noise within it. A noisy machine also gets slower during the
rounds. In a live round the noise within is that of each turn: a preemption hits
one side and not the other. `python -m tests.versus.simulation` prints the tables
of docs/versus.md.
"""

import math
from collections import Counter
from typing import NamedTuple

import numpy as np

from backbone_bench.stats.ratios import Pair, of_turns
from backbone_bench.versus.rule import DecisionRule, decide

RULE, SHARP = DecisionRule(), DecisionRule(threshold=0.01)


class Machine(NamedTuple):
    """Noise of a machine, as standard deviations of logarithms."""

    name: str
    process: float
    within: float = 0.0085
    drift: float = 0.0  # by how much it gets slower over all rounds
    disturbed: float = 0.0  # the share of processes that a neighbour slows by 30 %


QUIET, TYPICAL = Machine("quiet", 0.004, 0.002), Machine("typical", 0.015)
NOISY, SHARED = Machine("noisy", 0.03, drift=0.05), Machine("shared", 0.015, disturbed=0.1)
MACHINES = (QUIET, TYPICAL, NOISY, SHARED)


class LiveMachine(NamedTuple):
    """Noise of a machine in live rounds, as standard deviations of logarithms."""

    name: str
    process: float  # one process against another of the same code
    turn: float  # one burst against the next
    lag1: float  # how much a turn resembles the one before
    preempted: float  # the share of bursts that lose a third of their time to a neighbour

    def log_ratios(self, rng: np.random.Generator, rounds: int) -> np.ndarray:
        """Logarithms of the ratio by round and turn, for equal sides."""
        noise = rng.normal(0, math.sqrt(2) * self.turn * math.sqrt(1 - self.lag1**2), (rounds, TURNS))
        for turn in range(1, TURNS):
            noise[:, turn] += self.lag1 * noise[:, turn - 1]
        hits = math.log(1.5) * (rng.random((2, rounds, TURNS)) < self.preempted)
        return noise + hits[0] - hits[1] + rng.normal(0, math.sqrt(2) * self.process, (rounds, 1))


TURNS = 60
LIVE_QUIET = LiveMachine("quiet", 0.003, 0.01, 0.2, 0.0)
LIVE_TYPICAL = LiveMachine("typical", 0.005, 0.02, 0.2, 0.01)
LIVE_SHARED = LiveMachine("shared", 0.0053, 0.04, 0.2, 0.02)
LIVE_UNLIKE = LiveMachine("processes differ", 0.015, 0.02, 0.2, 0.01)
LIVE_MACHINES = (LIVE_QUIET, LIVE_TYPICAL, LIVE_SHARED, LIVE_UNLIKE)


def live_verdicts(
    machine: LiveMachine, change: float, trials: int, seed: int, rule: DecisionRule = RULE
) -> Counter[str]:
    """Number of trials by verdict in live rounds if A takes `change` more time than B."""
    rng, found = np.random.default_rng(seed), Counter[str]()
    for _ in range(trials):
        turns = np.exp(machine.log_ratios(rng, rule.rounds) + math.log1p(change)).tolist()
        pairs = decide(rule, (of_turns(Pair(1.0, 1.0), [Pair(one, 1.0) for one in each]) for each in turns))
        found[rule.verdict(rule.ratio(pairs))] += 1
        found["rounds"] += len(pairs)
    return found


def verdicts(machine: Machine, change: float, trials: int, seed: int) -> Counter[str]:
    """Number of trials by verdict if A takes `change` more time than B; `rounds` is the number of rounds used."""
    found: Counter[str] = Counter()
    for medians in _medians(machine, change, trials, seed):
        pairs = decide(RULE, [Pair(a, b) for a, b in medians])
        found[RULE.verdict(RULE.ratio(pairs))] += 1
        found["rounds"] += len(pairs)
    return found


def _medians(machine: Machine, change: float, trials: int, seed: int) -> list[list[list[float]]]:
    """Medians in seconds by trial, round and side (A, B), for a true duration of one second."""
    rng = np.random.default_rng(seed)
    shape = (trials, RULE.rounds, 2)
    first = np.arange(RULE.rounds) % 2
    place = 2 * np.arange(RULE.rounds)[:, None] + np.stack([first, 1 - first], axis=1)  # A B, B A, A B, …
    logs = rng.normal(0, math.hypot(machine.process, machine.within), shape)
    logs += machine.drift * place / (2 * RULE.rounds)
    logs += np.where(rng.random(shape) < machine.disturbed, math.log(1.3), 0)
    logs[..., 0] += math.log1p(change)
    return np.exp(logs).tolist()


HEAD = "| {} | true change | less | more | no difference | unclear | rounds |\n| --- | {}"
CHANGES = (0, 0.01, 0.02, 0.03, 0.05)


def row(name: str, change: float, found: Counter[str]) -> str:
    """The share of each verdict, as a row of a table."""
    trials = found.total() - found["rounds"]
    shares = " | ".join(f"{found[v] / trials:.1%}" for v in ("less", "more", "no_difference", "unclear"))
    return f"| {name} | {change:.0%} | {shares} | {found['rounds'] / trials:.1f} |"


def main(trials: int = 2000) -> None:
    """Print the share of each verdict by machine and change, in live rounds and in fresh ones."""
    print(HEAD.format("live rounds", " | ".join(["---:"] * 6)), "|")
    for live in LIVE_MACHINES:
        for change in CHANGES:
            print(row(live.name, change, live_verdicts(live, change, trials // 4, seed=1)))
    print()
    print(HEAD.format("live rounds, --threshold 1", " | ".join(["---:"] * 6)), "|")
    for change in CHANGES:
        print(row(LIVE_SHARED.name, change, live_verdicts(LIVE_SHARED, change, trials // 4, 1, SHARP)))
    print()
    print(HEAD.format("fresh rounds", " | ".join(["---:"] * 6)), "|")
    for machine in MACHINES:
        for change in CHANGES:
            print(row(machine.name, change, verdicts(machine, change, trials, seed=1)))


if __name__ == "__main__":
    main()
