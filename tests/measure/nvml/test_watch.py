"""The watcher of a card records and flags its findings; no sample is dropped because of them."""

import os

import pytest

from backbone_bench import records
from backbone_bench.measure.nvml.card import Card, open_card
from backbone_bench.measure.nvml.watch import CardWatcher, NoWatcher
from backbone_bench.records import Missing


def summary(watch):
    verdict = watch.verdict()
    assert isinstance(verdict, records.Watch)
    return verdict


def test_every_look_is_kept_in_order(world, card):
    watch = CardWatcher(card)
    for sm, degrees in ((1410, 41), (1275, 58), (1290, 63)):
        world.gpu.sm_mhz, world.gpu.temperature_c = sm, degrees
        watch.poll()
    verdict = summary(watch)
    assert verdict.sm_clock_hz == (1410e6, 1275e6, 1290e6)
    assert verdict.temperature_c == (41, 58, 63)


def test_a_power_cap_is_told_as_its_share_of_the_time(world, card):
    watch = CardWatcher(card)
    watch.poll()
    world.sleep_s(10)
    world.gpu.capped_ns, world.gpu.reasons = 6_200_000_000, 0x04
    watch.poll()
    verdict = summary(watch)
    assert verdict.power_capped_fraction == pytest.approx(0.62, rel=1e-3)
    assert verdict.throttle_reasons == ("sw_power_cap",)
    assert "power_capped" in verdict.flags
    assert "thermal" not in verdict.flags


@pytest.mark.parametrize(("reasons", "held"), [(0x00, False), (0x01, False), (0x04, True), (0x20, True), (0x08, True)])
def test_whether_the_clocks_are_held_back_is_asked_of_the_card(world, card, reasons, held):
    watch = CardWatcher(card)
    before_s = watch.held_back_s()
    assert not isinstance(before_s, Missing)
    world.gpu.reasons, world.gpu.capped_ns, world.gpu.hot_ns = reasons, 2_000_000_000, 500_000_000
    assert watch.holds_back() is held
    assert watch.held_back_s() == pytest.approx(before_s + 2.5)


def test_without_a_card_the_reason_is_why_nobody_knows():
    assert NoWatcher(Missing("no_nvml", "no library")).held_back_s() == Missing("no_nvml", "no library")


@pytest.mark.parametrize(
    ("reasons", "flag"), [(0x20, "thermal"), (0x40, "thermal"), (0x08, "hw_slowdown"), (0x80, "hw_slowdown")]
)
def test_heat_and_slowdown_seen_at_any_look_are_tags(world, card, reasons, flag):
    watch = CardWatcher(card)
    for bits in (0x01, reasons, 0x00):
        world.gpu.reasons = bits
        watch.poll()
    assert flag in summary(watch).flags


def test_heat_between_two_looks_is_seen_by_its_counter(world, card):
    watch = CardWatcher(card)
    watch.poll()
    world.gpu.hot_ns = 1
    watch.poll()
    assert "thermal" in summary(watch).flags


def test_idling_between_phases_is_no_fault(world, card):
    world.gpu.reasons = 0x01
    watch = CardWatcher(card, locked=True)
    watch.poll()
    assert summary(watch).flags == ()


@pytest.mark.parametrize(
    ("polled_mhz", "locked", "flagged"),
    [
        ((345,), False, True),  # one poll, at rest, shows nothing
        ((345, 1980, 1980), False, False),
        ((1980, 1980, 1965), False, True),
        ((1980, 1980, 1965), True, False),
    ],
)
def test_clocks_that_nobody_holds_are_flagged_unless_every_poll_under_load_saw_the_same(
    world, card, polled_mhz, locked, flagged
):
    watch = CardWatcher(card, locked=locked)
    for world.gpu.sm_mhz in polled_mhz:
        watch.poll()
    assert ("clocks_unlocked" in summary(watch).flags) == flagged


@pytest.mark.parametrize(
    ("compute", "graphics", "others"),
    [
        ((os.getpid(),), (), 0),
        ((os.getpid(), 4711), (), 1),
        ((os.getpid(),), (812,), 1),
        ((os.getpid(), 4711), (4711,), 1),
        ((70001,), (), 0),  # in a container: our process with its id on the host
        ((70001, 70002), (812,), 2),
    ],
)
def test_processes_beside_ours_are_counted_once_each(world, card, compute, graphics, others):
    gpu = world.gpu
    gpu.compute_pids[: len(compute)], gpu.computes = compute, len(compute)
    gpu.graphics_pids[: len(graphics)], gpu.graphics = graphics, len(graphics)
    watch = CardWatcher(card)
    watch.poll()
    verdict = summary(watch)
    assert verdict.other_processes == others
    assert ("shared_gpu" in verdict.flags) == bool(others)


@pytest.mark.parametrize(("compute", "others"), [((os.getpid(), 4711), 0), ((70001, 70002, 70003), 1), ((70001,), 0)])
def test_a_process_that_takes_turns_with_ours_is_no_other(world, card, compute, others):
    gpu = world.gpu
    gpu.compute_pids[: len(compute)], gpu.computes = compute, len(compute)
    watch = CardWatcher(card, partners=1)
    watch.poll()
    assert summary(watch).other_processes == others


def test_the_most_company_at_any_look_is_told(world, card):
    watch = CardWatcher(card)
    for others in (0, 2, 1):
        world.gpu.compute_pids[1:3], world.gpu.computes = (4711, 4712), 1 + others
        watch.poll()
    assert summary(watch).other_processes == 2


def test_a_slice_is_tagged(world):
    part = open_card(world.slice_card(), world)
    assert isinstance(part, Card)
    watch = CardWatcher(part)
    watch.poll()
    assert "mig_slice" in summary(watch).flags


def test_clients_of_the_multi_process_service_are_company_though_only_its_server_computes(world, card):
    gpu = world.gpu
    gpu.compute_pids[0], gpu.computes = 300, 1  # the server's
    gpu.mps_pids[:3], gpu.mps = (os.getpid(), 4711, 4712), 3
    watch = CardWatcher(card)
    watch.poll()
    assert summary(watch).other_processes == 3


def test_a_driver_that_knows_no_multi_process_service_tells_its_processes_all_the_same(world, card):
    world.fail("nvmlDeviceGetMPSComputeRunningProcesses_v3", 3)
    watch = CardWatcher(card)
    watch.poll()
    assert summary(watch).other_processes == 0


def test_an_empty_list_of_processes_leaves_isolation_unchecked(world, card):
    world.gpu.computes = 0  # WSL
    watch = CardWatcher(card)
    watch.poll()
    verdict = summary(watch)
    assert isinstance(verdict.other_processes, Missing)
    assert "isolation_unchecked" in verdict.flags
    assert "shared_gpu" not in verdict.flags


def test_a_card_that_was_busy_before_us_is_shared_though_the_list_is_empty(world, card):
    world.gpu.computes, world.gpu.busy_percent = 0, 35
    watch = CardWatcher(card)
    world.gpu.busy_percent = 0
    watch.poll()
    assert "shared_gpu" in summary(watch).flags


def test_a_lost_card_leaves_reasons_and_no_crash(world, card):
    watch = CardWatcher(card)
    watch.poll()
    world.state.lost_at_s = world.now_s()
    watch.poll()
    verdict = summary(watch)
    for field in (verdict.sm_clock_hz, verdict.power_capped_fraction, verdict.other_processes):
        assert isinstance(field, Missing)
        assert field.missing == "gpu_lost"


def test_a_watch_that_never_looked_tells_nothing(card):
    verdict = CardWatcher(card).verdict()
    assert isinstance(verdict, Missing)


def test_a_watch_on_a_cpu_answers_why(world):
    missing = Missing("no_nvml", "A CPU has no NVML.")
    watch = NoWatcher(missing)
    watch.poll()
    assert watch.verdict() == missing
    assert world.state.calls == 0
