"""Readings of the host from /proc and /sys on Linux: load of other processes, resident memory, cache size.

Other systems lack these files, and a sandbox may provide empty ones: then a reading is Missing with its reason.
"""

import ctypes
import os
import time
from collections.abc import Set
from pathlib import Path

from backbone_bench.records import Known, Missing

_STAT = Path("/proc/stat")
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")

# Columns of a cpu line (proc(5)). Idle and iowait are not work; guest time is already part of user.
_WORK = ("user", "nice", "system", "irq", "softirq", "steal")
_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def others_s() -> Known[float]:
    """Seconds that other processes used this process's cores since a fixed moment, averaged over the cores.

    Time that a hypervisor gave to other guests is included. Resolution 10 ms: use differences over more than 1 s.
    """
    cores = os.sched_getaffinity(0)
    try:
        ticks = busy_ticks(_STAT.read_text(), cores)
    except OSError as error:
        return Missing("no_proc_stat", f"the load of other processes is not available: {_STAT}: {error.strerror}")
    except ValueError:
        ticks = 0
    if not ticks:
        return Missing(
            "no_proc_stat", f"the load of other processes is not available: {_STAT} shows no work on these cores"
        )
    return (ticks / os.sysconf("SC_CLK_TCK") - time.process_time()) / len(cores)


def busy_ticks(stat: str, cores: Set[int]) -> int:
    """Ticks of work on these cores, by all processes, from the text of /proc/stat."""
    total = 0
    for line in stat.splitlines():
        name, _, rest = line.partition(" ")
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            ticks = dict(zip(_COLUMNS, map(int, rest.split()), strict=False))
            total += sum(ticks.get(column, 0) for column in _WORK)
    return total


class Resident:
    """Peak resident memory of this process above a baseline, in bytes."""

    def __init__(self) -> None:
        self._baseline = self._peak_at_reset = 0
        self._cleared = False

    def mark(self) -> None:
        """Take the resident memory now as the baseline, after freed memory has been returned to the system."""
        _trim()
        self._baseline = _resident("VmRSS") or 0

    def reset(self) -> None:
        """Reset the peak, if the kernel allows it."""
        self._peak_at_reset = _resident("VmHWM") or 0
        try:
            _CLEAR.write_text("5")  # proc(5): resets the peak resident set size
        except OSError:
            self._cleared = False
        else:
            self._cleared = True

    def peak_bytes(self) -> Known[int]:
        """Peak since `reset`, above the baseline of `mark`."""
        peak = _resident("VmHWM")
        if peak is None:
            return Missing("no_peak_resident", f"the peak of resident memory is not available ({_STATUS} lacks VmHWM)")
        if not self._cleared and peak <= self._peak_at_reset:
            return Missing(
                "peak_resident_hidden", f"an earlier peak of resident memory hides this one: {_CLEAR} cannot be written"
            )
        if peak <= self._baseline:
            return Missing("peak_resident_hidden", "the process already had enough memory: nothing was added")
        return peak - self._baseline


def _trim() -> None:
    """Return freed memory to the system: glibc keeps it. Other C libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident(field: str) -> int | None:
    try:
        return status_bytes(_STATUS.read_text(), field)
    except (OSError, ValueError, IndexError):
        return None


def status_bytes(status: str, field: str) -> int | None:
    """A field of /proc/self/status in bytes. The file says kB and means KiB."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None


def last_cache_bytes() -> Known[int]:
    """The size of the processor's last-level cache."""
    sizes = {}
    for folder in _CACHES.glob("index*"):
        try:
            sizes[int((folder / "level").read_text())] = cache_bytes((folder / "size").read_text())
        except (OSError, ValueError):
            continue
    if not sizes:
        return Missing("cache_unknown", f"the size of the processor's cache is not available ({_CACHES})")
    return sizes[max(sizes)]


def cache_bytes(size: str) -> int:
    """`36608K` or `32M` in bytes."""
    units = {"K": 1024, "M": 1024**2, "G": 1024**3}
    text = size.strip()
    return int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text)
