"""The CPU as a device, on this machine; and readings of /proc, from texts."""

import ctypes
import mmap
import os
import time

import pytest

from backbone_bench.measure.devices.cpu import Host
from backbone_bench.measure.latency.meter import measure
from backbone_bench.measure.latency.plan import choose
from backbone_bench.measure.machine import procfs
from backbone_bench.measure.protocols import CaptureFailed, EventsFailed
from backbone_bench.records import Latency, Missing
from tests.measure.world import World

# user nice system idle iowait irq softirq steal guest guest_nice
STAT = """\
cpu  1110 11 111 99999 999 22 33 44 500 0
cpu0 1000 10 100 5000 500 20 30 40 500 0
cpu1 100 1 10 6000 400 2 3 4 0 0
cpu12 10 0 1 7000 99 0 0 0 0 0
intr 123
"""


def test_work_is_what_is_neither_idle_nor_waiting_and_guests_are_not_counted_twice():
    assert procfs.busy_ticks(STAT, {0}) == 1000 + 10 + 100 + 20 + 30 + 40


def test_only_the_cores_of_this_process_count():
    assert procfs.busy_ticks(STAT, {1, 12}) == 120 + 11
    assert procfs.busy_ticks(STAT, {2}) == 0


def test_a_field_of_the_status_is_in_bytes():
    assert procfs.status_bytes("VmPeak:\t 9 kB\nVmHWM:\t   2224 kB\nVmRSS:\t 1 kB\n", "VmHWM") == 2224 * 1024
    assert procfs.status_bytes("Name:\tbench\n", "VmHWM") is None


@pytest.mark.parametrize(("size", "found"), [("48K\n", 49152), ("32M\n", 33554432), ("512\n", 512)])
def test_the_size_of_a_cache_is_in_bytes(size, found):
    assert procfs.cache_bytes(size) == found


def test_this_process_is_no_neighbour_of_itself(tmp_path, monkeypatch):
    """CPU time of this process is not counted; that of other processes is, averaged over the cores."""
    stat = tmp_path / "stat"
    monkeypatch.setattr(procfs, "_STAT", stat)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})

    def others_s(busy_s: float, own_s: float) -> float:
        ticks = round(busy_s * os.sysconf("SC_CLK_TCK"))
        stat.write_text(f"cpu0 {ticks} 0 0 9 9 0 0 0 0 0\ncpu1 0 0 0 9 9 0 0 0 0 0\n")
        with monkeypatch.context() as scripted:
            scripted.setattr(time, "process_time", lambda: own_s)
            seconds = procfs.others_s()
        assert not isinstance(seconds, Missing)
        return seconds

    before_s = others_s(busy_s=8.0, own_s=3.0)
    assert others_s(busy_s=9.0, own_s=4.0) == pytest.approx(before_s)
    assert others_s(busy_s=9.5, own_s=4.0) == pytest.approx(before_s + 0.5 / 2)


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak of resident memory cannot be reset"
)
def test_the_peak_is_what_was_held_for_a_while_above_the_baseline():
    resident = procfs.Resident()
    resident.mark()
    resident.reset()
    with mmap.mmap(-1, 64 * 1024**2) as held:
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(held)), 1, len(held))
    peak = resident.peak_bytes()
    assert not isinstance(peak, Missing)
    assert peak == pytest.approx(64 * 1024**2, rel=0.1)


def test_a_peak_that_an_earlier_one_hides_is_missing_and_not_nothing(monkeypatch, tmp_path):
    status = tmp_path / "status"
    monkeypatch.setattr(procfs, "_STATUS", status)
    monkeypatch.setattr(procfs, "_CLEAR", tmp_path / "absent" / "clear_refs")
    status.write_text("VmHWM: 900 kB\nVmRSS: 500 kB\n")
    resident = procfs.Resident()
    resident.mark()
    resident.reset()
    assert isinstance(resident.peak_bytes(), Missing)
    status.write_text("VmHWM: 1000 kB\nVmRSS: 500 kB\n")
    assert resident.peak_bytes() == 500 * 1024


def test_the_last_cache_is_that_of_the_highest_level(monkeypatch, tmp_path):
    monkeypatch.setattr(procfs, "_CACHES", tmp_path)
    for index, (level, size) in enumerate([("1", "32K"), ("1", "48K"), ("2", "1M"), ("3", "36608K")]):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "level").write_text(f"{level}\n")
        (tmp_path / f"index{index}" / "size").write_text(f"{size}\n")
    assert procfs.last_cache_bytes() == 36608 * 1024


def test_a_call_that_adds_nothing_to_what_the_process_held_has_a_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(procfs, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(procfs, "_CLEAR", tmp_path / "clear_refs")
    (tmp_path / "status").write_text("VmHWM: 500 kB\nVmRSS: 500 kB\n")
    resident = procfs.Resident()
    resident.mark()
    resident.reset()
    peak = resident.peak_bytes()
    assert isinstance(peak, Missing)
    assert "nothing was added" in peak.message


def test_without_proc_nothing_is_made_up(monkeypatch, tmp_path):
    for name in ("_STAT", "_STATUS", "_CLEAR", "_CACHES"):
        monkeypatch.setattr(procfs, name, tmp_path / "absent" / name)
    resident = procfs.Resident()
    resident.mark()
    resident.reset()
    for reading in (procfs.others_s(), resident.peak_bytes(), procfs.last_cache_bytes()):
        assert isinstance(reading, Missing)


@pytest.mark.parametrize("text", ["", "garbage", "cpu0 a b\nVmHWM: \nVmRSS: kB\n", "cpu0 0 0\nVmHWM\n"])
def test_files_that_say_nothing_are_as_good_as_none(monkeypatch, tmp_path, text):
    """Such files occur in sandboxes."""
    for name in ("stat", "status", "index0/level", "index0/size"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(procfs, "_STAT", tmp_path / "stat")
    monkeypatch.setattr(procfs, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(procfs, "_CACHES", tmp_path)
    for reading in (procfs.others_s(), procfs.Resident().peak_bytes(), procfs.last_cache_bytes()):
        assert isinstance(reading, Missing)


def test_a_host_has_neither_events_nor_graphs_and_says_so():
    host = Host()
    with pytest.raises(EventsFailed, match="wall"):
        host.event()
    with pytest.raises(CaptureFailed, match="no graphs"):
        host.capture(lambda: None)


def test_a_host_measures_its_wall_time_by_the_same_meter():
    data = bytes(1_000_000)
    found = measure(lambda: hash(data[:-1]), Host(), World(), choose(budget_s=0.3))
    assert isinstance(found.latency.wall, Latency)
    assert all(sample_s > 0 for sample_s in found.latency.wall.samples_s)
    assert isinstance(found.latency.device, Missing)
    assert isinstance(found.latency.graph, Missing)
