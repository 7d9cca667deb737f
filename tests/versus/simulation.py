"""Simulation of the decision rule of `bench versus` on invented machines, with the product's own code.

Noise has two levels: processes differ by a log-normal factor (how memory was
laid out, which core it got), and the median of a process keeps a part of the
noise within it. A noisy machine also gets slower during the rounds.
`python -m tests.versus.simulation` prints the table.
"""

import math
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from backbone_bench.stats.ratios import Pair
from backbone_bench.versus.rule import DecisionRule, decide

RULE = DecisionRule()


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


def verdicts(machine: Machine, change: float, trials: int, seed: int) -> Counter[str]:
    """Number of trials by verdict if A takes `change` more time than B; `rounds` is the number of rounds used."""
    found: Counter[str] = Counter()
    for medians in _medians(machine, change, trials, seed):
        pairs = decide(RULE, partial(_further, iter(medians)))
        found[RULE.verdict(RULE.ratio(pairs))] += 1
        found["rounds"] += len(pairs)
    return found


def _further(rows: Iterator[list[float]], count: int) -> list[Pair]:
    """Further rounds as pairs, for `decide`."""
    return [Pair(a, b) for a, b in islice(rows, count)]


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


def main(trials: int = 4000) -> None:
    """Print the share of each verdict by machine and change."""
    print("| machine | true change | less | more | no difference | unclear | rounds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for machine in MACHINES:
        for change in (0, 0.01, 0.02, 0.03, 0.05, 0.1):
            found = verdicts(machine, change, trials, seed=1)
            shares = " | ".join(f"{found[v] / trials:.1%}" for v in ("less", "more", "no_difference", "unclear"))
            print(f"| {machine.name} | {change:.0%} | {shares} | {found['rounds'] / trials:.1f} |")


if __name__ == "__main__":
    main()
