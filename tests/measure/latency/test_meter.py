"""Laws of the latency meter, on a simulated machine with virtual time."""

import gc
import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import pytest

from backbone_bench.base.choices import LatencyMode
from backbone_bench.measure.latency import plan as latency_plan
from backbone_bench.measure.latency.meter import MeasuredLatency, measure, sample
from backbone_bench.measure.latency.plan import FULL, QUICK, LatencyPlan
from backbone_bench.measure.latency.rules import StoppingRule, WarmUpRule
from backbone_bench.measure.latency.timers import Wall
from backbone_bench.records import Latency, Missing
from tests.measure.world import NOTHING, World

T = TypeVar("T")


def run(world: World, chosen: LatencyPlan = FULL) -> MeasuredLatency:
    return measure(world.step, world, world, chosen)


def only(mode: LatencyMode, chosen: LatencyPlan = FULL) -> LatencyPlan:
    return replace(chosen, modes=(mode,))


def known(value: T | Missing) -> T:
    assert not isinstance(value, Missing)
    return value


def missing(value: object) -> Missing:
    assert isinstance(value, Missing)
    return value


def wall(world: World, chosen: LatencyPlan = FULL) -> Latency:
    return known(run(world, only("wall", chosen)).latency.wall)


def noisy(rho: float, spread: float, *, seed: int = 1, tail: float = 0.0) -> Callable[[float], float]:
    """Work of 10 ms with autocorrelated noise (`rho`); a share `tail` of the calls is late by 5 ms or more."""
    rng = random.Random(seed)
    noise = 0.0

    def work_s(now_s: float) -> float:
        nonlocal noise
        noise = rho * noise + math.sqrt(1 - rho**2) * rng.gauss(0, 1)
        return 0.01 * (math.exp(spread * noise) + (0.5 + rng.expovariate(1) if rng.random() < tail else 0))

    return work_s


# For tests that are not about the warm-up.
SHORT_WARM_UP = replace(FULL, warm_up_rule=WarmUpRule(min_s=0.02, block_s=0.001))


# What is timed.


WALL_S, WORK_S = 50 * 30e-6 + 20e-6 + 10e-6, 50 * 20e-6  # launch after launch, the last kernel, the wake-up; the work


def slow_host(kind: type[World] = World) -> World:
    """A machine that needs more time to launch its 50 kernels than they take."""
    return kind(work_s=lambda now_s: 20e-6, kernels=50, launch_s=30e-6, wake_s=10e-6)


@pytest.mark.parametrize("launch_queue", [None, 1000])
def test_the_device_time_of_a_slow_host_is_the_device_s_and_only_the_wall_time_is_the_host_s(launch_queue):
    found = run(replace(slow_host(), launch_queue=launch_queue)).latency
    wall, device, graph = known(found.wall), known(found.device), known(found.graph)
    assert wall.median_s == pytest.approx(WALL_S)
    assert device.median_s == pytest.approx(WORK_S, rel=0.01)
    assert graph.median_s == pytest.approx(WORK_S)
    assert (device.method, device.not_filled) == ("filled_queue", None)
    assert found.launch_bound == pytest.approx(1 - WORK_S / WALL_S)


def test_without_a_graph_launch_bound_is_that_of_the_filled_queue():
    found = run(replace(slow_host(), capture_error="no graph")).latency
    assert found.launch_bound == pytest.approx(1 - WORK_S / WALL_S, rel=0.01)


def eager(world: World, chosen: LatencyPlan = FULL) -> Missing:
    """Why the queue was not filled; the device time is then that of the host, and not device work."""
    found = run(world, replace(chosen, modes=("wall", "device"))).latency
    device = known(found.device)
    assert device.method == "eager_events"
    assert device.median_s > 1.3 * WORK_S
    assert missing(found.launch_bound).missing == "eager_events"
    return missing(device.not_filled)


def test_a_device_that_cannot_be_held_is_taken_by_eager_events_and_says_so():
    assert eager(replace(slow_host(), can_hold=False)).missing == "no_hold"


def test_a_call_that_waits_for_its_device_is_taken_by_eager_events_and_says_so():
    assert eager(replace(slow_host(), waits=True)).missing == "not_all_waited"


def test_a_call_of_more_launches_than_the_queue_takes_is_found_by_trying():
    assert eager(replace(slow_host(), launch_queue=40)).missing == "not_all_waited"


def test_a_call_that_is_known_to_launch_more_than_the_queue_takes_is_not_tried():
    world = replace(slow_host(), launch_queue=40)
    found = eager(world, replace(FULL, launches=50))
    assert found.missing == "too_many_launches"
    assert "50 operations" in found.message
    assert "40" in found.message
    assert "hold" not in world.log


def test_a_call_that_waits_is_found_out_without_long_holds():
    """What a call waited for the hold itself is no part of the next one."""
    held_s = []

    class Holding(World):
        def hold(self, seconds):
            held_s.append(seconds)
            super().hold(seconds)

    world = replace(slow_host(Holding), waits=True)
    run(world, only("device", latency_plan.choose(budget_s=2)))
    assert sum(held_s) < 0.25


def test_the_buffer_that_flushes_the_cache_is_there_before_memory_is_marked():
    world = World()
    run(world, only("wall", latency_plan.choose(cold=True)))
    assert world.log.index("flush") < world.log.index("mark memory")


def test_a_hold_is_as_long_as_the_host_needs_even_if_it_is_interrupted():
    rng = random.Random(3)

    class Interrupted(World):
        """The host loses 20 ms in one of fifty calls."""

        def step(self):
            self.now += 0.02 * (rng.random() < 0.02)
            return super().step()

    found = known(run(slow_host(Interrupted), only("device")).latency.device)
    assert found.method == "filled_queue"
    assert found.samples_s == pytest.approx([WORK_S] * found.n, rel=0.01)


def test_a_device_that_is_never_waited_for_is_not_launch_bound():
    found = run(World(work_s=lambda now_s: 1e-3, kernels=5)).latency
    assert known(found.device).median_s == pytest.approx(5e-3)
    assert found.launch_bound == pytest.approx(0, abs=0.01)


def test_samples_are_all_calls_made_while_sampling_in_their_order():
    world = World(work_s=noisy(0, 0.02, tail=0.05))
    found = wall(world)
    after = 1  # the call whose memory is read
    assert found.samples_s == pytest.approx(world.worked_s[-found.n - after : -after], abs=3e-6)  # and a launch each
    assert len(found.first_calls_s) + found.warmup.calls + found.n + after == world.calls


def test_a_device_time_is_that_of_the_device_call_by_call():
    world = World(work_s=noisy(0, 0.02, tail=0.05))
    found = known(run(world, only("device")).latency.device)
    assert found.samples_s == pytest.approx(world.worked_s[-found.n :], abs=3e-6)


def test_first_calls_stand_apart_one_by_one():
    found = wall(World(first_s=(3.0, 0.5, 0.1)))
    assert found.first_calls_s == pytest.approx((3.001, 0.501, 0.101), abs=1e-5)
    assert max(found.samples_s) < 0.002


def test_heavy_tails_are_kept_and_named():
    found = wall(World(work_s=noisy(0, 0.02, tail=0.02)))
    far = [place for place, sample_s in enumerate(found.samples_s) if sample_s > 0.014]
    assert list(found.outliers) == far
    assert found.status == "converged"
    assert found.median_s == pytest.approx(0.01, rel=0.01)


# When it is warm.


@pytest.mark.parametrize("tau_s", [0.2, 1.0, 3.0, 5.0, 10.0])
def test_a_clock_that_settles_is_waited_for_or_the_row_says_that_it_has_not_settled(tau_s):
    rng = random.Random(2)

    def work_s(now_s):  # 40 % slower at first, and 3 % of heat over the first minute
        since_s = now_s - 100
        return (
            0.01 * (1 + 0.4 * math.exp(-since_s / tau_s) + 0.03 * min(1, since_s / 60)) * (1 + 0.005 * rng.gauss(0, 1))
        )

    found = wall(World(work_s=work_s))
    unsettled = 0.4 * math.exp(-found.warmup.spent_s / tau_s)
    assert unsettled < 0.01 or "not_steady" in found.flags
    assert found.warmup.spent_s <= 30.1
    if tau_s <= 1:
        assert found.warmup.status == "steady"


def test_a_steady_device_is_warm_after_two_seconds():
    assert wall(World(work_s=noisy(0, 0.001))).warmup.spent_s == pytest.approx(2, abs=0.15)


def test_a_device_that_never_settles_is_measured_and_flagged():
    found = wall(World(work_s=lambda now_s: 0.01 * 1.02 ** (now_s - 100)))
    assert found.warmup.status == "not_steady"
    assert found.warmup.spent_s == pytest.approx(30, abs=0.2)
    assert "not_steady" in found.flags
    assert known(found.drift) > 1.03


def test_noise_alone_is_not_taken_for_a_clock_that_has_not_settled():
    world = World(work_s=noisy(0, 0.3))
    found = wall(world, replace(FULL, warm_up_rule=WarmUpRule(max_s=4, tolerance=1e-6)))
    assert found.warmup.status == "steady"


def test_an_allocator_that_keeps_asking_the_driver_is_not_steady():
    found = wall(World(allocated=lambda calls: calls))
    assert found.warmup.status == "not_steady"
    assert {"not_steady", "allocator_active"} <= set(found.flags)


def test_warming_goes_on_until_the_allocator_has_been_quiet_for_half_of_it():
    found = wall(World(allocated=lambda calls: min(calls, 4000)))  # a call takes 1 ms
    assert found.warmup.status == "steady"
    assert found.warmup.calls == pytest.approx(8000, rel=0.1)
    assert "allocator_active" not in found.flags


# When there is enough.


def test_an_even_device_needs_a_second_of_work_and_no_more():
    found = wall(World())
    assert found.status == "converged"
    assert sum(found.samples_s) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_samples_that_resemble_their_neighbours_are_not_believed_as_soon(rho):
    independent, dependent = wall(World(work_s=noisy(0, 0.03))), wall(World(work_s=noisy(rho, 0.03)))
    assert independent.status == "converged"
    assert dependent.n > 1.5 * independent.n
    if dependent.status == "converged":
        assert dependent.n >= 40 / (1 - dependent.lag1)


def test_a_converged_row_has_the_interval_that_was_asked_for():
    found = wall(World(work_s=noisy(0.3, 0.02, tail=0.01)))
    low, high = known(found.ci95_s)
    assert found.status == "converged"
    assert (high - low) / 2 <= 0.005 * found.median_s
    assert found.n >= 100


def test_a_restless_device_ends_at_the_time_cap_with_the_interval_it_has():
    world = World(work_s=noisy(0.5, 0.5))
    found = wall(world)
    assert found.status == "timeout"
    assert sum(found.samples_s) == pytest.approx(15, abs=0.5)
    assert known(found.ci95_s)


def test_a_slow_device_is_given_thirty_calls():
    found = wall(World(work_s=lambda now_s: 5.0))
    assert found.n == 30
    assert found.status == "timeout"
    assert found.ci95_s == pytest.approx((5, 5), abs=1e-5)


@pytest.mark.parametrize(("calls", "interval"), [(12, True), (4, False)])
def test_few_samples_have_the_interval_of_ranks_and_very_few_have_none(calls, interval):
    found = wall(World(work_s=noisy(0, 0.05)), latency_plan.choose(budget_s=0.02 + 0.01 * calls * 4 / 3))
    assert found.n < 20
    assert (found.n >= 6) == interval
    if interval:
        assert set(known(found.ci95_s)) <= set(found.samples_s)
    else:
        assert missing(found.ci95_s).missing == "few_samples"


def test_a_call_of_microseconds_ends_with_ten_thousand_samples():
    found = wall(World(work_s=lambda now_s: 1e-6), SHORT_WARM_UP)
    assert found.status == "converged"
    assert 10_000 <= found.n < 20_000


def test_percentiles_wait_for_their_samples_and_say_how_many_are_missing():
    found = wall(World(work_s=lambda now_s: 0.005))
    assert 130 < found.n < 662
    assert found.p95_s == pytest.approx(0.005, rel=1e-3)
    assert f"{662 - found.n} more" in missing(found.p99_s).message


def test_two_narrow_looks_have_to_follow_each_other():
    checks = iter([True, False, True, False, True, True])

    class Scripted(StoppingRule):
        def narrow(self, samples_s, calls_per_sample):
            return next(checks)

    world = World()
    assert sample(Wall(world.step, world), world, Scripted(), lambda done: None)[1] == "converged"
    assert list(checks) == []


# Quick, and within a budget.


def test_a_quick_answer_comes_within_seconds_and_says_what_it_is():
    world = World(work_s=noisy(0.5, 0.3))
    found = wall(world, QUICK)
    assert found.status == "quick"
    assert world.now - 100 < 3


@pytest.mark.parametrize("budget_s", [0.5, 3.0, 20.0])
@pytest.mark.parametrize("work_s", [1e-3, 0.1])
def test_a_budget_is_kept_to_a_few_calls_however_restless_the_device(budget_s, work_s):
    noise = noisy(0.5, 0.5)
    world = World(work_s=lambda now_s: work_s * noise(now_s) / 0.01)
    run(world, latency_plan.choose(budget_s=budget_s))
    assert world.now - 100 < budget_s * 1.15 + 12 * work_s


def test_a_budget_is_shared_by_the_modes_that_the_device_has():
    world = World(work_s=noisy(0.5, 0.5), modes=("wall",))
    found = run(world, latency_plan.choose(budget_s=8)).latency
    assert sum(known(found.wall).samples_s) > 5


def test_first_calls_that_eat_the_budget_leave_one_sample_or_more():
    found = wall(World(first_s=(10.0,)), latency_plan.choose(budget_s=2))
    assert len(found.first_calls_s) == 1
    assert found.n >= 1


# Devices that lack something.


def test_a_device_without_events_has_its_wall_time_and_says_what_it_lacks():
    found = run(World(events=None)).latency
    assert known(found.wall).median_s == pytest.approx(1e-3, rel=0.01)
    assert {missing(lost).missing for lost in (found.device, found.graph, found.launch_bound)} == {"no_events"}


def test_events_that_all_read_zero_are_refused():
    assert missing(run(World(events=lambda mark_s: 0.0)).latency.device).missing == "events_read_zero"


def test_events_that_run_backwards_are_refused():
    assert missing(run(World(events=lambda mark_s: -mark_s)).latency.device).missing == "events_backwards"


def test_a_step_that_cannot_be_captured_is_measured_without_a_graph():
    found = run(World(capture_error="not capturable: a copy to the host")).latency
    assert known(found.device).n >= 100
    assert found.graph == Missing("capture_failed", "not capturable: a copy to the host")


def test_a_graph_that_computes_something_else_is_refused():
    assert missing(run(World(replayed=2.0)).latency.graph).missing == "graph_differs"


def test_a_graph_whose_output_cannot_be_read_any_more_is_refused_and_the_rest_is_kept():
    class Overwritten(World):
        def agree(self, one, other):
            raise RuntimeError("accessing tensor output of CUDAGraphs that has been overwritten.\nStack trace")

    found = run(Overwritten()).latency
    assert known(found.device).n >= 100
    assert missing(found.graph).missing == "graph_unchecked"
    assert missing(found.graph).message.endswith("output of CUDAGraphs that has been overwritten")


def test_a_step_that_differs_from_itself_cannot_be_compared_and_is_flagged():
    found = run(World(output=lambda calls: calls)).latency
    assert "output_not_repeatable" in known(found.graph).flags


def test_a_mode_that_was_not_asked_for_is_missing():
    assert missing(run(World(), only("wall")).latency.device).missing == "not_asked"


# Short graphs, cold caches, the queue.


@pytest.mark.parametrize("work_s", [1e-6, 7e-6, 40e-6])
def test_a_graph_shorter_than_50_us_is_replayed_several_times_and_a_sample_is_of_one_call(work_s):
    world = World(work_s=lambda now_s: work_s, events=lambda mark_s: round(mark_s / 5e-7) * 5e-7)
    found = known(run(world, only("graph", SHORT_WARM_UP)).latency.graph)
    assert found.calls_per_sample * work_s >= 49e-6
    assert found.median_s == pytest.approx(work_s, rel=0.02)


def test_a_short_graph_is_known_for_one_however_slowly_the_host_wakes():
    world = World(work_s=lambda now_s: 10e-6, wake_s=400e-6)
    assert known(run(world, only("graph", SHORT_WARM_UP)).latency.graph).calls_per_sample == 5


def test_the_fastest_way_to_run_a_step_is_its_graph_where_there_is_one():
    world = World(work_s=lambda now_s: 10e-6, kernels=1)
    found = run(world, SHORT_WARM_UP)
    before = world.calls
    found.fastest()
    assert world.calls - before == found.calls == known(found.latency.graph).calls_per_sample
    assert run(World(capture_error="no"), SHORT_WARM_UP).calls == 1


def test_a_cold_call_is_flushed_before_and_the_flush_is_not_timed():
    for mode in ("wall", "device", "graph"):
        world = World(flush_s=0.004)
        found = run(world, only(mode, latency_plan.choose(cold=True))).latency
        assert known(getattr(found, mode)).median_s == pytest.approx(1e-3, rel=0.01)
        log = [entry for entry in world.log if entry != "poll"]
        timed = log[log.index("flush") : len(log) - (mode == "wall") * 2]  # first calls before, memory after
        assert all(before == "flush" for before, entry in pairwise(timed[-500:]) if entry == "call")


def test_a_graph_too_short_to_be_timed_alone_has_no_cold_time():
    world = World(work_s=lambda now_s: 5e-6, flush_s=1e-4)
    assert missing(run(world, only("graph", latency_plan.choose(cold=True))).latency.graph).missing == "cold_graph"


def test_the_host_runs_ahead_of_a_device_that_is_not_held_by_the_depth_of_the_queue():
    world = World(can_hold=False)
    run(world, only("device"))
    assert world.deepest == FULL.queue_depth - 1  # and the call that is being launched


# What is not timed.


def test_nobody_looks_while_a_mode_is_sampled():
    world = World()
    found = run(world)
    quiet = "".join("P" if entry == "poll" else "c" for entry in world.log if entry in ("poll", "call"))
    assert quiet.count("P") == 1 + 2 * 3
    for latency in (found.latency.wall, found.latency.device):
        assert f"P{'c' * known(latency).n}P" in quiet


def test_the_garbage_collector_rests_and_is_woken_whatever_happens():
    states = []

    class Full(Exception):
        pass

    def step():
        states.append(gc.isenabled())
        if len(states) == 50:
            raise Full
        world.step()

    world = World()
    with pytest.raises(Full):
        measure(step, world, world, FULL)
    assert not any(states)
    assert gc.isenabled()


def test_progress_is_told_between_blocks_with_a_share_that_never_exceeds_one():
    progress = []
    world = World(work_s=noisy(0.5, 0.5))
    measure(world.step, world, world, only("wall"), lambda phase, share: progress.append((phase, share)))
    assert [phase for phase, _ in progress[:3]] == ["first calls"] * 3
    assert {phase for phase, _ in progress} == {"first calls", "wall: warming up", "wall: sampling"}
    assert all(0 <= share <= 1 for _, share in progress)


# Flags, memory, load of the host.


def test_an_output_that_is_not_finite_is_flagged():
    assert run(World(output=lambda calls: math.nan), only("wall")).flags == ("nan_output",)
    assert run(World(), only("wall")).flags == ()


def test_memory_is_that_of_a_call_after_the_search_for_algorithms():
    world = World()
    assert run(world, only("wall")).memory.peak_allocated_bytes == 10
    order = [entry for entry in world.log if entry != "poll"]
    assert order[:2] == ["mark memory", "call"]
    assert order[-2:] == ["reset peak", "call"]
    assert order.count("reset peak") == 1


def test_a_budget_that_the_first_call_eats_leaves_the_search_out_of_the_memory_too():
    world = World(first_s=(10.0,))
    run(world, latency_plan.choose(budget_s=2))
    assert world.log.index("reset peak") > world.log.index("call")


@pytest.mark.parametrize(("load", "flagged"), [(0.0, False), (0.03, False), (0.5, True)])
def test_a_host_that_others_keep_busy_is_flagged(load, flagged):
    found = wall(World(load=load))
    assert found.host_load == pytest.approx(load)
    assert ("host_busy" in found.flags) == flagged


def test_a_load_that_cannot_be_read_is_missing_and_not_none():
    found = wall(World(load=NOTHING))
    assert found.host_load == NOTHING
    assert "host_busy" not in found.flags


class Coarse(World):
    """A machine whose clock advances every 16 ms, as on some systems; its events are finer."""

    def now_s(self) -> float:
        return self.now // 0.016 * 0.016


@pytest.mark.parametrize("chosen", [QUICK, replace(FULL, budget_s=0.1)], ids=["quick", "budget"])
def test_a_clock_that_stands_still_over_a_call_gives_a_reason_and_no_zero(chosen):
    found = run(Coarse(work_s=lambda now_s: 0.001), chosen).latency
    assert missing(found.wall).missing == "clock_too_coarse"
    assert known(found.device).median_s == pytest.approx(0.001)
    assert wall(Coarse(work_s=lambda now_s: 0.2), chosen).median_s == pytest.approx(0.2, abs=0.016)
