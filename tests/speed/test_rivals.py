"""The replayed copy of torch's `adaptive_autorange` stops where the original does."""

import random

import pytest
from torch.utils.benchmark import Timer

from tests.speed.latency import Stretch, adaptive


@pytest.mark.parametrize(("seed", "spread"), [(1, 0.02), (2, 0.3), (3, 0.6)])
@pytest.mark.parametrize("threshold", [0.3, 0.1, 0.05])
def test_the_stand_in_for_adaptive_autorange_stops_where_torchs_own_does(seed, spread, threshold):
    rng = random.Random(seed)
    stream_s = [0.05 * rng.lognormvariate(0, spread) for _ in range(2000)]
    now_s, calls = 0.0, 0

    def step():
        nonlocal now_s, calls
        now_s += stream_s[calls]
        calls += 1

    timer = Timer("step()", globals={"step": step}, timer=lambda: now_s)
    found = timer.adaptive_autorange(threshold)
    assert found.number_per_run == 1
    answer = adaptive(threshold)(Stretch(stream_s, start=calls - len(found.times)))  # torch tries a call first
    assert answer.calls == len(found.times)
    assert answer.middle_s == pytest.approx(found.median)
