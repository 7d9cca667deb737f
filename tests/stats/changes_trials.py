"""Trials of change points on made series: `python -m tests.stats.changes_trials` prints the tables of docs/gate.md.

A series is judged anew after each commit, as `bench history` does; a change is
found as soon as a change point lies within three commits of it. With the word
`otava`, Apache Otava (the package `apache-otava`) judges the same series.
"""

import random
import sys
from collections.abc import Callable, Sequence
from statistics import median_high

from backbone_bench.stats.changes import change_points

Detect = Callable[[Sequence[float]], list[int]]  # a series in, the places of its change points out
BEFORE, MOST, TRIALS, NEAR = 60, 40, 200, 3
NOISES, STEPS = (0.01, 0.03), (0.02, 0.05, 0.10)


def ours(values: Sequence[float]) -> list[int]:
    return [one.start for one in change_points(values)]


def otava(values: Sequence[float]) -> list[int]:
    """By Apache Otava with its default settings."""
    from otava.analysis import compute_change_points  # type: ignore[import-not-found]  # installed for this trial only

    return [one.index for one in compute_change_points(values)[0]]


def delay(detect: Detect, step: float, noise: float, rng: random.Random) -> int | None:
    """The number of commits after a step until it is found; None if it is not found within `MOST`."""
    values = [rng.gauss(1, noise) for _ in range(BEFORE)] + [rng.gauss(1 + step, noise) for _ in range(MOST)]
    for count in range(1, MOST + 1):
        if is_near(BEFORE, detect(values[: BEFORE + count])):
            return count
    return None


def is_near(place: int, found: Sequence[int]) -> bool:
    return any(abs(one - place) <= NEAR for one in found)


def finds_episode(detect: Detect, step: float, length: int, noise: float, rng: random.Random) -> bool:
    """Whether both ends of a slowdown that lasted `length` commits are found in a series of 120 commits."""
    values = [rng.gauss(1 + step * (BEFORE <= n < BEFORE + length), noise) for n in range(2 * BEFORE)]
    found = detect(values)
    return is_near(BEFORE, found) and is_near(BEFORE + length, found)


def false_alarms(detect: Detect, noise: float, series: int, rng: random.Random) -> float:
    """Change points that are reported after any of 100 commits without a change, per 1000 commits."""
    count = 0
    for _ in range(series):
        values, seen = [rng.gauss(1, noise) for _ in range(100)], list[int]()
        for size in range(1, len(values) + 1):
            seen += [place for place in detect(values[:size]) if not is_near(place, seen)]
        count += len(seen)
    return 1000 * count / (100 * series)


def table(title: str, rows: Sequence[tuple[str, ...]]) -> None:
    print(title, "| ---: " * len(rows[0]) + "|", *(f"| {' | '.join(row)} |" for row in rows), "", sep="\n")


def row(detect: Detect, step: float, noise: float) -> tuple[str, ...]:
    rng = random.Random(1)
    delays = [delay(detect, step, noise, rng) for _ in range(TRIALS)]
    middle = median_high(MOST + 1 if one is None else one for one in delays)
    share = sum(one is not None for one in delays) / TRIALS
    return percent(share), f"{middle}" if middle <= MOST else f"more than {MOST}"


def share(detect: Detect, step: float, length: int, noise: float) -> str:
    rng = random.Random(2)
    return percent(sum(finds_episode(detect, step, length, noise, rng) for _ in range(TRIALS)) / TRIALS)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def main(words: Sequence[str]) -> None:
    tools = {"ours": ours, **({"Otava": otava} if "otava" in words else {})}
    heads = " | ".join(f"{name}: found | median delay" for name in tools)
    steps = [
        (percent(noise), percent(step), *(cell for detect in tools.values() for cell in row(detect, step, noise)))
        for noise in NOISES
        for step in STEPS
    ]
    table(f"| noise | step | {heads} |", steps)
    episodes = [
        (percent(noise), percent(step), str(length), *(share(detect, step, length, noise) for detect in tools.values()))
        for noise in NOISES
        for step in STEPS[1:]
        for length in (5, 10)
    ]
    table(f"| noise | step | commits | {' | '.join(tools)} |", episodes)
    alarms = [
        (percent(noise), *(f"{false_alarms(detect, noise, TRIALS, random.Random(3)):.1f}" for detect in tools.values()))
        for noise in NOISES
    ]
    table(f"| noise | {' | '.join(tools)} |", alarms)


if __name__ == "__main__":
    main(sys.argv[1:])
