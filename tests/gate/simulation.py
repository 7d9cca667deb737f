"""Simulation: how often the gate's rule and other rules report a regression, on the same invented runners.

Live rounds are those of the simulation of `bench versus`. In rounds of fresh
processes noise has two levels: processes differ by a log-normal factor (how
memory was laid out, which core it got), and within a process each sample
resembles the next (lag-1 autocorrelation 0.5) with one outlier in a hundred. A
noisy runner also gets slower by 5 % during the rounds; on a shared one another
program slows one process in ten by 30 %. `python -m tests.gate.simulation`
prints the tables of docs/gate.md.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.stats import mannwhitneyu

from backbone_bench.gate.noisy import RoundPlan, Series, SeriesKey, decide
from backbone_bench.gate.verdicts import GateVerdict
from backbone_bench.stats import samples as stats
from backbone_bench.stats.ratios import Pair, of_turns
from tests.versus.simulation import LIVE_MACHINES, LiveMachine

TRIALS, RANK_TRIALS, THRESHOLD = 2000, 1000, 0.03
ROUNDS = 20  # the most that one verdict can use: five, doubled, and both again to confirm


class Runner(NamedTuple):
    """Noise of a machine."""

    name: str
    process: float  # standard deviation of the logarithm from process to process
    drift: float = 0.0  # by how much it gets slower over a gate's rounds
    disturbed: float = 0.0  # the share of processes that another program slows by 30 %


TYPICAL, NOISY = Runner("typical", 0.015), Runner("noisy", 0.03, drift=0.05)
SHARED = Runner("shared", 0.015, disturbed=0.1)


class Scene(NamedTuple):
    """A simulated case: a runner, the true change of the first workload, and how many are judged together."""

    runner: Runner
    change: float
    subjects: int = 1

    def __str__(self) -> str:
        change = f"{100 * self.change:+.0f} %" if self.change else "no change"
        if self.subjects > 1:
            change += f" in one of {self.subjects}" if self.change else f", {self.subjects} workloads, any alarm"
        return f"{self.runner.name}, {change}"


SCENES = (
    Scene(TYPICAL, 0.0),
    Scene(TYPICAL, 0.03),
    Scene(TYPICAL, 0.05),
    Scene(TYPICAL, 0.10),
    Scene(NOISY, 0.0),
    Scene(NOISY, 0.05),
    Scene(TYPICAL, 0.0, subjects=14),
    Scene(NOISY, 0.0, subjects=14),
)
LIVE_ROUNDS = 2000  # that are simulated once and drawn from
LIVE_TRIALS = 400


class LiveScene(NamedTuple):
    """A simulated case of live rounds: the true change of the first workload, how many there are, and the threshold."""

    change: float
    subjects: int = 1
    threshold: float = THRESHOLD

    def __str__(self) -> str:
        _, words = str(Scene(TYPICAL, self.change, self.subjects)).split(", ", 1)
        return words if self.threshold == THRESHOLD else f"{words}, `--latency-threshold {100 * self.threshold:g}`"


LIVE = (
    LiveScene(0.0),
    LiveScene(0.03),
    LiveScene(0.05),
    LiveScene(0.05, subjects=4),
    LiveScene(0.0, subjects=14),
    LiveScene(0.0, threshold=0.01),
    LiveScene(0.02, threshold=0.01),
    LiveScene(0.03, threshold=0.01),
)
BY_RANKS = tuple(
    Scene(runner, change, subjects)
    for runner, change in ((NOISY, 0.05), (SHARED, 0.0), (SHARED, 0.05), (SHARED, 0.10))
    for subjects in (1, 4)
)


def draw(scene: Scene, trials: int, seed: int = 7) -> np.ndarray:
    """Samples in seconds by trial, subject, round and side (base, head), for a true duration of one second."""
    runner, change, subjects = scene
    rng = np.random.default_rng(seed)
    shape, samples = (trials, subjects, ROUNDS, 2), 40 if subjects == 1 else 15
    white = rng.standard_normal((*shape, samples), dtype=np.float32) * np.float32(0.02 * math.sqrt(1 - 0.5**2))
    within = lfilter(np.array([1], np.float32), np.array([1, -0.5], np.float32), white, axis=-1)
    within += np.where(rng.random((*shape, samples), dtype=np.float32) < 0.01, np.float32(0.5), np.float32(0))
    place = np.arange(ROUNDS)[:, None] * 2 + np.array([[0, 1], [1, 0]])[np.arange(ROUNDS) % 2]  # A B, B A
    process = rng.normal(0, runner.process, shape) + runner.drift * place / (2 * ROUNDS)
    process += np.where(rng.random(shape) < runner.disturbed, math.log(1.3), 0)
    process[:, 0, :, 1] += math.log1p(change)
    return np.exp(within + process[..., None].astype(np.float32))


def draw_live(machine: LiveMachine, scene: LiveScene, seed: int = 7) -> np.ndarray:
    """Logarithms of head over base by trial, subject and round."""
    rng = np.random.default_rng(seed)
    changes = rng.choice(live_rounds(machine), (LIVE_TRIALS, scene.subjects, ROUNDS))
    changes[:, 0] += math.log1p(scene.change)
    return changes


@cache
def live_rounds(machine: LiveMachine) -> np.ndarray:
    """Logarithms of the ratio of equal sides, each the product's own estimate from the turns of one round."""
    turns = np.exp(machine.log_ratios(np.random.default_rng(1), LIVE_ROUNDS)).tolist()
    rounds = [of_turns(Pair(1.0, 1.0), [Pair(one, 1.0) for one in each]) for each in turns]
    return np.log([a / b for a, b in rounds])


class Gate:
    """The gate's own code, run on rounds that were drawn before."""

    def __init__(self, changes: np.ndarray, plan: RoundPlan, kind: type[Series], threshold: float = THRESHOLD) -> None:
        """`changes` are logarithms of head over base by trial, subject and round."""
        self._changes, self._plan, self._kind, self._threshold = changes, plan, kind, threshold

    def regressed(self, trial: int) -> bool:
        """Whether any subject of the trial is called regressed."""
        subjects = [str(n) for n in range(self._changes.shape[1])]
        used = dict.fromkeys(subjects, 0)

        def measure(some: Collection[str], rounds: int) -> Mapping[SeriesKey, Series]:
            taken = {}
            for subject in some:
                changes = self._changes[trial, int(subject), used[subject] : used[subject] + rounds]
                used[subject] += rounds
                taken[SeriesKey(subject, "wall_s")] = self._kind(tuple(changes.tolist()), self._threshold)
            return taken

        return any(one.verdict is GateVerdict.REGRESSED for one in decide(measure, subjects, self._plan).values())


class Ranked(Series):
    """A series judged by the Wilcoxon signed-rank test in place of the t-test, from nine rounds on."""

    FEWEST = 9

    @property
    def estimate(self) -> float:
        found = stats.hodges_lehmann(self.changes) if len(self.changes) >= self.FEWEST else None
        return super().estimate if found is None else found[0]

    def p_value_greater(self, bound: float = 0.0) -> float:
        if len(self.changes) < self.FEWEST:
            return super().p_value_greater(bound)
        far = sorted((change - bound for change in self.changes), key=abs)
        return _rank_sum_beyond(len(far))[sum(rank for rank, one in enumerate(far, start=1) if one > 0)]


@cache
def _rank_sum_beyond(count: int) -> np.ndarray:
    """P(sum of the positive ranks ≥ s) by s, under H0 that both signs are equally likely."""
    ways = np.ones(1)
    for rank in range(1, count + 1):
        ways = np.append(ways, np.zeros(rank)) + np.append(np.zeros(rank), ways)
    return ways[::-1].cumsum()[::-1] / 2**count


def gate(samples: np.ndarray, plan: RoundPlan = RoundPlan(), kind: type[Series] = Series) -> float:  # noqa: B008 - frozen
    """The share of trials in which the gate calls anything regressed."""
    medians = np.median(samples, axis=-1)
    return alarms(Gate(np.log(medians[..., 1] / medians[..., 0]), plan, kind), len(samples))


def alarms(judge: Gate, trials: int) -> float:
    return float(np.mean([judge.regressed(trial) for trial in range(trials)]))


def mann_whitney(samples: np.ndarray) -> float:
    """Mann-Whitney test at 5 % over the iterations of one process per side (Google Benchmark's compare.py)."""
    return _any(_p_iterations(samples) < 0.05)


def mean_5(samples: np.ndarray) -> float:
    """A mean more than 5 % above the other's, one process per side (pytest-benchmark's `mean:5%`)."""
    means = samples[:, :, 0].mean(axis=-1)
    return _any(means[..., 1] > 1.05 * means[..., 0])


def asv(samples: np.ndarray) -> float:
    """Mann-Whitney test at 0.2 % and a median more than 10 % higher (asv's `compare` with its default factor)."""
    medians = np.median(samples[:, :, 0], axis=-1)
    return _any((_p_iterations(samples) < 0.002) & (medians[..., 1] > 1.1 * medians[..., 0]))


def _p_iterations(samples: np.ndarray) -> np.ndarray:
    base, head = samples[:, :, 0, 0], samples[:, :, 0, 1]
    found = mannwhitneyu(head, base, alternative="two-sided", axis=-1, method="asymptotic").pvalue
    return np.where(np.median(head, axis=-1) > np.median(base, axis=-1), found, 1.0)


def _any(alarms: np.ndarray) -> float:
    return float(alarms.any(axis=1).mean())


Rules = Mapping[str, Callable[[np.ndarray], float]]
RULES: Rules = {
    "Mann-Whitney over iterations": mann_whitney,
    "mean +5 %": mean_5,
    "asv": asv,
    "bench gate": gate,
}


def shares() -> dict[str, dict[str, float]]:
    """The share of trials with an alarm, by scene and rule; every rule gets the same draws."""
    return _shares(SCENES, RULES, TRIALS)


def shares_by_ranks() -> dict[str, dict[str, float]]:
    """The same for the gate's rule and its variant by signed ranks, on machines where they differ."""
    return _shares(BY_RANKS, {"bench gate": gate, "by ranks": partial(gate, kind=Ranked)}, RANK_TRIALS)


def shares_live() -> dict[str, dict[str, float]]:
    """The share of trials with an alarm in live rounds, by true change and machine."""
    found: dict[str, dict[str, float]] = {}
    for machine in LIVE_MACHINES:
        for scene in LIVE:
            judge = Gate(draw_live(machine, scene), RoundPlan(), Series, scene.threshold)
            found.setdefault(str(scene), {})[machine.name] = alarms(judge, LIVE_TRIALS)
    return found


def _shares(scenes: Sequence[Scene], rules: Rules, trials: int) -> dict[str, dict[str, float]]:
    drawn = ((scene, draw(scene, trials)) for scene in scenes)
    return {str(scene): {name: rule(samples) for name, rule in rules.items()} for scene, samples in drawn}


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """The shares in percent, as a Markdown table."""
    rules = list(next(iter(found.values())))
    lines = [f"| true change | {' | '.join(rules)} |", f"| --- |{' ---: |' * len(rules)}"]
    lines += [f"| {scene} | {' | '.join(f'{100 * row[name]:.1f}' for name in rules)} |" for scene, row in found.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(shares_live()), table(shares()), table(shares_by_ranks()), sep="\n", end="")
