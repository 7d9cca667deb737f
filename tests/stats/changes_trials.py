"""Trials of change points on made series: `python -m tests.stats.changes_trials` prints the tables of docs/gate.md.

A series is judged anew after each commit, as `bench history` does; a step is
found as soon as a change point lies within three commits of it.
"""

import random

from backbone_bench.stats.changes import change_points

BEFORE, MOST, TRIALS = 60, 40, 60


def delay(step: float, noise: float, rng: random.Random) -> int | None:
    """The number of commits after a step until it is found; None if it is not found within `MOST`."""
    values = [rng.gauss(1, noise) for _ in range(BEFORE)] + [rng.gauss(1 + step, noise) for _ in range(MOST)]
    for count in range(3, MOST + 1):
        if any(abs(one.start - BEFORE) <= 3 for one in change_points(values[: BEFORE + count])):
            return count
    return None


def false_alarms(noise: float, series: int, rng: random.Random) -> float:
    """Change points per 1000 commits in series of 100 commits that have none."""
    found = sum(len(change_points([rng.gauss(1, noise) for _ in range(100)])) for _ in range(series))
    return 1000 * found / (100 * series)


def main() -> None:
    rng = random.Random(1)
    for noise in (0.01, 0.03):
        for step in (0.02, 0.05, 0.10):
            delays = [delay(step, noise, rng) for _ in range(TRIALS)]
            known = sorted(MOST + 1 if one is None else one for one in delays)
            share = sum(one is not None for one in delays) / TRIALS
            print(f"noise {noise:.0%}, step {step:.0%}: found {share:.0%}, median {known[TRIALS // 2]} commits")
        print(f"noise {noise:.0%}: {false_alarms(noise, 400, rng):.2f} false alarms per 1000 commits")


if __name__ == "__main__":
    main()
