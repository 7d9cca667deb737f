"""The grade of a record: from its flags, its intervals, and what its values show."""

import random
from dataclasses import replace

import pytest

from backbone_bench.records import Energy, Latencies, Latency, Missing, Record, WarmUp, Watch
from backbone_bench.records.grade import Graded, flags, graded
from tests.report import samples

GPU = samples.gpu_record("resnet50", 4_089_184_256, 0.010)


def with_latency(**modes: Latency | Missing) -> Record:
    assert isinstance(GPU.latency, Latencies)
    return replace(GPU, latency=replace(GPU.latency, **modes), energy=samples.NO_NVML, watch=samples.NO_NVML)


def narrow(median_s: float, **changes: object) -> Latency:
    made = replace(samples.latency(median_s, n=400), method="filled_queue")
    return replace(made, **changes)  # type: ignore[arg-type]


GOOD = with_latency(wall=narrow(0.0102), device=narrow(0.0101), graph=narrow(0.010))


def noisy(half_width: float) -> Latency:
    """A latency whose 95 % confidence interval has about this half width, as a share of its median."""
    noise = [random.Random(i).gauss(0, 1) for i in range(400)]
    unit = half_width_of(narrow(1.0, samples_s=tuple(1 + 0.01 * z for z in noise))) / 0.01
    spread = half_width / unit
    return narrow(0.0102, samples_s=tuple(max(0.0, 0.0102 * (1 + spread * z)) for z in noise))


def half_width_of(latency: Latency) -> float:
    assert not isinstance(latency.ci95_s, Missing)
    low, high = latency.ci95_s
    return (high - low) / 2 / latency.median_s


def test_a_row_without_flags_and_with_narrow_intervals_is_quoted():
    assert graded(GOOD) == ("quote", ())
    assert graded(GOOD).without(frozenset()) == "quote"


@pytest.mark.parametrize(("share", "grade"), [(0.005, "quote"), (0.05, "with care"), (0.15, "do not quote")])
def test_a_wide_interval_lowers_the_grade_and_says_how_wide_it_is(share, grade):
    wall = noisy(share)
    half = half_width_of(wall)
    found = graded(with_latency(wall=wall, device=narrow(0.0101), graph=narrow(0.010)))
    assert found.grade == grade
    assert found.reasons == (() if grade == "quote" else (f"wall ±{100 * half:.1f} %",))


def test_a_time_limit_is_no_reason_if_the_interval_is_narrow():
    late = with_latency(wall=narrow(0.0102, status="timeout"), device=narrow(0.0101), graph=narrow(0.010))
    assert graded(late).grade == "quote"


def test_the_worst_reason_decides_and_comes_first():
    found = graded(replace(GOOD, flags=("auto_batch", "host_busy", "nan_output")))
    assert found == Graded("do not quote", ("nan_output", "host_busy", "auto_batch"))
    assert found.without(frozenset(("host_busy",))) == "do not quote: nan_output, auto_batch"


def test_a_note_does_not_lower_the_grade():
    assert graded(replace(GOOD, flags=("auto_batch",))).without(frozenset()) == "quote: auto_batch"


def test_a_call_that_leaves_the_device_waiting_is_launch_bound():
    assert graded(with_latency(wall=narrow(0.02), device=narrow(0.0101), graph=narrow(0.010))).reasons == (
        "launch_bound",
    )


def test_eager_events_are_not_device_work_and_their_interval_is_not_judged():
    eager = replace(noisy(0.15), method=None)
    assert graded(with_latency(wall=narrow(0.0102), device=eager, graph=narrow(0.010))) == ("quote", ("eager_events",))


def test_a_device_time_above_the_wall_time_is_not_quoted():
    found = graded(with_latency(wall=narrow(0.010), device=narrow(0.012), graph=samples.NO_GRAPH))
    assert found == ("do not quote", ("device_above_wall",))


@pytest.mark.parametrize(
    ("spent_s", "word"), [(0.17, "warm_up_cut_short"), (30.0, "not_steady")], ids=["cut short", "in full"]
)
def test_a_warm_up_that_was_cut_short_was_called_not_steady_by_older_versions(spent_s, word):
    old = narrow(0.0102, warmup=WarmUp("not_steady", spent_s, 50), flags=("not_steady",))
    assert flags(with_latency(wall=old, device=narrow(0.0101), graph=narrow(0.010))) == (word,)


@pytest.mark.parametrize(("clocks_hz", "shown"), [((345e6, 1.98e9, 1.98e9), False), ((1.98e9, 1.98e9, 1.9e9), True)])
def test_unlocked_clocks_are_a_reason_only_if_they_changed(clocks_hz, shown):
    assert isinstance(GPU.watch, Watch)
    watch = replace(GPU.watch, sm_clock_hz=clocks_hz, flags=("clocks_unlocked",))
    assert ("clocks_unlocked" in flags(replace(GOOD, watch=watch))) == shown


def test_energy_is_judged_by_its_own_interval():
    assert isinstance(GPU.energy, Energy)
    assert graded(replace(GOOD, energy=GPU.energy)).reasons == ("energy ±6.3 %",)


def test_a_flag_of_another_version_is_a_reason_for_care():
    assert graded(replace(GOOD, flags=("of_another_version",))) == ("with care", ("of_another_version",))


def test_a_row_that_failed_is_not_quoted():
    failed = Missing("failed", "latency failed: RuntimeError")
    assert graded(replace(GOOD, latency=failed, energy=failed)).without(frozenset()) == "do not quote: failed"


def test_a_filled_device_time_above_the_wall_time_is_not_quoted_even_beside_a_graph():
    found = graded(with_latency(wall=narrow(0.0101), device=narrow(0.012), graph=narrow(0.010)))
    assert found == ("do not quote", ("device_above_wall",))


def test_eager_events_without_a_graph_leave_the_device_s_work_unknown():
    eager = narrow(0.0101, method="eager_events")
    assert graded(with_latency(wall=narrow(0.0102), device=eager, graph=samples.NO_GRAPH)) == (
        "with care",
        ("eager_events",),
    )
